/**
 * How soon a resource that changed is read again. Each read returns all of it, however little has changed, so reads of a large
 * resource must not take this thread from everything else. A change after a quiet time never waits.
 */

/** Of this thread, for all reads of one resource. */
const SHARE = 0.15
/** What a quiet time saves up, in ms of this thread. */
const MAX_CREDIT_MS = 100
/** Between a response and the next request; consul's advice is to limit the rate of blocking queries. */
const LEAST_REST_MS = 20
const MOST_REST_MS = 5_000

export interface Pace {
  /** After a read that took this thread so long; returns how long to rest. */
  restAfter(costMs: number): number
}

export function createPace(now: () => number): Pace {
  let creditMs = MAX_CREDIT_MS
  let at = now()

  return {
    restAfter(costMs) {
      const then = now()
      creditMs = Math.min(MAX_CREDIT_MS, creditMs + (then - at) * SHARE) - costMs
      at = then
      const restMs = creditMs >= 0 ? 0 : -creditMs / SHARE
      return Math.min(MOST_REST_MS, Math.max(LEAST_REST_MS, restMs))
    },
  }
}
