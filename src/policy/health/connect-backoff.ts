/**
 * The back-off of a server that cannot be connected to: it is passed over for 1 s, doubling to 30 s with every further failure.
 * Kept in its slot, in tenths of a second of the board's clock, modulo 2^32: 13 years of tenths.
 */
const FIRST_TENTHS = 10
const LONGEST_TENTHS = 300

/** SHARED.restUntil after one more failure. */
export function backoffUntil(failuresBefore: number, now: number): number {
  return tenths(now) + Math.min(LONGEST_TENTHS, FIRST_TENTHS * 2 ** Math.min(failuresBefore, 8))
}

/** How long a server is passed over yet, ms; 0: it is not. `now`: ms of the board's clock. */
export function backoffLeftMs(until: number, now: number): number {
  if (until === 0) return 0
  const left = (until - tenths(now)) | 0
  return left > 0 && left <= LONGEST_TENTHS ? left * 100 : 0
}

function tenths(now: number): number {
  return Math.floor(now / 100)
}
