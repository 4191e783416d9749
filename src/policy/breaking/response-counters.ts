/**
 * What a condition is decided by: how many answers were of a kind. Each thread counts them in plain cells of its own, the
 * control plane takes differences of their sums: so every measure is exact over a rolling window and over all threads.
 */
import { COUNT } from '../../scoreboard/layout.ts'
import type { Slot } from '../../scoreboard/scoreboard.ts'

export type ResponseCounter =
  | { readonly kind: 'answers' }
  /** Those of `isNetworkError`. */
  | { readonly kind: 'networkErrors' }
  /** `to` is out. */
  | { readonly kind: 'status'; readonly from: number; readonly to: number }
  /** Answers that took longer than this, `orAs`: or as long. */
  | { readonly kind: 'slower'; readonly thanMs: number; readonly orAs: boolean }

/** As many as a slot has columns for: below the last one that a thread's death takes back, and without the other one. */
export const MAX_RESPONSE_COUNTERS: number = COUNT.connections - 1

/** Where a measure stands in its slot: what is under way of a breaker is counted beside it. */
export function columnOf(counter: number): number {
  return counter < COUNT.inFlight ? counter : counter + 1
}

/** As vulcand has it: also when a server itself answers so. */
export function isNetworkError(status: number): boolean {
  return status === 502 || status === 504
}

/** One answer has come to its end. Called for every request of a route (or to a server) that has a breaker: no allocation. */
export function countResponse(
  counters: readonly ResponseCounter[],
  slot: Slot,
  status: number,
  headMs: number,
): void {
  const { counts, base } = slot
  for (let at = 0; at < counters.length; at++) {
    const counter = counters[at]
    if (counter === undefined || !isCounted(counter, status, headMs)) continue
    const cell = base + columnOf(at)
    counts[cell] = (counts[cell] ?? 0) + 1
  }
}

export function isCounted(counter: ResponseCounter, status: number, headMs: number): boolean {
  switch (counter.kind) {
    case 'answers':
      return true
    case 'networkErrors':
      return isNetworkError(status)
    case 'status':
      return status >= counter.from && status < counter.to
    case 'slower':
      return headMs > counter.thanMs || (counter.orAs && headMs === counter.thanMs)
  }
}
