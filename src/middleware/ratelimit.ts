/**
 * So many requests in a period, and a burst at once: `ratelimit: { requests: 100, period: 1s, burst: 200, key: client.ip }`,
 * exact over all threads, and over several instances with `redis`. Who sends more is answered 429.
 *
 * Hot path: one key, one entry of the table, one number moved on: 0.26 us a request with its clock, 0.3 more where passed answers
 * say what is left (see also policy/limiting/key-table.ts).
 */
import type { LocalResponse } from '../http/local-response.ts'
import type { Exchange } from '../http/exchange.ts'
import { KeyTable } from '../policy/limiting/key-table.ts'
import {
  takeFromAll,
  toKeyedRates,
  type KeyedRate,
  type RateDecision,
} from '../policy/limiting/rate-limit.ts'
import { compileLimitKey, parseLimitKey, type LimitKey } from '../policy/limiting/limit-key.ts'
import type { MiddlewareKind, MiddlewareContext } from './middleware.ts'
import { parseWith } from './options.ts'
import { addStanding, refusal, UNDECIDED } from './ratelimit/answers.ts'
import { schema, toSpec, type RateLimitOptions } from './ratelimit/options.ts'
import { redisClient } from './ratelimit/redis-links.ts'
import { createRatesReader } from './ratelimit/rates-header.ts'
import { createSharedRates } from './ratelimit/shared-rates.ts'

export const ratelimit: MiddlewareKind<RateLimitOptions> = {
  kind: 'ratelimit',
  parse: (options) => parseWith(schema, options),
  state: { in: 'table', of: 'frontend' },
  prepare: ({ redis }) => (redis === null ? null : redisClient.load()),
  compile(options, { frontend, table, seed, now }) {
    const keys = new KeyTable(table, seed)
    const keyOf = compileLimitKey(variableOf(options.key))
    const ratesOf = compileRates(options)
    const shared =
      options.redis === null ? null : createSharedRates(options.redis, `${frontend} ${options.key}`)
    /** Only while it is under way, and only where the client is told. */
    const standings = new Map<Exchange, RateDecision>()

    function decide(
      exchange: Exchange,
      context: MiddlewareContext,
      standing: RateDecision,
    ): LocalResponse | null {
      if (!standing.ok) return refusal(standing, options.headers)
      if (options.headers && !context.isOver) {
        standings.set(exchange, standing)
        context.onEnd(() => standings.delete(exchange))
      }
      return null
    }

    /** Redis did not say. */
    function decideAlone(
      exchange: Exchange,
      context: MiddlewareContext,
      key: string,
    ): LocalResponse | null {
      switch (options.redis?.onFailure) {
        case 'allow':
          return null
        case 'deny':
          return UNDECIDED
        default:
          return decide(exchange, context, takeFromAll(keys, key, ratesOf(exchange), now()))
      }
    }

    return {
      onRequest(exchange, context) {
        const key = keyOf(exchange)
        const rates = ratesOf(exchange)
        if (shared === null) return decide(exchange, context, takeFromAll(keys, key, rates, now()))
        const isAsked = shared.ask(key, rates, (standing) => {
          try {
            const decision =
              standing === null
                ? decideAlone(exchange, context, key)
                : decide(exchange, context, standing)
            context.resume(decision)
          } catch (error) {
            context.fault(error)
          }
        })
        return isAsked ? 'pending' : decideAlone(exchange, context, key)
      },
      ...(options.headers && {
        onResponse(exchange, head) {
          const standing = standings.get(exchange)
          if (standing !== undefined) addStanding(head, standing)
        },
      }),
    }
  },
}

function variableOf(text: string): LimitKey {
  const parsed = parseLimitKey(text)
  if (!parsed.ok) throw new Error(`a rate limit was admitted whose key ${parsed.message}`)
  return parsed.variable
}

/** The rates of a request. */
function compileRates(options: RateLimitOptions): (exchange: Exchange) => readonly KeyedRate[] {
  const configured = toKeyedRates(options.rates.map(toSpec))
  if (typeof configured === 'string')
    throw new Error(`a rate limit was admitted with bad rates: ${configured}`)
  if (options.ratesHeader === null) return () => configured
  const name = options.ratesHeader.toLowerCase()
  const read = createRatesReader()
  return (exchange) => {
    const text = exchange.field(name)
    return (text === undefined ? null : read(text)) ?? configured
  }
}
