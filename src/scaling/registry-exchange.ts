/**
 * What the instances exchange in the registry that holds the lock: each has a record with what it has measured and
 * what it was asked for, and the one that acts adds them up. Records are counted as long as they change: clocks are not compared.
 *
 * Writes are few, because a registry keeps them: an instance that acts writes only what it was asked for, the others at most
 * every two seconds, and at once when requests begin to wait.
 */
import { messageOf } from '../model/error-message.ts'
import { isMap, type JsonMap } from '../model/parsed.ts'
import type { Log } from '../observe/log.ts'
import { NO_MEASURE } from '../policy/scaling/measure.ts'
import type { LeaseWorld } from '../providers/registry/lease.ts'
import type { KeyStore, StoredKey } from '../providers/store.ts'
import type { MeasureExchange, Shared } from './measure-exchange.ts'

export interface RegistryExchangeOptions {
  readonly keys: KeyStore
  /** An id that no other program has. */
  readonly id: string
  /** Whether this instance acts, and so reads the others. */
  readonly isActing: () => boolean
  /** Requests begin to wait for a first replica at another instance. */
  readonly onWaiting?: (backend: string) => void
  readonly world: LeaseWorld
  readonly log: Log
}

export interface RegistryExchange extends MeasureExchange {
  /** From here on the registry is read and written. */
  begin(): void
  /** Removes this instance's record. Never rejects. */
  close(): Promise<void>
}

interface Other {
  readonly revision: string
  /** When that was seen first. */
  readonly at: number
  readonly shared: ReadonlyMap<string, Shared>
}

const FOLDER = 'instances/'
const POLL_MS = 1_000
const WRITE_EVERY_MS = 2_000
/** An unchanged record is written again, to show that its instance is alive. */
const ALIVE_MS = 5_000
const DEAD_MS = 15_000
/** Then its record is removed. */
const GONE_MS = 60_000
const MAX_INSTANCES = 200
const MAX_BACKENDS = 1_000
const MAX_BUCKETS = 64
const MAX_CHARS = 900_000
const REMOVE_WITHIN_MS = 1_000

export function createRegistryExchange(options: RegistryExchangeOptions): RegistryExchange {
  const { keys, id, isActing, world, log } = options
  const own = FOLDER + id
  const stopping = new AbortController()
  const others = new Map<string, Other>()
  let latest: ReadonlyMap<string, Shared> = new Map()
  let beat = 0
  let written = ''
  let writtenAt = -Infinity
  let wasWaiting = false
  let isFailing = false
  let wake: (() => void) | null = null
  let exchanging: Promise<void> | null = null

  function publish(shared: ReadonlyMap<string, Shared>): void {
    latest = shared
    const isWaiting = [...shared.values()].some(({ measure }) => measure.waiting > 0)
    if (isWaiting && !wasWaiting) wake?.()
    wasWaiting = isWaiting
  }

  async function write(isUrgent: boolean): Promise<void> {
    const told = isActing() ? onlyAsked(latest) : latest
    const text = JSON.stringify(toRecord(told))
    const passed = world.now() - writtenAt
    const isDue = text === written ? passed >= ALIVE_MS : isUrgent || passed >= WRITE_EVERY_MS
    if (!isDue || (told.size === 0 && written === '')) return
    if (text.length > MAX_CHARS) {
      throw new Error(`what is measured of ${told.size} backends is too much for one key`)
    }
    await keys.put(own, JSON.stringify({ beat: ++beat, backends: toRecord(told) }), {})
    // A record without content is not repeated.
    written = told.size === 0 ? '' : text
    writtenAt = world.now()
  }

  async function read(): Promise<void> {
    const now = world.now()
    const found = new Set<string>()
    for (const key of (await keys.list(FOLDER)).slice(0, MAX_INSTANCES)) {
      if (key.path === own || !key.path.startsWith(FOLDER)) continue
      found.add(key.path)
      const known = others.get(key.path)
      if (known?.revision !== key.revision) {
        const shared = readRecord(key)
        others.set(key.path, { revision: key.revision, at: now, shared })
        for (const backend of waitingIn(shared, known?.shared)) options.onWaiting?.(backend)
      } else if (now - known.at >= GONE_MS) {
        await keys.delete(key.path, { expected: key.revision }).catch(() => {})
      }
    }
    for (const path of others.keys()) if (!found.has(path)) others.delete(path)
  }

  async function turn(isUrgent: boolean): Promise<void> {
    try {
      await write(isUrgent)
      if (isActing()) await read()
      isFailing = false
    } catch (error) {
      const reason = messageOf(error)
      if (!isFailing) log.warn({}, `the instances cannot exchange what they measure: ${reason}`)
      isFailing = true
    }
  }

  async function keepExchanging(): Promise<void> {
    let isUrgent = false
    while (!stopping.signal.aborted) {
      await turn(isUrgent)
      const woken = new Promise<boolean>((resolve) => (wake = () => resolve(true)))
      const slept = world.sleep(POLL_MS, stopping.signal).then(() => false)
      isUrgent = await Promise.race([woken, slept])
      slept.catch(() => {})
    }
  }

  return {
    begin() {
      exchanging ??= keepExchanging().catch(() => {})
    },
    publish,
    others(backend) {
      const now = world.now()
      return [...others.values()].flatMap(({ at, shared }) => {
        const one = now - at < DEAD_MS ? shared.get(backend) : undefined
        return one === undefined ? [] : [one]
      })
    },
    async close() {
      stopping.abort()
      await exchanging
      if (beat === 0) return
      const ended = new AbortController()
      const late = world.sleep(REMOVE_WITHIN_MS, ended.signal).catch(() => {})
      await Promise.race([keys.delete(own, {}).catch(() => false), late])
      ended.abort()
    },
  }
}

/** Where none waited before. */
function waitingIn(
  shared: ReadonlyMap<string, Shared>,
  before: ReadonlyMap<string, Shared> | undefined,
): readonly string[] {
  const waited = (backend: string): boolean => (before?.get(backend)?.measure.waiting ?? 0) > 0
  return [...shared].flatMap(([backend, { measure }]) =>
    measure.waiting > 0 && !waited(backend) ? backend : [],
  )
}

/** The instance that acts needs no record of what it has measured itself. */
function onlyAsked(all: ReadonlyMap<string, Shared>): ReadonlyMap<string, Shared> {
  const asked = [...all].filter(([, shared]) => shared.asked !== null)
  return new Map(asked.map(([backend, { asked }]) => [backend, { measure: NO_MEASURE, asked }]))
}

function toRecord(shared: ReadonlyMap<string, Shared>): object {
  return Object.fromEntries(shared)
}

/** Of another instance, perhaps of another version: what is not understood is left out. */
function readRecord({ text }: StoredKey): ReadonlyMap<string, Shared> {
  let value: unknown = null
  try {
    if (text.length <= 2 * MAX_CHARS) value = JSON.parse(text)
  } catch {
    // As if it had measured nothing.
  }
  const backends = isMap(value) && isMap(value['backends']) ? value['backends'] : {}
  const read = Object.entries(backends)
    .slice(0, MAX_BACKENDS)
    .flatMap(([backend, shared]) => {
      const one = isMap(shared) ? readShared(shared) : null
      return one === null ? [] : [[backend, one] as const]
    })
  return new Map(read)
}

function readShared({ measure, asked }: JsonMap): Shared | null {
  if (!isMap(measure)) return null
  const { concurrency, rps, errors, waiting, durations } = measure
  const counts = Array.isArray(durations) ? (durations as readonly unknown[]) : []
  return {
    measure: {
      concurrency: amount(concurrency),
      rps: amount(rps),
      errors: amount(errors),
      waiting: amount(waiting),
      durations: counts.slice(0, MAX_BUCKETS).map(amount),
    },
    asked: isMap(asked) ? readAsked(asked) : null,
  }
}

function readAsked({ replicas, leftMs }: JsonMap): Shared['asked'] {
  const isNumber = typeof replicas === 'number' && Number.isSafeInteger(replicas) && replicas >= 0
  return isNumber ? { replicas, leftMs: leftMs === null ? null : amount(leftMs) } : null
}

function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
}
