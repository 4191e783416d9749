/**
 * The names of all backends, looked up again and again by their TTL. Each name has a lookup of its own at a time, and those that
 * failed last have a limit of their own, so that dead names do not delay the others.
 *
 *   pending   not looked up yet, or again because a list was requested
 *   found     by the last lookup
 *   none      DNS has no server for it, by the last lookup
 *   failed    the last lookup failed: `servers` are those of the last good one
 */
import { exponentialBackoff } from '../../model/backoff.ts'
import type { FoundServers, LookedUp, LookUp } from './look-up.ts'
import type { DnsBackend } from './source.ts'

export interface FollowedBackend {
  readonly backend: DnsBackend
  readonly state: 'pending' | LookedUp['kind']
  readonly servers: FoundServers
  /** Why it has no servers, or why the last lookup failed. */
  readonly reason: string | null
  readonly remarks: readonly string[]
}

export interface FollowOptions {
  readonly lookUp: LookUp
  readonly minTtlMs: number
  readonly maxTtlMs: number
  readonly signal: AbortSignal
  /** A lookup ended. */
  readonly onLookedUp: () => void
}

export interface FollowedBackends {
  all(): readonly FollowedBackend[]
  /** Looks all of them up now; each is `pending` until it is. */
  lookUpAll(): void
}

/** For answers without a TTL. */
const DEFAULT_TTL_MS = 10_000
const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 10_000
const MOST_LOOKUPS = 128
const MOST_SUSPECTS = 32

interface Entry {
  readonly backend: DnsBackend
  followed: FollowedBackend
  /** Of performance.now(). */
  dueAt: number
  failures: number
  isLookedUp: boolean
  /** A list was requested during the lookup. */
  isStale: boolean
}

export function followBackends(
  backends: readonly DnsBackend[],
  options: FollowOptions,
): FollowedBackends {
  const { lookUp, minTtlMs, maxTtlMs, signal, onLookedUp } = options
  const entries = backends.map((backend): Entry => {
    const followed = {
      backend,
      state: 'pending',
      servers: NONE,
      reason: null,
      remarks: [],
    } as const
    return { backend, followed, dueAt: 0, failures: 0, isLookedUp: false, isStale: false }
  })
  const underWay = { all: 0, suspects: 0 }
  let timer: NodeJS.Timeout | null = null
  signal.addEventListener('abort', () => {
    if (timer !== null) clearTimeout(timer)
  })

  /** Starts what is due, and waits for the rest. The end of a lookup calls it again. */
  function lookUpDue(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (signal.aborted) return
    const now = performance.now()
    let next = Infinity
    for (const entry of entries) {
      if (entry.isLookedUp) continue
      if (entry.dueAt > now) next = Math.min(next, entry.dueAt)
      else start(entry)
    }
    if (next !== Infinity) timer = setTimeout(lookUpDue, Math.max(1, next - now))
  }

  function start(entry: Entry): void {
    const isSuspect = entry.failures > 0
    if (underWay.all >= MOST_LOOKUPS) return
    if (isSuspect && underWay.suspects >= MOST_SUSPECTS) return
    entry.isLookedUp = true
    entry.isStale = false
    underWay.all++
    if (isSuspect) underWay.suspects++
    // A fault in a lookup must not end the program.
    const ended = lookUp(entry.backend, signal).catch((error: unknown): LookedUp => {
      return { kind: 'failed', reason: String(error) }
    })
    void ended.then((result) => {
      underWay.all--
      if (isSuspect) underWay.suspects--
      entry.isLookedUp = false
      if (signal.aborted) return
      if (entry.isStale) entry.dueAt = 0
      else take(entry, result)
      lookUpDue()
      onLookedUp()
    })
  }

  function take(entry: Entry, result: LookedUp): void {
    const { backend } = entry
    const { servers } = entry.followed
    const now = performance.now()
    if (result.kind === 'found') {
      const { kind: state, ttlMs, remarks } = result
      entry.followed = { backend, state, servers: result.servers, reason: null, remarks }
      entry.failures = 0
      entry.dueAt = now + Math.max(minTtlMs, Math.min(maxTtlMs, ttlMs ?? DEFAULT_TTL_MS))
      return
    }
    const { kind: state, reason } = result
    const last = state === 'none' ? NONE : servers
    entry.followed = { backend, state, servers: last, reason, remarks: [] }
    const wait = exponentialBackoff(FIRST_RETRY_MS, entry.failures++, LONGEST_RETRY_MS)
    entry.dueAt = now + wait * (0.9 + 0.2 * Math.random())
  }

  lookUpDue()
  return {
    all: () => entries.map(({ followed }) => followed),
    lookUpAll() {
      for (const entry of entries) {
        entry.dueAt = 0
        entry.isStale = entry.isLookedUp
        entry.followed = { ...entry.followed, state: 'pending' }
      }
      lookUpDue()
    },
  }
}

const NONE: FoundServers = new Map()
