/**
 * Waits for the end of writes. A half-written file would remove routes, so it is read only after writes have stopped for a
 * moment, and a file that looks unfinished is read again for a while before its content counts.
 */
import type { Notifier } from '../notifier.ts'

/** Without a change for this long, writes have stopped. */
const QUIET_MS = 15
/** The longest wait for the end of writes. */
const MAX_BUSY_MS = 50

/** A file that got shorter in place may be half written: it must stay unchanged for this much longer. */
export const SHORTER_MS = 30
/** An unfinished file is read again for this long, at this interval; up to the last one while it still changes. */
export const UNFINISHED_MS = 250
export const RETRY_MS = 25
export const CHANGING_MS = 1000
/** For changes without events: on network file systems, or of a directory further up. */
export const POLL_INTERVAL_MS = 1000

/** Resolves when notifications have stopped, or when `isUrgent` returns true. */
export async function debounce(notifier: Notifier, isUrgent: () => boolean): Promise<void> {
  const until = performance.now() + MAX_BUSY_MS
  while (!isUrgent() && performance.now() < until) {
    if (!(await notifier.wait(Math.min(QUIET_MS, until - performance.now())))) return
  }
}
