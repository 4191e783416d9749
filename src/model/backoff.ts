/**
 * Exponential backoff: `first`, doubled `times` times, at most `longest`, in the unit of both. Jitter is added by the caller, if its
 * waits must not end together.
 */
export function exponentialBackoff(first: number, times: number, longest: number): number {
  return Math.min(longest, first * 2 ** times)
}
