import { performance } from 'node:perf_hooks'

/**
 * A coarse clock per thread. `clock.now` is monotonic ms, at most 100 ms behind, updated by each tick of the deadlines and each
 * reading of the exact time. Deadlines are computed from it without a system call.
 */
export const clock: { now: number } = { now: performance.now() }

/**
 * The clock is read with every request and response. After a longer gap the event loop was idle or blocked: what came meanwhile is
 * read in any order, and for a moment the sockets may hold unread data.
 */
const GAP_MS = 2
const LATE_MS = 20
let gapAt = 0

/** The exact time; updates the coarse one. */
export function readClock(): number {
  const now = performance.now()
  if (now - clock.now > GAP_MS) gapAt = now
  clock.now = now
  return now
}

/** Whether the event loop may be late, as of the last reading. */
export function mayBeLate(): boolean {
  return clock.now - gapAt < LATE_MS
}

let dateOf = 0
let date = ''

/** RFC 9110 section 6.6.1: the Date field, formatted once per second. */
export function dateLine(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateOf) {
    dateOf = second
    date = `Date: ${new Date(second * 1000).toUTCString()}\r\n`
  }
  return date
}
