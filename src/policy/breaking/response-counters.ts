/**
 * What the condition of a breaker counts: responses of a kind. Each thread counts in plain cells of its own, and the health
 * monitor reads the sums: so a counter is exact over a rolling window and over all threads.
 */
import { COUNT } from '../../scoreboard/layout.ts'
import type { Slot } from '../../scoreboard/scoreboard.ts'

export type ResponseCounter =
  | { readonly kind: 'responses' }
  /** See `isNetworkError`. */
  | { readonly kind: 'networkErrors' }
  /** `to` is exclusive. */
  | { readonly kind: 'status'; readonly from: number; readonly to: number }
  /** Responses that took longer than this; `orAs`: or as long. */
  | { readonly kind: 'slower'; readonly thanMs: number; readonly orAs: boolean }

/** As many as a slot has columns below `connections`, without `inFlight` and `underWay`, which go when a thread dies. */
export const MAX_RESPONSE_COUNTERS: number = COUNT.connections - 2

/** The column of a counter. The columns of `inFlight` and `underWay` are left out. */
export function columnOf(counter: number): number {
  return counter < COUNT.inFlight ? counter : counter + 2
}

/** As in vulcand: also if a server sent that status itself. */
export function isNetworkError(status: number): boolean {
  return status === 502 || status === 504
}

/** Counts one response. Called for every request of a route (or to a server) that has a breaker: it allocates nothing. */
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
    case 'responses':
      return true
    case 'networkErrors':
      return isNetworkError(status)
    case 'status':
      return status >= counter.from && status < counter.to
    case 'slower':
      return headMs > counter.thanMs || (counter.orAs && headMs === counter.thanMs)
  }
}
