/**
 * The clock that all threads share: ms since the scoreboard was created, by the system's monotonic time, which does not change with
 * the date. `performance.now()` has another origin in each thread.
 */

/** The monotonic time in which the scoreboard's creation is recorded. */
export function systemMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** The board's time in this thread, in ms. One system call, as performance.now(). */
export function openBoardClock(beganAt: number): () => number {
  const offset = systemMs() - performance.now() - beganAt
  return () => performance.now() + offset
}
