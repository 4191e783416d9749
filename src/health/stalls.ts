/**
 * Hold-ups of our own: this thread's ticks come late, or a serving thread's event loop stood still. What failed then, or right
 * after (time limits that ran out unseen), tells nothing about servers.
 */
export interface Stalls {
  /** At each tick, before anything else. */
  tick(now: number): void
  /** Whether what was counted lately may come of a hold-up. */
  isStalled(now: number): boolean
}

export const TICK_MS = 100
const LATE_MS = 250
const THREAD_MS = 100
/** What was held up is worked off by then. */
const AFTERMATH_MS = 1000

/** `stallOfThreads`: the longest of late, ms. */
export function createStalls(stallOfThreads: () => number): Stalls {
  let tickedAt: number | null = null
  let ofThreads = 0
  let heldUpUntil = -Infinity

  function isLate(now: number): boolean {
    return tickedAt !== null && now - tickedAt > TICK_MS + LATE_MS
  }

  return {
    tick(now) {
      ofThreads = stallOfThreads()
      // A short one has no aftermath: no time limit is that short. Else a busy machine would never eject anything.
      if (isLate(now) || ofThreads > LATE_MS) heldUpUntil = now + AFTERMATH_MS
      tickedAt = now
    },
    isStalled: (now) => ofThreads > THREAD_MS || now < heldUpUntil || isLate(now),
  }
}
