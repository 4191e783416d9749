/**
 * Writing takes time, and a half-written file looks like one that takes routes away. So a reading waits until writes have
 * stopped for a moment, and what looks unfinished is looked at again for a while before it is believed.
 */
import type { Notifier } from '../notifier.ts'

/** Writes have stopped when nothing was heard for this long ... */
const quietMs = 15
/** ... and are not waited for any longer than this. */
const busyMs = 50

/** A file that got shorter in place may be half written: it must stay as it is for this much longer. */
export const shorterMs = 30
/** An unfinished file may become whole for this long, looked at this often; for longer while it goes on changing. */
export const unfinishedMs = 250
export const lookAgainMs = 25
export const changingMs = 1000
/** For what no event tells: network filesystems, a directory far up that is replaced. */
export const pollMs = 1000

/** Waits until nothing rings any more; no longer once somebody is in a hurry. */
export async function settle(notifier: Notifier, isUrgent: () => boolean): Promise<void> {
  const until = performance.now() + busyMs
  while (!isUrgent() && performance.now() < until) {
    if (!(await notifier.wait(Math.min(quietMs, until - performance.now())))) return
  }
}
