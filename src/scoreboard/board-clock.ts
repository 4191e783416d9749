/**
 * The clock that all threads agree on: ms since the scoreboard began. Of the system's monotonic time, which a change of the
 * date does not move; a thread's own `performance.now()` begins elsewhere in each.
 */

/** Now, as the scoreboard's beginning is noted. */
export function systemMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** The board's time in this thread, in ms. One system call, as performance.now(). */
export function openBoardClock(beganAt: number): () => number {
  const offset = systemMs() - performance.now() - beganAt
  return () => performance.now() + offset
}
