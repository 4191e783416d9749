/**
 * How long a serving thread that has died waits before it is started again. The first time not at all; one that dies again and
 * again waits longer each time, until it has served for a while. To have applied a part of the table is not to have served: what
 * kills it may stand in the next part.
 */
export interface Restarts {
  /** It has applied something. */
  serves(thread: number, now: number): void
  /** It has died. Answers the pause, ms. */
  died(thread: number, now: number): number
}

/** One that served for less is not restarted at once. */
const YOUNG_MS = 5_000
const LONGEST_PAUSE_MS = 5_000

/** Times are of a monotonic clock. */
export function createRestarts(): Restarts {
  const servedSince = new Map<number, number>()
  /** In a row. */
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
      return deaths <= 1 ? 0 : Math.min(LONGEST_PAUSE_MS, 100 * 2 ** deaths)
    },
  }
}
