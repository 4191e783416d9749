import { performance } from 'node:perf_hooks'

/**
 * One coarse clock a thread. `clock.now` is monotonic ms, at most 100 ms behind, refreshed by every tick of the
 * deadlines and by whoever reads the exact time anyway: deadlines are computed from it without a system call.
 */
export const clock: { now: number } = { now: performance.now() }

/**
 * The clock is read with every request and answer. When it was not for so long, the loop was idle or stood still: what has
 * come meanwhile is read in any order, and for a moment the sockets may hold what has not been seen.
 */
const GAP_MS = 2
const LATE_MS = 20
let gapAt = 0

/** The exact time; refreshes the coarse one. */
export function readClock(): number {
  const now = performance.now()
  if (now - clock.now > GAP_MS) gapAt = now
  clock.now = now
  return now
}

/** The loop may be late, as of the last reading of the clock. */
export function mayBeLate(): boolean {
  return clock.now - gapAt < LATE_MS
}

let dateOf = 0
let date = ''

/** RFC 9110 section 6.6.1: the Date field, made once a second. */
export function dateLine(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateOf) {
    dateOf = second
    date = `Date: ${new Date(second * 1000).toUTCString()}\r\n`
  }
  return date
}
