/**
 * The condition of a breaker, in vulcand's words: `NetworkErrorRatio() > 0.5 || LatencyAtQuantileMS(95) > 800`.
 *
 *   term = NetworkErrorRatio() cmp number                          502 and 504 among all responses
 *        | ResponseCodeRatio(from, to, ofFrom, ofTo) cmp number    from <= status < to among ofFrom <= status < ofTo
 *        | LatencyAtQuantileMS(percent) cmp number                 time to the head of the response
 *        | RequestThreshold() cmp number                           number of responses
 *
 * It compiles to response counters and to a function of their counts. Without responses, a ratio is 0, and so is a latency.
 * LatencyAtQuantileMS(q) is the shortest time within which at least q % of the responses (at least one) came, in ms and not
 * rounded. A comparison with a fixed time needs no histogram: the quantile is above it if and only if too many responses were
 * slower.
 */
import { compare, evaluate, parseExpression, type TokenReader } from '../expression.ts'
import { ScanError } from '../scan.ts'
import { MAX_RESPONSE_COUNTERS, type ResponseCounter } from './response-counters.ts'

export { countResponse, type ResponseCounter } from './response-counters.ts'

export interface Condition {
  /** [0] is always `responses`. */
  readonly counters: readonly ResponseCounter[]
  /** `of(i)`: how many responses counter i has counted. */
  holds(of: CountOf): boolean
}

export type CountOf = (counter: number) => number

export type ParsedCondition =
  | { readonly ok: true; readonly condition: Condition }
  /** `position` counts characters from 0. */
  | { readonly ok: false; readonly message: string; readonly position: number }

export function parseCondition(text: string): ParsedCondition {
  const counters: ResponseCounter[] = [{ kind: 'responses' }]
  const parsed = parseExpression(text, 'condition', (tokens) => readTerm(tokens, counters))
  if (!parsed.ok) return parsed
  const { logic } = parsed
  const holds = (of: CountOf): boolean => evaluate(logic, (term) => term(of))
  return { ok: true, condition: { counters, holds } }
}

/** Terms may share counters; the first is `responses`. */
type Term = (of: CountOf) => boolean
const RESPONSES = 0

function readTerm(tokens: TokenReader, counters: ResponseCounter[]): Term {
  const { text, position } = tokens.current
  const count = (counter: ResponseCounter): number => placeOf(counter, counters, position)
  switch (text) {
    case 'NetworkErrorRatio':
      return readNetworkErrors(tokens, count)
    case 'ResponseCodeRatio':
      return readCodes(tokens, count)
    case 'LatencyAtQuantileMS':
      return readLatency(tokens, count)
    case 'RequestThreshold':
      return readThreshold(tokens)
    default:
      return tokens.refuse(
        'one of NetworkErrorRatio, ResponseCodeRatio, LatencyAtQuantileMS, RequestThreshold',
      )
  }
}

type Count = (counter: ResponseCounter) => number

function placeOf(counter: ResponseCounter, counters: ResponseCounter[], position: number): number {
  const text = JSON.stringify(counter)
  const known = counters.findIndex((one) => JSON.stringify(one) === text)
  if (known >= 0) return known
  if (counters.length === MAX_RESPONSE_COUNTERS) {
    throw new ScanError(
      `the condition measures more than ${MAX_RESPONSE_COUNTERS} different things`,
      position,
    )
  }
  return counters.push(counter) - 1
}

function readNetworkErrors(tokens: TokenReader, count: Count): Term {
  const usage = 'NetworkErrorRatio() > 0.5'
  tokens.call(usage)
  const comparison = tokens.comparison(usage)
  const wanted = tokens.number(`a ratio from 0 to 1, as in ${usage}`, (value) => value <= 1)
  const errors = count({ kind: 'networkErrors' })
  return (of) => compare(ratio(of(errors), of(RESPONSES)), comparison, wanted)
}

function readCodes(tokens: TokenReader, count: Count): Term {
  const usage = 'ResponseCodeRatio(500, 600, 0, 600) > 0.3'
  const from = { expected: `a status, as in ${usage}`, isFit: isStatus }
  const to = {
    expected: `a status above the one before it, as in ${usage}`,
    isFit: (value: number, before: number) => isStatus(value) && value > before,
  }
  const codes = tokens.call(usage, from, to, from, to)
  const [partFrom = 0, partTo = 0, wholeFrom = 0, wholeTo = 0] = codes
  const comparison = tokens.comparison(usage)
  const wanted = tokens.number(`a ratio, as in ${usage}`)
  const part = count({ kind: 'status', from: partFrom, to: partTo })
  const whole = count({ kind: 'status', from: wholeFrom, to: wholeTo })
  return (of) => compare(ratio(of(part), of(whole)), comparison, wanted)
}

/** The `to` of a range is exclusive, so it may be 1000. */
function isStatus(value: number): boolean {
  return Number.isInteger(value) && value <= 1000
}

/** Division rounds as the parser of number literals does: `3 / 10` equals the literal 0.3. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

function readLatency(tokens: TokenReader, count: Count): Term {
  const usage = 'LatencyAtQuantileMS(95) > 800'
  const [percent = 0] = tokens.call(usage, {
    expected: `a percentage from 0 to 100 of at most 6 decimals, as in ${usage}`,
    isFit: (value) => value <= 100 && toMillionths(value) / 1e6 === value,
  })
  const comparison = tokens.comparison(usage)
  const thanMs = tokens.number(`a time in ms, as in ${usage}`)
  const millionths = toMillionths(percent)
  /** Whether the quantile is above that time; `orAs`: or equal to it. */
  const above = (orAs: boolean): Term => {
    const slower = count({ kind: 'slower', thanMs, orAs })
    return (of) => {
      const responses = of(RESPONSES)
      if (responses === 0) return orAs && thanMs === 0
      return of(slower) > responses - rankOf(millionths, responses)
    }
  }
  switch (comparison) {
    case '>':
      return above(false)
    case '>=':
      return above(true)
    case '<=':
      return not(above(false))
    case '<':
      return not(above(true))
    case '==':
      return both(above(true), not(above(false)))
    case '!=':
      return not(both(above(true), not(above(false))))
  }
}

function toMillionths(percent: number): number {
  return Math.round(percent * 1e6)
}

/** The rank of the response that is the quantile, 1 for the fastest. In whole numbers: 99.9 % of 1000 must be 999. */
function rankOf(millionths: number, responses: number): number {
  return Math.max(1, Math.ceil((millionths * responses) / 1e8))
}

function not(term: Term): Term {
  return (of) => !term(of)
}

function both(one: Term, other: Term): Term {
  return (of) => one(of) && other(of)
}

function readThreshold(tokens: TokenReader): Term {
  const usage = 'RequestThreshold() >= 100'
  tokens.call(usage)
  const comparison = tokens.comparison(usage)
  const wanted = tokens.number(`a whole number, as in ${usage}`, Number.isSafeInteger)
  return (of) => compare(of(RESPONSES), comparison, wanted)
}
