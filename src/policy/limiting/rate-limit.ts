/** Several rates for one key: all of them must accept a request, or none is charged. */
import { hashKey } from './key-hash.ts'
import type { KeyTable } from './key-table.ts'
import {
  returnToken,
  type Rate,
  type RateSpec,
  type TokenDecision,
  takeToken,
  toNs,
  toRate,
} from './token-bucket.ts'

export interface KeyedRate extends Rate {
  /** Distinguishes the entries of one key. It is a hash of the rate: a changed rate is a new bucket, which starts full. */
  readonly salt: number
}

/** For the response: the rate that refuses for the longest time, else the one with the fewest tokens left. */
export interface RateDecision extends TokenDecision {
  readonly rate: RateSpec
}

export const MAX_RATES = 8

/** Returns a text if the rates are invalid. */
export function toKeyedRates(specs: readonly RateSpec[]): readonly KeyedRate[] | string {
  if (specs.length < 1 || specs.length > MAX_RATES) return `there must be 1 to ${MAX_RATES} rates`
  const salts = new Set<number>()
  const rates: KeyedRate[] = []
  for (const spec of specs) {
    const rate = toRate(spec)
    if (typeof rate === 'string') return rate
    const salt = saltOf(rate)
    if (salts.has(salt)) return 'the same rate is listed twice'
    salts.add(salt)
    rates.push({ ...rate, salt })
  }
  return rates
}

function saltOf({ requests, periodMs, burst }: RateSpec): number {
  const hashed = new Int32Array(2)
  hashKey(`${requests}/${periodMs}/${burst}`, 0, hashed)
  return hashed[0] ?? 0
}

export function takeFromAll(
  table: KeyTable,
  key: string,
  rates: readonly KeyedRate[],
  nowMs: number,
): RateDecision {
  const now = toNs(nowMs)
  const { cells } = table
  const first = rates[0]
  if (first === undefined) throw new Error('a rate limit without rates')
  const firstCell = table.findOrTake(key, first.salt, now)
  let standing = decisionOf(takeToken(cells, firstCell, now, first), first)
  if (rates.length === 1) return standing
  const accepted: [number, Rate][] = standing.ok ? [[firstCell, first]] : []
  for (const rate of rates.slice(1)) {
    const cell = table.findOrTake(key, rate.salt, now)
    const taken = takeToken(cells, cell, now, rate)
    if (taken.ok) accepted.push([cell, rate])
    if (isWorse(taken, standing)) standing = decisionOf(taken, rate)
  }
  if (!standing.ok) for (const [cell, rate] of accepted) returnToken(cells, cell, rate)
  return standing
}

function isWorse(one: TokenDecision, other: TokenDecision): boolean {
  if (!one.ok || !other.ok) return one.retryAfterMs > other.retryAfterMs
  return one.remaining < other.remaining
}

function decisionOf(
  { ok, remaining, retryAfterMs, resetMs }: TokenDecision,
  rate: RateSpec,
): RateDecision {
  return { ok, remaining, retryAfterMs, resetMs, rate }
}
