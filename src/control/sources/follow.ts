/**
 * Watches one source until it is stopped. A lost source is watched again with back-off and jitter; meanwhile its last
 * declaration stays.
 *
 *   connecting   nothing read yet, also after failed attempts (`error` has the reason)
 *   live         the last declaration is current
 *   stale        lost or unreadable: the last declaration stays
 *   syncing      watching again after a loss, nothing read yet
 *   failed       the source refuses access; retried, but less often
 */
import { exponentialBackoff } from '../../model/backoff.ts'
import type { Problem } from '../../model/problem.ts'
import type { SourceState } from '../../observe/reports/source-report.ts'
import {
  SourceRefused,
  type Declaration,
  type Provider,
  type Unreadable,
} from '../../providers/provider.ts'

export interface SourceStatus {
  readonly name: string
  readonly state: SourceState
  /** When it entered the state, ms since the epoch. */
  readonly since: number
  /** Of the last declaration, null before the first. */
  readonly revision: string | null
  /** Why the source is not live. */
  readonly error: string | null
  /** How often it was lost, or could not be reached, since the start. */
  readonly losses: number
  /** Changes of single objects. */
  readonly events: number
  /** How often it was listed, by reason. */
  readonly resyncs: Readonly<Record<string, number>>
  /** The times of the last list and the last change, ms since the epoch; null before the first. */
  readonly lastSyncAt: number | null
  readonly lastEventAt: number | null
}

export interface FollowOptions {
  readonly signal: AbortSignal
  /** ms of a monotonic clock, for delays. */
  readonly now: () => number
  /** ms since the epoch, for reports. */
  readonly date: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** Resolves after the time, or when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  readonly onDeclaration: (declaration: Declaration) => void
  /** The source is reachable and cannot be read. */
  readonly onUnreadable: (reading: Unreadable) => void
  readonly onLost: (error: Error) => void
}

export interface Follower {
  status(): SourceStatus
  /** Settles once the signal has aborted and the provider has returned. */
  readonly done: Promise<void>
}

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5000
/** A watch that lasts this long resets the back-off. It is the longest delay, so that the source gets no more requests. */
const GOOD_WATCH_MS = MAX_DELAY_MS
/** Each reason is a label of a metric. */
const MAX_REASONS = 16

export function followProvider(provider: Provider, options: FollowOptions): Follower {
  const { signal, now, date, random, sleep } = options
  const resyncs = new Map<string, number>()
  let status: Omit<SourceStatus, 'resyncs'> = {
    name: provider.name,
    state: 'connecting',
    since: date(),
    revision: null,
    error: null,
    losses: 0,
    events: 0,
    lastSyncAt: null,
    lastEventAt: null,
  }

  function enter(state: SourceState, error: string | null): void {
    const since = state === status.state ? status.since : date()
    status = { ...status, state, since, error }
  }

  function take(reading: Declaration | Unreadable): void {
    if (!reading.readable) {
      enter('stale', describe(reading.problems))
      options.onUnreadable(reading)
      return
    }
    count(reading)
    enter('live', null)
    options.onDeclaration(reading)
  }

  function count({ revision, changes, listed }: Declaration): void {
    status = { ...status, revision }
    if (changes === null) {
      status = { ...status, lastSyncAt: date() }
    } else {
      const events = status.events + changes.upserts.length + changes.deletes.length
      status = { ...status, events, lastEventAt: date() }
    }
    if (listed === null) return
    const reason = resyncs.has(listed) || resyncs.size < MAX_REASONS - 1 ? listed : 'other'
    resyncs.set(reason, (resyncs.get(reason) ?? 0) + 1)
  }

  function lose(error: Error): void {
    status = { ...status, losses: status.losses + 1 }
    const lost = status.revision === null ? 'connecting' : 'stale'
    enter(error instanceof SourceRefused ? 'failed' : lost, error.message)
    options.onLost(error)
  }

  async function follow(): Promise<void> {
    /** Since the last good watch. */
    let losses = 0
    while (!signal.aborted) {
      let firstAt: number | null = null
      let isRefused = false
      try {
        for await (const reading of provider.watch(signal)) {
          firstAt ??= now()
          take(reading)
        }
        if (signal.aborted) return
        throw new Error(`source "${provider.name}" ended`)
      } catch (cause) {
        if (signal.aborted) return
        if (firstAt !== null && now() - firstAt >= GOOD_WATCH_MS) losses = 0
        isRefused = cause instanceof SourceRefused
        lose(cause instanceof Error ? cause : new Error(String(cause), { cause }))
      }
      await sleep(isRefused ? refusedDelayMs(random) : delayMs(losses, random), signal)
      losses++
      // A refused source stays `failed` until it responds.
      if (status.state === 'stale') enter('syncing', status.error)
    }
  }

  return {
    status: () => ({ ...status, resyncs: Object.fromEntries(resyncs) }),
    done: follow(),
  }
}

// A random delay below a ceiling that doubles, so that many proxies do not return to one registry at the same time.
function delayMs(losses: number, random: () => number): number {
  const ceiling = exponentialBackoff(FIRST_DELAY_MS, losses + 1, MAX_DELAY_MS)
  return FIRST_DELAY_MS + random() * (ceiling - FIRST_DELAY_MS)
}

// Registries lock out clients that try a wrong password too often.
function refusedDelayMs(random: () => number): number {
  return (MAX_DELAY_MS / 2) * (1 + random())
}

function describe(problems: readonly Problem[]): string {
  return problems.map((problem) => problem.message).join('; ')
}
