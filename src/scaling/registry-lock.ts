/**
 * The lock by which one of several instances scales: a record in the registry, held by beats (providers/registry/lease.ts). Who
 * holds it is the only one that acts, and stops before its lease can be over for anyone, whatever happens to its clock and to the
 * registry. After the death of the holder another instance acts within 10 s, after its end within a second.
 */
import { messageOf } from '../model/error-message.ts'
import { isMap } from '../model/parsed.ts'
import type { Log } from '../observe/log.ts'
import {
  createLeases,
  type Lease,
  type LeaseRecord,
  type LeaseTimes,
  type LeaseWorld,
  type StoredRecord,
} from '../providers/registry/lease.ts'
import type { KeyStore } from '../providers/store.ts'
import type { ActingLock } from './acting-lock.ts'

export interface RegistryLockOptions {
  /** Below the folder of scaling. Opened with its first use; the lock does not close it. */
  readonly keys: KeyStore
  /** The name of this instance. */
  readonly instance: string
  /** An id that no other program has. */
  readonly id: string
  readonly world: LeaseWorld
  readonly log: Log
  /** It begins to act, or ends. */
  readonly onChange?: (isActing: boolean) => void
  readonly times?: Partial<LockTimes>
}

export interface LockTimes extends LeaseTimes {
  /** How often an instance that does not act looks. */
  readonly pollMs: number
}

interface LockRecord extends LeaseRecord {
  readonly instance: string
}

const TIMES: LockTimes = { leaseMs: 8_000, beatMs: 2_000, pollMs: 1_000 }
const LOCK = 'lock'
const MAX_NAME = 128
/** The registry may be away at the end. */
const RELEASE_WITHIN_MS = 2_000

export interface RegistryLock extends ActingLock {
  /** From here on it is taken whenever no instance has it. */
  begin(): void
}

export function createRegistryLock(options: RegistryLockOptions): RegistryLock {
  const { keys, instance, id, world, log, onChange } = options
  const times = { ...TIMES, ...options.times }
  const stopping = new AbortController()
  let lease: Lease<LockRecord> | null = null
  /** Of the record that was read last. */
  let seen: LockRecord | null = null
  let problem: string | null = null
  let looking: Promise<void> | null = null

  const leases = createLeases<LockRecord>({
    store: {
      async read(name) {
        const key = await keys.get(name)
        const stored = key === null ? null : { record: readLock(key.text), revision: key.revision }
        seen = stored?.record ?? null
        return stored
      },
      async write(name, record, expected): Promise<StoredRecord<LockRecord>> {
        return { record, revision: await keys.put(name, JSON.stringify(record), { expected }) }
      },
      async remove(name, expected) {
        await keys.delete(name, { expected })
      },
    },
    holder: id,
    fresh: () => ({ instance }),
    describe: () => 'the lock of scaling',
    isNeverRemoved: true,
    ...{ world, times, stopping: stopping.signal },
  })

  async function look(): Promise<void> {
    if (lease !== null) {
      if (lease.isHeld()) return
      lease = null
      log.warn(
        { instance, acting: false },
        'this instance scales no longer: the lock could not be renewed in time, or is held by another instance',
      )
      onChange?.(false)
    }
    try {
      const taken = await leases.take(LOCK)
      problem = null
      if (taken !== null) await act(taken)
    } catch (error) {
      note(messageOf(error))
    }
  }

  async function act(taken: Lease<LockRecord>): Promise<void> {
    // A lock that was taken over has the name of its last holder.
    if (taken.record().instance !== instance) await taken.update({ instance })
    lease = taken
    log.info({ instance, acting: true }, 'this instance scales: it holds the lock in the registry')
    onChange?.(true)
  }

  function note(reason: string): void {
    const text = `the registry of the lock cannot be used: ${reason}`
    if (text !== problem) log.warn({}, `${text}; nothing is scaled by this instance meanwhile`)
    problem = text
  }

  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look()
      await world.sleep(times.pollMs, stopping.signal)
    }
  }

  return {
    begin() {
      // It ends with the signal.
      looking ??= keepLooking().catch(() => {})
    },
    isActing: () => lease?.isHeld() === true,
    holder() {
      if (lease?.isHeld() === true) return instance
      return seen === null || seen.holder === '' || seen.holder === id ? null : seen.instance
    },
    problem: () => (lease?.isHeld() === true ? null : problem),
    async close() {
      const held = lease
      lease = null
      if (held !== null) {
        onChange?.(false)
        const released = held.release((record) => record).catch(() => {})
        const ended = new AbortController()
        const late = world.sleep(RELEASE_WITHIN_MS, ended.signal).catch(() => {})
        await Promise.race([released, late])
        ended.abort()
      }
      stopping.abort()
      await looking
    },
  }
}

/** Throws with a reason for people. */
function readLock(text: string): LockRecord {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  if (isMap(value)) {
    const { holder, beat, instance } = value
    const isBeat = typeof beat === 'number' && Number.isSafeInteger(beat) && beat >= 0
    if (isBeat && isName(holder) && isName(instance)) return { holder, beat, instance }
  }
  throw new Error('the key of the lock holds something else; delete it if nothing else uses it')
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_NAME
}
