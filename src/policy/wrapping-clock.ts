/**
 * The clock of the scoreboard in an Int32 cell. It wraps after 49.7 days, and its sign changes after 24.8, so the difference of
 * two readings is taken modulo 2^32, and readings are never compared. Silence of a multiple of 49.7 days looks like a moment.
 */

/** Another thread may have read the clock a little later than this one: then 0 ms have passed, not 49.7 days. */
const SKEW_MS = 5_000

/** A time in ms as a cell holds it. */
export function toCell(nowMs: number): number {
  return Math.trunc(nowMs) | 0
}

/** ms from the time in a cell to now, 0 to 49.7 days. */
export function msSince(cell: number, nowMs: number): number {
  const elapsed = (toCell(nowMs) - cell) >>> 0
  return elapsed > 2 ** 32 - SKEW_MS ? 0 : elapsed
}
