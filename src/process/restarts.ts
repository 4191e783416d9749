/**
 * How long a serving thread that has died waits before it is started again. The first time it does not wait; if it dies
 * repeatedly, the pause grows until it has served for a while. That it has applied a part of the table is not enough: the next
 * part may hold what kills it.
 */
import { exponentialBackoff } from '../model/backoff.ts'

export interface Restarts {
  /** The thread has applied a change. */
  serves(thread: number, now: number): void
  /** The thread has died; returns the pause, ms. */
  died(thread: number, now: number): number
}

/** A thread that served for less counts as a quick death. */
const YOUNG_MS = 5_000
const LONGEST_PAUSE_MS = 5_000

/** Times are ms of a monotonic clock. */
export function createRestarts(): Restarts {
  const servedSince = new Map<number, number>()
  /** Consecutive quick deaths. */
  const quickDeaths = new Map<number, number>()

  return {
    serves(thread, now) {
      if (!servedSince.has(thread)) servedSince.set(thread, now)
    },
    died(thread, now) {
      const servedMs = now - (servedSince.get(thread) ?? now)
      servedSince.delete(thread)
      const deaths = servedMs < YOUNG_MS ? (quickDeaths.get(thread) ?? 0) + 1 : 0
      quickDeaths.set(thread, deaths)
      return deaths <= 1 ? 0 : exponentialBackoff(100, deaths, LONGEST_PAUSE_MS)
    },
  }
}
