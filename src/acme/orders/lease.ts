/**
 * The lock of a name: the record of its order. Its holder writes it again and again (a beat), by compare-and-set on what it wrote
 * last. An instance that saw no beat for the time of a lease takes the order over as it is and carries on.
 *
 * Clocks are never compared: the taker measures by its own for how long the record has not changed, and the holder stops before
 * that time can be over for anyone.
 */
import { StoreConflict } from '../../providers/store.ts'
import type { OrderRecord } from '../storage/records.ts'
import type { RecordStore, Stored } from '../storage/record-store.ts'
import type { AcmeWorld } from './world.ts'

export interface LeaseTimes {
  readonly leaseMs: number
  readonly beatMs: number
}

/** In place of a holder. */
const FREE = ''
/** The registry may be away for a moment. */
const RETRY_MS = 500

export const LEASE: LeaseTimes = { leaseMs: 15_000, beatMs: 4_000 }

export interface Lease {
  readonly name: string
  /** Aborts once another instance may have taken the order over, or the lease was released. */
  readonly signal: AbortSignal
  record(): OrderRecord
  /** Tried until it is done, or the order is another's: then it rejects with LeaseLost. */
  update(change: Partial<Pick<OrderRecord, 'order' | 'challenges'>>): Promise<void>
  /** Throws LeaseLost if the order may be another's by now: before each step that cannot be taken back. */
  check(): void
  /** Deletes the record, unless it is another's. An order that has begun and is not done is left to all instances. */
  release(isDone: boolean): Promise<void>
}

export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

export interface Leases {
  /** Null: another instance holds it. */
  take(name: string): Promise<Lease | null>
}

/** `holder`: of this process alone. */
export function createLeases(
  store: RecordStore,
  holder: string,
  world: AcmeWorld,
  stopping: AbortSignal,
  times: LeaseTimes = LEASE,
): Leases {
  /** Of others: the revision that was seen last, and since when. */
  const seen = new Map<string, { readonly revision: string; readonly at: number }>()

  async function take(name: string): Promise<Lease | null> {
    const at = world.now()
    const found = await store.read('orders', name)
    if (found === null) {
      const fresh = { holder, beat: 1, startedAt: world.date(), order: null, challenges: [] }
      return claim(name, fresh, null, at)
    }
    const { record, revision } = found
    const known = seen.get(name)
    if (record.holder !== holder && record.holder !== FREE) {
      if (known?.revision !== revision) {
        forgetDone()
        seen.set(name, { revision, at: world.now() })
        return null
      }
      if (at - known.at < times.leaseMs) return null
    }
    return claim(name, { ...record, holder, beat: record.beat + 1 }, revision, at)
  }

  function forgetDone(): void {
    for (const name of seen.keys()) if (!store.all('orders').has(name)) seen.delete(name)
  }

  async function claim(
    name: string,
    record: OrderRecord,
    expected: string | null,
    at: number,
  ): Promise<Lease | null> {
    try {
      const stored = await store.write('orders', name, record, expected)
      seen.delete(name)
      return open(name, stored, at)
    } catch (error) {
      if (error instanceof StoreConflict) return null
      throw error
    }
  }

  function open(name: string, first: Stored<OrderRecord>, at: number): Lease {
    const ending = new AbortController()
    const signal = AbortSignal.any([ending.signal, stopping])
    /** A fifth of the lease is kept for what is under way when the holder notices. */
    const heldMs = times.leaseMs * 0.8
    let stored = first
    let heldUntil = at + heldMs
    let isLost = false
    let turn: Promise<unknown> = Promise.resolve()

    function lose(): LeaseLost {
      isLost = true
      const lost = new LeaseLost(`the order of ${name} was taken over by another instance`)
      ending.abort(lost)
      return lost
    }

    function check(): void {
      if (!isLost && world.now() >= heldUntil) lose()
      if (isLost) throw new LeaseLost(`the order of ${name} is no longer held by this instance`)
    }

    /** Beats and changes one after another: each compares with the one before. */
    function write(change: Partial<OrderRecord>, isQuiet: boolean): Promise<void> {
      const next = turn.then(() => writeNow(change, isQuiet))
      turn = next.catch(() => {})
      return next
    }

    async function writeNow(change: Partial<OrderRecord>, isQuiet: boolean): Promise<void> {
      check()
      const began = world.now()
      const record = { ...stored.record, ...change, beat: stored.record.beat + 1 }
      stored = await writeOver(record, stored.revision, isQuiet)
      heldUntil = began + heldMs
    }

    async function writeOver(
      record: OrderRecord,
      revision: string,
      isQuiet: boolean,
    ): Promise<Stored<OrderRecord>> {
      try {
        return await store.write('orders', name, record, revision, isQuiet)
      } catch (error) {
        if (!(error instanceof StoreConflict)) throw error
      }
      // A write whose answer was lost may have had its effect.
      const found = await store.read('orders', name)
      if (found?.record.holder !== holder) throw lose()
      return store.write('orders', name, record, found.revision, isQuiet)
    }

    async function keepBeating(): Promise<void> {
      while (!signal.aborted) {
        await world.sleep(times.beatMs, signal)
        // The registry may be away for a moment: the lease holds until its time is over.
        await write({}, true).catch(() => {})
        if (world.now() >= heldUntil) lose()
      }
    }
    keepBeating().catch(() => {})

    return {
      name,
      signal,
      record: () => stored.record,
      async update(change) {
        for (;;) {
          try {
            return await write(change, false)
          } catch {
            check()
          }
          await world.sleep(RETRY_MS, signal).catch((error: unknown) => {
            check()
            throw error
          })
        }
      },
      check,
      async release(isDone) {
        ending.abort()
        await turn
        if (isLost) return
        const { record, revision } = stored
        if (!isDone && record.order !== null) {
          await store.write('orders', name, { ...record, holder: FREE }, revision)
          return
        }
        await store.remove('orders', name, stored.revision).catch(async (error: unknown) => {
          if (!(error instanceof StoreConflict)) throw error
          const found = await store.read('orders', name)
          if (found?.record.holder === holder) await store.remove('orders', name, found.revision)
        })
      },
    }
  }

  return { take }
}
