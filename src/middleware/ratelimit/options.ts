/** The options of a rate limit. What is parsed once crosses the seam as it is; it would parse as the same again. */
import * as z from 'zod'
import { formatDuration, parseDuration } from '../../model/units.ts'
import { strict } from '../../options/fields.ts'
import { parseLimitKey } from '../../policy/limiting/limit-key.ts'
import { toRate, type RateSpec } from '../../policy/limiting/token-bucket.ts'
import { toKeyedRates } from '../../policy/limiting/rate-limit.ts'
import { durationMs } from '../limits.ts'
import { fieldName } from '../options.ts'
import { refuseRedisUrl } from './redis-url.ts'

export interface DeclaredRate {
  requests: number
  period: string
  burst: number
}

export interface SharedOptions {
  url: string
  prefix: string
  timeout: string
  onFailure: 'local' | 'allow' | 'deny'
}

export interface RateLimitOptions {
  rates: DeclaredRate[]
  key: string
  ratesHeader: string | null
  headers: boolean
  redis: SharedOptions | null
}

const MAX_MS = 365 * 86_400_000

const duration = (minMs: number, maxMs: number): z.ZodType<string> =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const parsed = parseDuration(value, minMs, maxMs)
    if (parsed.ok) return formatDuration(parsed.value)
    context.addIssue(parsed.reason)
    return z.NEVER
  })

const amount = z.number('must be a number')
const period = duration(1, MAX_MS)

const rate: z.ZodType<DeclaredRate> = strict(
  { requests: amount, period: period.default('1s'), burst: amount.optional() },
  'So many requests in a period, and as many as the burst at once.',
).transform(toDeclared)

const sharedFields: z.ZodType<SharedOptions> = strict(
  {
    url: z
      .string()
      .max(2048, 'must not be longer than 2048 characters')
      .superRefine((url, context) => {
        const refused = refuseRedisUrl(url)
        if (refused !== null) context.addIssue(refused)
      }),
    prefix: z
      .string()
      .regex(/^[\w.:/-]{1,128}$/, 'must be 1 to 128 letters, digits or any of _ . : / -')
      .default('sluice:rate:'),
    timeout: duration(1, 10_000).default('20ms'),
    onFailure: z.enum(['local', 'allow', 'deny'], 'must be local, allow or deny').default('local'),
  },
  'Where several instances count together.',
)

/** A url in the place of the map is not repeated: it holds a secret. */
const redis: z.ZodType<SharedOptions> = z
  .unknown()
  .superRefine((value, context) => {
    if (typeof value === 'string')
      context.addIssue({
        code: 'custom',
        message: 'must be a map with a url in it',
        continue: false,
      })
  })
  .pipe(sharedFields)

export const schema: z.ZodType<RateLimitOptions> = strict(
  {
    requests: amount.optional(),
    period: period.optional(),
    burst: amount.optional(),
    rates: z.array(rate).optional(),
    key: z
      .string()
      .default('client.ip')
      .superRefine((text, context) => {
        const parsed = parseLimitKey(text)
        if (!parsed.ok) context.addIssue(parsed.message)
      }),
    ratesHeader: fieldName.nullable().default(null),
    headers: z.boolean().default(true),
    redis: redis.nullable().default(null),
  },
  'How many requests pass, and whose are counted together.',
).transform(({ requests, period, burst, rates, ...rest }, context) => {
  const fail = (message: string): never => {
    context.addIssue(message)
    return z.NEVER
  }
  const isSingle = requests !== undefined || period !== undefined || burst !== undefined
  if (rates !== undefined) {
    if (isSingle) return fail('rates stand in place of requests, period and burst, not beside them')
    const keyed = toKeyedRates(rates.map(toSpec))
    return typeof keyed === 'string' ? fail(`rates: ${keyed}`) : { ...rest, rates }
  }
  if (requests === undefined) return fail('requests: is missing: how many in a period')
  const only = toDeclared({ requests, period: period ?? '1s', burst }, context)
  return { ...rest, rates: [only] }
})

function toDeclared(
  {
    requests,
    period,
    burst = requests,
  }: { requests: number; period: string; burst?: number | undefined },
  context: z.RefinementCtx,
): DeclaredRate {
  const declared = { requests, period, burst }
  const parsed = toRate(toSpec(declared))
  if (typeof parsed !== 'string') return declared
  context.addIssue(parsed)
  return z.NEVER
}

/** Of rates that were parsed. */
export function toSpec({ requests, period, burst }: DeclaredRate): RateSpec {
  return { requests, periodMs: durationMs(period), burst }
}
