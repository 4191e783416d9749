/**
 * A token bucket in one number that all threads share, exact over all of them: the time in nanoseconds at which the bucket will
 * be full again (the "theoretical arrival time" of the generic cell rate algorithm). A request adds the time of one token,
 * unless the sum is further ahead than the time of a whole bucket. A time in the past is a full bucket, so that nothing has to
 * be filled or swept; 0 is a bucket that was never used.
 */
import { YEAR_MS } from '../../model/units.ts'

export interface RateSpec {
  readonly requests: number
  readonly periodMs: number
  readonly burst: number
}

export interface Rate extends RateSpec {
  /** The time of one token, rounded up: the rate is never higher than declared. */
  readonly intervalNs: bigint
  /** The time of all tokens. */
  readonly capacityNs: bigint
}

export interface TokenDecision {
  readonly ok: boolean
  /** Whole tokens left. */
  readonly remaining: number
  /** Until the next token; 0 if one was taken. */
  readonly retryAfterMs: number
  /** Until the bucket is full. */
  readonly resetMs: number
}

const MAX_REQUESTS = 1_000_000_000
const MAX_PER_SECOND = 1_000_000
const MAX_FILL_YEARS = 10
const NS_PER_MS = 1e6

/** Returns a text if the rate is invalid. */
export function toRate({ requests, periodMs, burst }: RateSpec): Rate | string {
  if (!isCount(requests)) return `requests must be a whole number from 1 to ${MAX_REQUESTS}`
  if (!isCount(burst)) return `burst must be a whole number from 1 to ${MAX_REQUESTS}`
  if (!(Number.isFinite(periodMs) && periodMs > 0 && periodMs <= YEAR_MS))
    return 'period must be longer than 0 and at most a year'
  if ((requests / periodMs) * 1000 > MAX_PER_SECOND)
    return `there must not be more than ${MAX_PER_SECOND} requests a second; give the route no limit instead`
  if ((periodMs / requests) * burst > MAX_FILL_YEARS * YEAR_MS)
    return `the burst would take more than ${MAX_FILL_YEARS} years to come back`
  const intervalNs = BigInt(Math.ceil((periodMs * NS_PER_MS) / requests))
  return { requests, periodMs, burst, intervalNs, capacityNs: intervalNs * BigInt(burst) }
}

function isCount(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= MAX_REQUESTS
}

/** A time in ms as the buckets have it. */
export function toNs(nowMs: number): bigint {
  return BigInt(Math.floor(nowMs * NS_PER_MS))
}

export function takeToken(
  cells: BigInt64Array,
  cell: number,
  now: bigint,
  rate: Rate,
): TokenDecision {
  const { intervalNs, capacityNs } = rate
  for (;;) {
    const fullAt = Atomics.load(cells, cell)
    const next = (fullAt > now ? fullAt : now) + intervalNs
    const left = capacityNs - (next - now)
    if (left < 0n) {
      const resetMs = Number(fullAt - now) / NS_PER_MS
      return { ok: false, remaining: 0, retryAfterMs: Number(-left) / NS_PER_MS, resetMs }
    }
    if (Atomics.compareExchange(cells, cell, fullAt, next) !== fullAt) continue
    return {
      ok: true,
      remaining: Math.floor(Number(left) / Number(intervalNs)),
      retryAfterMs: 0,
      resetMs: Number(next - now) / NS_PER_MS,
    }
  }
}

/** Returns a token that was taken and not used. */
export function returnToken(cells: BigInt64Array, cell: number, { intervalNs }: Rate): void {
  Atomics.sub(cells, cell, intervalNs)
}
