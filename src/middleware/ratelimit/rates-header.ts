/**
 * Rates in a header of the request, as vulcand's RateVar: `[{"PeriodSeconds":1,"Requests":2,"Burst":3}]`, where a burst of 0
 * means as many as Requests. A client that can set the header sets its own limit, so another proxy must overwrite it.
 */
import { type KeyedRate, toKeyedRates } from '../../policy/limiting/rate-limit.ts'
import type { RateSpec } from '../../policy/limiting/token-bucket.ts'

const MAX_LENGTH = 1024
const MAX_KNOWN = 1000

/** The rates of a header's value; null if it holds no valid rates. A bounded number of parsed values is cached. */
export function createRatesReader(): (text: string) => readonly KeyedRate[] | null {
  const known = new Map<string, readonly KeyedRate[] | null>()
  return (text) => {
    if (text.length > MAX_LENGTH) return null
    let rates = known.get(text)
    if (rates === undefined) {
      rates = readRates(text)
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(text, rates)
    }
    return rates
  }
}

function readRates(text: string): readonly KeyedRate[] | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (!Array.isArray(value)) return null
  const specs = value.map(toSpec)
  const rates = specs.includes(null) ? '' : toKeyedRates(specs.filter((spec) => spec !== null))
  return typeof rates === 'string' ? null : rates
}

function toSpec(value: unknown): RateSpec | null {
  if (typeof value !== 'object' || value === null) return null
  const { PeriodSeconds: seconds, Requests: requests, Burst: burst = 0 } = value as RateFields
  if (typeof seconds !== 'number' || typeof requests !== 'number' || typeof burst !== 'number')
    return null
  return { requests, periodMs: seconds * 1000, burst: burst === 0 ? requests : burst }
}

interface RateFields {
  readonly PeriodSeconds?: unknown
  readonly Requests?: unknown
  readonly Burst?: unknown
}
