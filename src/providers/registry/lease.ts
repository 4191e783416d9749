/**
 * Locks in a registry, each a record with a name. Its holder writes it again and again (a beat), by compare-and-set on what it
 * wrote last. An instance that saw no beat for the time of a lease takes the record over as it is.
 *
 * Clocks are never compared: the taker measures by its own for how long the record has not changed, and the holder stops before
 * that time can be over for anyone.
 */
import { StoreConflict } from '../store.ts'

export interface LeaseTimes {
  readonly leaseMs: number
  readonly beatMs: number
}

export interface LeaseRecord {
  /** An id that no other program has; '' if the lock is free. */
  readonly holder: string
  readonly beat: number
}

export interface StoredRecord<R> {
  readonly record: R
  readonly revision: string
}

export interface LeaseStore<R extends LeaseRecord> {
  /** Null: it is not there. */
  read(name: string): Promise<StoredRecord<R> | null>
  /** Throws StoreConflict if it is not at the revision `expected`; null: it must not be there. `isBeat`: only that has changed. */
  write(name: string, record: R, expected: string | null, isBeat: boolean): Promise<StoredRecord<R>>
  remove(name: string, expected: string): Promise<void>
}

export interface LeaseWorld {
  /** ms of a monotonic clock. */
  readonly now: () => number
  /** Rejects if the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

export interface LeasesOptions<R extends LeaseRecord> {
  readonly store: LeaseStore<R>
  /** Of this process alone. */
  readonly holder: string
  /** The record of a lock that was never held before. */
  readonly fresh: () => Omit<R, keyof LeaseRecord>
  /** Of a lock, for messages: `the order of a.example`. */
  readonly describe: (name: string) => string
  /** Whether the record of another instance may still be there: others are forgotten. Absent: all are kept. */
  readonly isKept?: (name: string) => boolean
  /** A record that vanishes has been lost with its registry, and not been released: its holder may not know yet. */
  readonly isNeverRemoved?: boolean
  readonly world: LeaseWorld
  readonly times: LeaseTimes
  readonly stopping: AbortSignal
}

export interface Lease<R extends LeaseRecord> {
  readonly name: string
  /** Aborts once another instance may have taken it over, or it was released. */
  readonly signal: AbortSignal
  record(): R
  /** No other instance can have taken it over by now. */
  isHeld(): boolean
  /** Throws LeaseLost unless it is held: before each step that cannot be taken back. */
  check(): void
  /** Tried until it is done, or the lock is another's: then it rejects with LeaseLost. */
  update(change: Partial<Omit<R, keyof LeaseRecord>>): Promise<void>
  /** Leaves this record to the others, or none (null), unless it is another's already. */
  release(leave: (record: R) => R | null): Promise<void>
}

export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

export interface Leases<R extends LeaseRecord> {
  /** Null: another instance holds it. */
  take(name: string): Promise<Lease<R> | null>
}

/** In place of a holder. */
const FREE = ''
/** The registry may be away for a moment. */
const RETRY_MS = 500
/** A fifth of the lease is kept for what is under way when the holder notices. */
const HELD_SHARE = 0.8

export function createLeases<R extends LeaseRecord>(options: LeasesOptions<R>): Leases<R> {
  const { store, holder, fresh, describe, isKept, isNeverRemoved = false } = options
  const { world, times, stopping } = options
  /** Of others: the revision that was seen last, and since when. */
  const seen = new Map<string, { readonly revision: string; readonly at: number }>()

  async function take(name: string): Promise<Lease<R> | null> {
    const at = world.now()
    const found = await store.read(name)
    const known = seen.get(name)
    const isQuiet = known === undefined || at - known.at >= times.leaseMs
    if (found === null) {
      if (isNeverRemoved && !isQuiet) return null
      return claim(name, { ...fresh(), holder, beat: 1 } as R, null, at)
    }
    const { record, revision } = found
    if (record.holder !== holder && record.holder !== FREE) {
      if (known?.revision !== revision) {
        forgetDone()
        seen.set(name, { revision, at: world.now() })
        return null
      }
      if (!isQuiet) return null
    }
    return claim(name, { ...record, holder, beat: record.beat + 1 }, revision, at)
  }

  function forgetDone(): void {
    if (isKept === undefined) return
    for (const name of seen.keys()) if (!isKept(name)) seen.delete(name)
  }

  async function claim(
    name: string,
    record: R,
    expected: string | null,
    at: number,
  ): Promise<Lease<R> | null> {
    try {
      const stored = await store.write(name, record, expected, false)
      seen.delete(name)
      return open(name, stored, at)
    } catch (error) {
      if (error instanceof StoreConflict) return null
      throw error
    }
  }

  function open(name: string, first: StoredRecord<R>, at: number): Lease<R> {
    const ending = new AbortController()
    const signal = AbortSignal.any([ending.signal, stopping])
    const heldMs = times.leaseMs * HELD_SHARE
    let stored = first
    let heldUntil = at + heldMs
    let isLost = false
    let isReleased = false
    let turn: Promise<unknown> = Promise.resolve()

    function lose(): LeaseLost {
      isLost = true
      const lost = new LeaseLost(`${describe(name)} was taken over by another instance`)
      ending.abort(lost)
      return lost
    }

    function isHeld(): boolean {
      return !isLost && !isReleased && world.now() < heldUntil
    }

    function check(): void {
      if (isHeld()) return
      if (!isLost && !isReleased) lose()
      throw new LeaseLost(`${describe(name)} is no longer held by this instance`)
    }

    /** Beats and changes one after another: each compares with the one before. */
    function write(change: Partial<R>, isBeat: boolean): Promise<void> {
      const next = turn.then(() => writeNow(change, isBeat))
      turn = next.catch(() => {})
      return next
    }

    async function writeNow(change: Partial<R>, isBeat: boolean): Promise<void> {
      check()
      const began = world.now()
      const record = { ...stored.record, ...change, beat: stored.record.beat + 1 }
      stored = await writeOver(record, stored.revision, isBeat)
      heldUntil = began + heldMs
    }

    async function writeOver(
      record: R,
      revision: string,
      isBeat: boolean,
    ): Promise<StoredRecord<R>> {
      try {
        return await store.write(name, record, revision, isBeat)
      } catch (error) {
        if (!(error instanceof StoreConflict)) throw error
      }
      // A write whose answer was lost may have had its effect.
      const found = await store.read(name)
      if (found?.record.holder !== holder) throw lose()
      return store.write(name, record, found.revision, isBeat)
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
      isHeld,
      check,
      async update(change) {
        for (;;) {
          try {
            return await write(change as Partial<R>, false)
          } catch {
            check()
          }
          await world.sleep(RETRY_MS, signal).catch((error: unknown) => {
            check()
            throw error
          })
        }
      },
      async release(leave) {
        isReleased = true
        ending.abort()
        await turn
        if (isLost) return
        const left = leave(stored.record)
        if (left !== null) {
          await store.write(name, { ...left, holder: FREE }, stored.revision, false)
          return
        }
        await store.remove(name, stored.revision).catch(async (error: unknown) => {
          if (!(error instanceof StoreConflict)) throw error
          const found = await store.read(name)
          if (found?.record.holder === holder) await store.remove(name, found.revision)
        })
      },
    }
  }

  return { take }
}
