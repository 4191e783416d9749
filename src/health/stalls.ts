/**
 * Stalls of this process: the ticks of this thread are late, or the event loop of a serving thread does not turn. A failure
 * during a stall or right after it (a time limit that ran out meanwhile) is no evidence against a server.
 *
 * process/pulse.ts measures the stalls of serving threads. `Deadlines` in http/ has a rule of its own: it needs no evidence
 * about servers, only that a late tick reads the sockets before it closes any.
 */
export interface Stalls {
  /** To be called first in each tick. */
  tick(now: number): void
  /** Whether recent failures may come of a stall. */
  isStalled(now: number): boolean
}

export const TICK_MS = 100
const LATE_MS = 250
const THREAD_STALL_MS = 100
/** How long failures may still come of a stall that has ended. */
const AFTERMATH_MS = 1000

/** `elapsedMs`: since the tick before. */
export function isLateTick(elapsedMs: number): boolean {
  return elapsedMs > TICK_MS + LATE_MS || elapsedMs < 0
}

/** `stallOfThreads`: the longest recent stall of a serving thread, ms. */
export function createStalls(stallOfThreads: () => number): Stalls {
  let tickedAt: number | null = null
  let ofThreads = 0
  let stalledUntil = -Infinity

  function isLate(now: number): boolean {
    return tickedAt !== null && isLateTick(now - tickedAt)
  }

  return {
    tick(now) {
      ofThreads = stallOfThreads()
      // A short stall has no aftermath, because no time limit is that short. Else a busy machine would never eject a server.
      if (isLate(now) || ofThreads > LATE_MS) stalledUntil = now + AFTERMATH_MS
      tickedAt = now
    },
    isStalled: (now) => ofThreads > THREAD_STALL_MS || now < stalledUntil || isLate(now),
  }
}
