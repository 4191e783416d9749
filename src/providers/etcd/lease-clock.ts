/**
 * When a lease ends, found out by asking. etcd removes the keys of a lease up to half a second after its end, and says
 * in whole seconds, rounded down, how much is left:
 *
 *   left      |------- 2 -------|------- 1 -------|------- 0 -------| ended, not removed yet: 0 | removed: -1
 *                                                 ^ seen by asking often here
 *                                                 |---- 1 s later --^ the end, unless it was renewed meanwhile
 *
 * A renewal is not told to anybody. But right after one more than a second is left, so whoever asks often enough and is
 * told 0 each time knows that there was none.
 */
export interface LeaseAnswer {
  /** Whole seconds that are left; -1: it is gone. */
  readonly leftSeconds: number
  readonly grantedSeconds: number
  /** Around the moment at which etcd looked; ms of a clock that never jumps. */
  readonly askedAt: number
  readonly answeredAt: number
}

export interface LeaseClock {
  /** In how many ms to ask again. */
  take(answer: LeaseAnswer, stepMs: number): number | 'gone'
  /** Whether the last second is near, so that it asks every `stepMs`. */
  isClose(): boolean
}

/** Below it etcd's answer is 0 all the time. */
export const shortestSeconds = 2
/** In the last second: no renewal goes unseen. */
const lastSecondMs = 500
/** For a question under way longer than others. */
const marginMs = 100

export function createLeaseClock(): LeaseClock {
  let endsBy: number | null = null
  let askedBefore = -Infinity
  let isClose = false

  return {
    isClose: () => isClose,
    take({ leftSeconds, grantedSeconds, askedAt, answeredAt }, stepMs) {
      if (leftSeconds < 0) return 'gone'
      isClose = leftSeconds === 1
      if (leftSeconds > 0) {
        endsBy = null
        return Math.max(stepMs, askedAt + (leftSeconds - 1) * 1000 - answeredAt)
      }
      const isUnbroken = answeredAt - askedBefore < (grantedSeconds - 1) * 1000 - marginMs
      if (endsBy === null || !isUnbroken) endsBy = answeredAt + 1000
      else if (askedAt >= endsBy) return 'gone'
      askedBefore = askedAt
      return Math.min(lastSecondMs, Math.max(1, endsBy - answeredAt))
    },
  }
}
