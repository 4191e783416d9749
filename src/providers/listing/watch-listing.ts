/**
 * The loop of a source that can only be read as a whole, with events as hints: subscribe first, list second, and list again
 * on every hint. So no change is missed, also if events are missing.
 */
import { createNotifier } from '../notifier.ts'
import type { Declaration } from '../provider.ts'
import { createObjectMirror, type Listed } from './object-mirror.ts'

export interface ListingSource {
  /**
   * Resolves when events are delivered; null: the source has none and is polled. `onHint`: something may have changed. `onEnd`:
   * events end, so the source is lost. Subscriptions and lists end with the signal.
   */
  readonly subscribe:
    | ((onHint: () => void, onEnd: (error: Error) => void, signal: AbortSignal) => Promise<void>)
    | null
  /** Rejects if the source is lost. One list at a time. */
  readonly list: (signal: AbortSignal) => Promise<Listed>
}

export interface ListingOptions {
  readonly signal: AbortSignal
  /** Of the provider: its `reload` calls each of them. */
  readonly reloads: Set<() => void>
  /** Between periodic lists, within a tenth. */
  readonly reconcileMs: number
  /** Why a periodic list is declared, see Declaration; null: as single changes. `reconcile` by default. */
  readonly reconcileAs?: string | null
  /** What is not listed any more after a hint has stopped, see Changes. False by default. */
  readonly haveStopped?: boolean
  /** After a hint, for more of them; 20 ms by default. The wait is ten times as long at most. */
  readonly quietMs?: number
  /** performance.now(). */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

const QUIET_MS = 20
const MOST_QUIETS = 10

/**
 * A list after a hint is declared as single changes, because the source has just reported them; the first list, a periodic
 * one and one that was asked for are declared as lists.
 */
export async function* watchListing(
  source: ListingSource,
  options: ListingOptions,
): AsyncGenerator<Declaration, void, undefined> {
  const { signal, reloads, reconcileMs, reconcileAs = 'reconcile', quietMs = QUIET_MS } = options
  const { now = () => performance.now(), random = Math.random } = options
  if (signal.aborted) return
  const ending = new AbortController()
  const notifier = createNotifier()
  const mirror = createObjectMirror(options.haveStopped)
  const whole = AbortSignal.any([signal, ending.signal])
  const state: {
    failure: Error | null
    hintedAt: number | null
    isAsked: boolean
    isDue: boolean
  } = { failure: null, hintedAt: null, isAsked: false, isDue: false }

  const onHint = (): void => {
    state.hintedAt ??= now()
    notifier.notify()
  }
  const onEnd = (error: Error): void => {
    state.failure ??= error
    // A list under way would wait for its own time limit.
    ending.abort(error)
    notifier.notify()
  }
  const onAsked = (): void => {
    state.isAsked = true
    notifier.notify()
  }
  const onDue = (): void => {
    state.isDue = true
    notifier.notify()
  }
  const timer = setInterval(onDue, reconcileMs * (0.9 + random() * 0.2))
  reloads.add(onAsked)
  signal.addEventListener('abort', notifier.notify)

  /** Waits for more hints, but not for long. */
  async function settle(): Promise<void> {
    const until = now() + quietMs * MOST_QUIETS
    while (!signal.aborted && state.failure === null && !state.isAsked) {
      const left = until - now()
      if (left <= 0 || !(await notifier.wait(Math.min(quietMs, left)))) return
    }
  }

  /** Null if the signal aborted. */
  async function list(): Promise<Listed | null> {
    try {
      return await source.list(whole)
    } catch (error) {
      if (signal.aborted) return null
      throw state.failure ?? error
    }
  }

  try {
    const startedAt = now()
    const isSubscribed = await subscribe(source, onHint, onEnd, whole, signal)
    const first = isSubscribed ? await list() : null
    if (first === null) return
    yield mirror.declare(first, first.hasGoneBack === true ? 'rewound' : 'first', startedAt)
    while (!signal.aborted) {
      await notifier.wait()
      if (signal.aborted) return
      if (state.hintedAt !== null) await settle()
      if (signal.aborted) return
      if (state.failure !== null) throw state.failure
      const { hintedAt, isAsked, isDue } = state
      if (hintedAt === null && !isAsked && !isDue) continue
      state.hintedAt = null
      state.isAsked = state.isDue = false
      const startedAt = hintedAt ?? now()
      const listed = await list()
      if (listed === null) return
      const why = isAsked ? 'asked' : hintedAt === null ? reconcileAs : null
      const declared = listed.hasGoneBack === true ? 'rewound' : why
      const declaration = mirror.declare(listed, declared, startedAt)
      if (mirror.hasNews) yield declaration
    }
  } finally {
    clearInterval(timer)
    signal.removeEventListener('abort', notifier.notify)
    reloads.delete(onAsked)
    ending.abort()
  }
}

/** False if the signal aborted. */
async function subscribe(
  { subscribe: begin }: ListingSource,
  onHint: () => void,
  onEnd: (error: Error) => void,
  whole: AbortSignal,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await begin?.(onHint, onEnd, whole)
    return !signal.aborted
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
