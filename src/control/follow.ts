/**
 * Watches one source for ever. A source that is lost is watched again after a while, and what it declared last stays as
 * it is meanwhile, for as long as it takes.
 *
 *   connecting   nothing read yet               failed    lost before anything was read, trying again
 *   live         what is in force is current    stale     lost, or unreadable: the last declaration stays
 *                                               syncing   watching again after a loss, no answer yet
 */
import type { Problem } from '../model/problem.ts'
import type { Declaration, Provider, Unreadable } from '../providers/provider.ts'

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
}

export interface FollowOptions {
  readonly signal: AbortSignal
  readonly now: () => number
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

const firstDelayMs = 100
const lastDelayMs = 5000

export function followProvider(provider: Provider, options: FollowOptions): Follower {
  const { signal, now, random, sleep } = options
  let status: SourceStatus = {
    name: provider.name,
    state: 'connecting',
    since: now(),
    revision: null,
    error: null,
  }

  function enter(state: SourceState, error: string | null, revision = status.revision): void {
    const since = state === status.state ? status.since : now()
    status = { name: provider.name, state, since, revision, error }
  }

  function take(reading: Declaration | Unreadable): void {
    if (reading.readable) {
      enter('live', null, reading.revision)
      options.onDeclaration(reading)
    } else {
      enter('stale', describe(reading.problems))
      options.onUnreadable(reading)
    }
  }

  async function follow(): Promise<void> {
    let losses = 0
    while (!signal.aborted) {
      try {
        for await (const reading of provider.watch(signal)) {
          losses = 0
          take(reading)
        }
        if (signal.aborted) return
        throw new Error(`source "${provider.name}" ended`)
      } catch (cause) {
        if (signal.aborted) return
        const error = cause instanceof Error ? cause : new Error(String(cause), { cause })
        enter(status.revision === null ? 'failed' : 'stale', error.message)
        options.onLost(error)
      }
      await sleep(delayMs(losses++, random), signal)
      if (status.revision !== null) enter('syncing', status.error)
    }
  }

  return { status: () => status, done: follow() }
}

// Anywhere between the floor and a ceiling that doubles: many proxies that lost one registry do not come back as one.
function delayMs(losses: number, random: () => number): number {
  const ceiling = Math.min(lastDelayMs, firstDelayMs * 2 ** (losses + 1))
  return firstDelayMs + random() * (ceiling - firstDelayMs)
}

function describe(problems: readonly Problem[]): string {
  return problems.map((problem) => problem.message).join('; ')
}
