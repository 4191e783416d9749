/**
 * One coarse clock a thread. `clock.now` is monotonic ms, at most 100 ms behind, refreshed by every tick of the
 * deadlines and by whoever reads the exact time anyway: deadlines are computed from it without a system call.
 */
export const clock: { now: number } = { now: performance.now() }

/** The exact time; refreshes the coarse one. */
export function readClock(): number {
  clock.now = performance.now()
  return clock.now
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
