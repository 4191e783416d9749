/** Options of a middleware before their kind's schema sees them: data that JSON can carry, small, and without reserved keys. */
import { isForbiddenKey } from '../model/names.ts'
import { isMap, type Scalar, bad, good, quote } from '../model/parsed.ts'

const MAX_DEPTH = 8
const MAX_NODES = 10_000

export interface Options {
  readonly [key: string]: unknown
}

export function parsePlainOptions(value: unknown): Scalar<Options> {
  if (!isMap(value)) return bad(`must be a map of options, not ${quote(value)}`)
  const reason = refuseOption(value, MAX_DEPTH, { nodes: MAX_NODES })
  return reason === null ? good(value) : bad(reason)
}

function refuseOption(value: unknown, depth: number, budget: { nodes: number }): string | null {
  budget.nodes -= 1
  if (depth < 0) return `must not be nested deeper than ${MAX_DEPTH}`
  if (budget.nodes < 0) return `must not hold more than ${MAX_NODES} values`
  if (typeof value === 'number' && !Number.isFinite(value)) return `${value} is not a number`
  if (typeof value !== 'object' || value === null) return null
  for (const [key, inner] of Object.entries(value)) {
    if (isForbiddenKey(key)) return `the key ${quote(key)} is reserved`
    const reason = refuseOption(inner, depth - 1, budget)
    if (reason !== null) return reason
  }
  return null
}
