/**
 * Limits the rate of requests: `ratelimit: { requests: 100, period: 1s, burst: 200, key: client.ip }`, exact over all workers, and over
 * several instances with `redis`. Further requests get a 429.
 *
 * Hot path: one look-up of a key and one compare-and-exchange, 0.26 us a request with its clock, and 0.3 us more if responses carry
 * the RateLimit fields (see also policy/limiting/key-table.ts).
 */
import type { ZodType } from 'zod'
import type { LocalResponse } from '../http/message/local-response.ts'
import type { Exchange } from '../http/exchange.ts'
import { YEAR_MS, toMs } from '../model/units.ts'
import type { Complain } from '../options/fields.ts'
import type { Vocabulary } from '../options/vocabulary.ts'
import { KeyTable } from '../policy/limiting/key-table.ts'
import {
  type KeyedRate,
  MAX_RATES,
  type RateDecision,
  takeFromAll,
  toKeyedRates,
} from '../policy/limiting/rate-limit.ts'
import { type RateSpec, toRate } from '../policy/limiting/token-bucket.ts'
import { compileKey, headerOfKey, keyOption } from './key.ts'
import type { MiddlewareContext, MiddlewareKind } from './middleware.ts'
import { addRateFields, tooManyRequests, UNDECIDED } from './ratelimit/responses.ts'
import { redisClient } from './ratelimit/redis-links.ts'
import { refuseRedisUrl } from './ratelimit/redis-url.ts'
import { createRatesReader } from './ratelimit/rates-header.ts'
import { createSharedRates, type RedisOptions } from './ratelimit/shared-rates.ts'

interface DeclaredRate {
  readonly requests: number
  readonly period: string
  readonly burst: number
}

interface RateLimitOptions {
  readonly rates: readonly DeclaredRate[]
  readonly key: string
  readonly ratesHeader: string | null
  readonly headers: boolean
  readonly redis: RedisOptions | null
}

export const ratelimit: MiddlewareKind<RateLimitOptions> = {
  kind: 'ratelimit',
  options(words) {
    const { z, strict, meaning, flag, headerName, orNull } = words
    const { requests, period, burst } = rateShape(words)
    const form = strict(
      {
        requests: requests.optional(),
        period,
        burst,
        rates: z
          .array(rateOption(words))
          .optional()
          .meta({
            description: `1 to ${MAX_RATES} rates of requests, period and burst, in place of these three. A request must be within all of them; one that is refused counts for none.`,
          }),
        key: keyOption(words),
        ratesHeader: orNull(
          headerName(
            'A request header with the rates as JSON: [{"PeriodSeconds":1,"Requests":2,"Burst":3}].',
          ),
        ),
        headers: flag('Responses carry RateLimit-Limit, -Remaining and -Reset.', true),
        redis: orNull(redisOption(words)),
      },
      'Limits the rate of requests; those above it get a 429.',
    )
    return meaning(form, ({ requests, period, burst, rates, ...rest }, complain) => {
      const isSingle = requests !== undefined || period !== undefined || burst !== undefined
      if (rates !== undefined) {
        if (isSingle) complain('rates cannot be used together with requests, period or burst', [])
        const keyed = toKeyedRates(rates.map(toSpec))
        if (typeof keyed === 'string') complain(keyed, ['rates'])
        return { ...rest, rates }
      }
      if (requests === undefined) {
        complain('is missing: how many in a period', ['requests'])
        return { ...rest, rates: [] }
      }
      return { ...rest, rates: [toDeclared({ requests, period, burst }, complain)] }
    })
  },
  readsHeaders: ({ key, ratesHeader }) => ({
    ...headerOfKey(key),
    ...(ratesHeader !== null && { ratesHeader }),
  }),
  state: { in: 'table', of: 'frontend' },
  prepare: ({ redis }) => (redis === null ? null : redisClient.load()),
  compile(options, { frontend, table, seed, now, onNotice }) {
    const keys = new KeyTable(table, seed)
    const keyOf = compileKey(options.key)
    const ratesOf = compileRates(options)
    const shared =
      options.redis === null
        ? null
        : createSharedRates(options.redis, `${frontend} ${options.key}`, onNotice)
    /** Of requests in flight, if responses carry the RateLimit fields. */
    const decisions = new Map<Exchange, RateDecision>()

    function decide(
      exchange: Exchange,
      context: MiddlewareContext,
      decision: RateDecision,
    ): LocalResponse | null {
      if (!decision.ok) return tooManyRequests(decision, options.headers)
      if (options.headers && !context.isOver) {
        decisions.set(exchange, decision)
        context.onEnd(() => decisions.delete(exchange))
      }
      return null
    }

    /** Redis did not decide. */
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
        const isPending = shared.request(key, rates, (ofAll) => {
          try {
            context.resume(
              ofAll === null
                ? decideAlone(exchange, context, key)
                : decide(exchange, context, ofAll),
            )
          } catch (error) {
            context.fault(error)
          }
        })
        return isPending ? 'pending' : decideAlone(exchange, context, key)
      },
      ...(options.headers && {
        onResponse(exchange, head) {
          const decision = decisions.get(exchange)
          if (decision !== undefined) addRateFields(head, decision)
        },
      }),
    }
  },
}

function rateShape({ z, durationText }: Vocabulary): {
  requests: ZodType<number>
  period: ZodType<string | undefined>
  burst: ZodType<number | undefined>
} {
  const amount = (description: string): ZodType<number> =>
    z.number('must be a number').meta({ type: 'integer', minimum: 1, maximum: 1e9, description })
  return {
    requests: amount('Requests in each period, at most 1,000,000 a second.'),
    period: durationText('The period, 1s by default.', 1, YEAR_MS).optional(),
    burst: amount(
      'Requests at once; as many as "requests" by default. A whole burst must come back within ten years.',
    ).optional(),
  }
}

function rateOption(words: Vocabulary): ZodType<DeclaredRate> {
  const { requests, period, burst } = rateShape(words)
  const form = words.strict({ requests, period, burst }, 'A rate.')
  return words.meaning(form, toDeclared)
}

/** A message about a URL in place of the map does not repeat the URL, which may hold a password. */
function redisOption({ z, strict, durationText, guarded }: Vocabulary): ZodType<RedisOptions> {
  const url = z
    .string()
    .max(2048, 'must not be longer than 2048 characters')
    .superRefine((text, context) => {
      const refused = refuseRedisUrl(text)
      if (refused !== null) context.addIssue(refused)
    })
  const map = strict(
    {
      url: url.meta({ description: 'redis://user:password@host:6379/0, or rediss:// for TLS.' }),
      prefix: z
        .string()
        .regex(/^[\w.:/-]{1,128}$/, 'must be 1 to 128 letters, digits or any of _ . : / -')
        .default('sluice:rate:')
        .meta({
          description:
            'What keys in Redis begin with. Instances with the same prefix share rates of the same frontend, key and rate.',
        }),
      timeout: durationText('How long to wait for Redis.', 1, 10_000).prefault('20ms'),
      onFailure: z
        .enum(['local', 'allow', 'deny'], 'must be local, allow or deny')
        .default('local')
        .meta({
          description:
            'What decides if Redis does not respond in time: this instance alone, or always the same.',
        }),
    },
    'Several instances share the rates through a Redis.',
  )
  return guarded(map, (value) =>
    typeof value === 'string' ? 'must be a map with a url in it' : null,
  )
}

function toDeclared(
  form: {
    readonly requests: number
    readonly period?: string | undefined
    readonly burst?: number | undefined
  },
  complain: Complain,
): DeclaredRate {
  const { requests, period = '1s', burst = requests } = form
  const rate = toRate(toSpec({ requests, period, burst }))
  if (typeof rate === 'string') complain(rate, [])
  return { requests, period, burst }
}

function toSpec({ requests, period, burst }: DeclaredRate): RateSpec {
  return { requests, periodMs: toMs(period), burst }
}

/** The rates that apply to a request. */
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
