/**
 * How many requests of a backend may be sent again: a share of its requests, or so many a second where there are few, over
 * all threads. Unspent retries of half a second of traffic are saved (or
 * five seconds of those that do not depend on it), so that the death of a server is survived and the death
 * of all of them does not double their load.
 *
 * In hundredths, in the shared cells of the backend's slot. The total of requests is read from plain columns, and only here:
 * a request costs nothing for it.
 */
import type { RetryBudget } from '../../model/snapshot.ts'
import { SHARED } from '../../scoreboard/layout.ts'
import type { Slot } from '../../scoreboard/scoreboard.ts'
import { msSince, toCell } from '../wrapping-clock.ts'

const HUNDRED = 100
const SAVED_MS = 500
/** Of the retries a second that there are whatever the traffic: so that clients who all come at first find enough. */
const SAVED_SECONDS = 5
/** Between two deposits: a shorter time would see too few requests to tell their rate. */
const LEAST_MS = 50
const MOST = 1e9

/** Puts in what has been earned since the last time. `requests`: of the backend, since ever. */
export function earnRetries(
  { shared, at }: Slot,
  requests: number,
  { ratio, perSecond }: RetryBudget,
  nowMs: number,
): void {
  const last = Atomics.load(shared, at + SHARED.retryAt)
  const elapsed = msSince(last, nowMs)
  const isFirst = Atomics.load(shared, at + SHARED.retryCap) === 0
  if (elapsed < LEAST_MS && !isFirst) return
  // Whoever moves the time makes the deposit.
  if (Atomics.compareExchange(shared, at + SHARED.retryAt, last, toCell(nowMs)) !== last) return
  const seen = Atomics.exchange(shared, at + SHARED.retrySeen, requests | 0)
  const gained = Math.max(0, ((requests | 0) - seen) | 0)
  const perMs = (ratio * gained) / Math.max(elapsed, LEAST_MS)
  const span = Math.min(elapsed, SAVED_MS)
  const earned = Math.max(
    perMs * span,
    (perSecond * span) / 1000,
    isFirst ? SAVED_SECONDS * perSecond : 0,
  )
  const cap = toHundredths(Math.max(perMs * SAVED_MS, SAVED_SECONDS * perSecond))
  // 0 would read as a first time.
  Atomics.store(shared, at + SHARED.retryCap, Math.max(1, cap))
  const saved = Atomics.load(shared, at + SHARED.retryTokens)
  // Added, not stored: others take meanwhile.
  Atomics.add(shared, at + SHARED.retryTokens, Math.min(cap, saved + toHundredths(earned)) - saved)
}

/** Takes one retry, if there is one. */
export function takeRetry({ shared, at }: Slot): boolean {
  if (Atomics.sub(shared, at + SHARED.retryTokens, HUNDRED) >= HUNDRED) return true
  Atomics.add(shared, at + SHARED.retryTokens, HUNDRED)
  return false
}

function toHundredths(retries: number): number {
  return Math.min(MOST, Math.round(retries * HUNDRED))
}
