/**
 * How many requests of a backend may be retried, over all threads: a share of its requests, or a number per second if there are
 * few. The budget saves the retries of half a second of traffic (or of five seconds of the fixed number), so that the death of
 * one server is survived, and the death of all does not double their load.
 *
 * The balance is kept in hundredths, in the shared cells of the backend's slot. The total of requests is read from plain
 * columns, and only here: a request without a retry pays nothing.
 */
import type { RetryBudget } from '../../model/snapshot.ts'
import { SHARED } from '../../scoreboard/layout.ts'
import type { Slot } from '../../scoreboard/scoreboard.ts'
import { msSince, toCell } from '../wrapping-clock.ts'

const HUNDRED = 100
const SAVED_MS = 500
/** How many seconds of the fixed number are saved, so that the first clients after a quiet time have enough. */
const SAVED_SECONDS = 5
/** Between two deposits: in a shorter time there are too few requests to know their rate. */
const LEAST_MS = 50
const MOST = 1e9

/** Deposits what was earned since the last deposit. `requests`: the total of the backend. */
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
  // The thread that moves the time makes the deposit.
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
  // 0 marks a budget without a deposit.
  Atomics.store(shared, at + SHARED.retryCap, Math.max(1, cap))
  const saved = Atomics.load(shared, at + SHARED.retryTokens)
  // Added, not stored: other threads withdraw meanwhile.
  Atomics.add(shared, at + SHARED.retryTokens, Math.min(cap, saved + toHundredths(earned)) - saved)
}

/** Withdraws one retry; returns whether there was one. */
export function takeRetry({ shared, at }: Slot): boolean {
  if (Atomics.sub(shared, at + SHARED.retryTokens, HUNDRED) >= HUNDRED) return true
  Atomics.add(shared, at + SHARED.retryTokens, HUNDRED)
  return false
}

function toHundredths(retries: number): number {
  return Math.min(MOST, Math.round(retries * HUNDRED))
}
