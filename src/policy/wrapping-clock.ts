/**
 * The board's clock in an Int32 cell. It wraps after 49.7 days and its sign turns after 24.8, so a difference of two readings is
 * taken modulo 2^32 and never compared as it is. What was quiet for a multiple of 49.7 days looks quiet for a moment only.
 */

/** Another thread may have read the clock a little later than this one: nothing has passed, and not 49.7 days. */
const SKEW_MS = 5_000

/** A reading, ms, as a cell holds it. */
export function toCell(nowMs: number): number {
  return Math.trunc(nowMs) | 0
}

/** ms from the reading in a cell to now, 0 to 49.7 days. */
export function msSince(cell: number, nowMs: number): number {
  const elapsed = (toCell(nowMs) - cell) >>> 0
  return elapsed > 2 ** 32 - SKEW_MS ? 0 : elapsed
}
