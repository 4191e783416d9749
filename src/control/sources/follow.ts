/**
 * Watches one source for ever. A source that is lost is watched again after a while, and what it declared last stays as
 * it is meanwhile, for as long as it takes.
 *
 *   connecting   nothing read yet, also after failed attempts (`error` says why)
 *   live         what is in force is current
 *   stale        lost, or unreadable: the last declaration stays
 *   syncing      watching again after a loss, no answer yet
 *   failed       the source is there and does not let us in; tried again all the same, seldom
 */
import type { Problem } from '../../model/problem.ts'
import { SourceRefused } from '../../providers/provider.ts'
import type { Declaration, Provider, Unreadable } from '../../providers/provider.ts'

export type SourceState = 'connecting' | 'syncing' | 'live' | 'stale' | 'failed'

export interface SourceStatus {
  readonly name: string
  readonly state: SourceState
  /** Since when, ms since the epoch. */
  readonly since: number
  /** Of the last declaration, null before the first. */
  readonly revision: string | null
  /** Why the source is not live. */
  readonly error: string | null
  /** How often it was lost, or could not be reached, since the start. */
  readonly losses: number
  /** Objects that it said had changed, one by one. */
  readonly events: number
  /** How often it was listed, by reason. */
  readonly resyncs: Readonly<Record<string, number>>
  /** Of the last list and the last event, ms since the epoch; null before the first. */
  readonly lastSyncAt: number | null
  readonly lastEventAt: number | null
}

export interface FollowOptions {
  readonly signal: AbortSignal
  /** ms of a clock that never jumps: what is waited for. */
  readonly now: () => number
  /** ms since the epoch: what people read. */
  readonly date: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** Resolves after the time, or when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  readonly onDeclaration: (declaration: Declaration) => void
  /** The source is there but cannot be read. */
  readonly onUnreadable: (reading: Unreadable) => void
  readonly onLost: (error: Error) => void
}

export interface Follower {
  status(): SourceStatus
  /** Settles when the signal has aborted and the provider has let go. */
  readonly done: Promise<void>
}

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5000
/** A watch that lasted as long as the longest wait was a good one: however it ends, its source is not asked more often. */
const GOOD_WATCH_MS = MAX_DELAY_MS
/** Every reason is a label of a metric. */
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
    /** In a row, without a good watch between them. */
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
      // One that was refused is so until it lets us in.
      if (status.state === 'stale') enter('syncing', status.error)
    }
  }

  return {
    status: () => ({ ...status, resyncs: Object.fromEntries(resyncs) }),
    done: follow(),
  }
}

// Anywhere between the floor and a ceiling that doubles: many proxies that lost one registry do not come back as one.
function delayMs(losses: number, random: () => number): number {
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (losses + 1))
  return FIRST_DELAY_MS + random() * (ceiling - FIRST_DELAY_MS)
}

// Registries lock out who comes too often with a wrong password.
function refusedDelayMs(random: () => number): number {
  return (MAX_DELAY_MS / 2) * (1 + random())
}

function describe(problems: readonly Problem[]): string {
  return problems.map((problem) => problem.message).join('; ')
}
