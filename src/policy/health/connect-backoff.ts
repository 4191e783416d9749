/**
 * The backoff of a server that cannot be connected to: it is passed over for 1 s, doubling to 30 s with every further failure.
 * Its cell has tenths of a second of the scoreboard's clock, modulo 2^32, which is 13 years.
 */
import { exponentialBackoff } from '../../model/backoff.ts'

const FIRST_TENTHS = 10
const MAX_TENTHS = 300

/** The value of SHARED.backoffUntil after one more failure. `now`: ms of the scoreboard's clock. */
export function backoffUntil(failuresBefore: number, now: number): number {
  return tenths(now) + exponentialBackoff(FIRST_TENTHS, failuresBefore, MAX_TENTHS)
}

/** How long a server is still passed over, ms; 0: it is not. `now`: ms of the scoreboard's clock. */
export function backoffLeftMs(until: number, now: number): number {
  if (until === 0) return 0
  const left = (until - tenths(now)) | 0
  return left > 0 && left <= MAX_TENTHS ? left * 100 : 0
}

function tenths(now: number): number {
  return Math.floor(now / 100)
}
