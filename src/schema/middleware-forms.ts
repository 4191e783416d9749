/**
 * The short forms of middlewares in a frontend. Their options are judged by the middleware catalog; here they only have to
 * be plain data, and what an editor is told of them is said.
 */
import * as z from 'zod'
import { breakerShape } from '../options/breaker.ts'
import { type Options, parseOptions } from '../model/options.ts'
import type { MiddlewareSpec } from '../model/snapshot.ts'

function options(forEditors: z.ZodType): z.ZodType<Options> {
  return z
    .unknown()
    .transform((value, context): Options => {
      const plain = parseOptions(value)
      if (plain.ok) return plain.value
      context.issues.push({ code: 'custom', message: plain.reason, input: value })
      return z.NEVER
    })
    .meta({ ...z.toJSONSchema(forEditors, { io: 'input' }), $schema: undefined })
}

function map(shape: Readonly<Record<string, z.ZodType>>, description: string): z.ZodType<Options> {
  return options(z.strictObject(shape).meta({ description }))
}

function number(description: string): z.ZodType {
  return z.number().optional().meta({ description })
}

function length(description: string): z.ZodType {
  return z
    .union([z.string(), z.int()])
    .optional()
    .meta({ description: `${description} As 10s or 500ms; a bare number is seconds.` })
}

function words(description: string): z.ZodType {
  return z.string().optional().meta({ description })
}

const fieldMap = z.record(z.string(), z.string())
const changes = z.strictObject({
  set: fieldMap.optional().meta({ description: 'Fields to replace or add.' }),
  add: fieldMap.optional().meta({ description: 'Fields to add beside those that are there.' }),
  remove: z.array(z.string()).optional().meta({ description: 'Names of fields to take away.' }),
})
const key = words('Whose: client.ip, client.ip/64, request.host or request.header.X-Key.')

const ratelimit = map(
  {
    requests: number('So many in each period.'),
    period: length('The period, 1s by default.'),
    burst: number('So many at once; as many as requests by default.'),
    key,
    rates: z
      .array(
        z.strictObject({
          requests: z.number(),
          period: z.union([z.string(), z.int()]).optional(),
          burst: z.number().optional(),
        }),
      )
      .optional()
      .meta({ description: 'Several rates, all of which have to be kept.' }),
    ratesHeader: words('A header field of the request that holds its rates as JSON.'),
    headers: z.boolean().default(true).meta({
      description: 'Whether answers tell what is left (RateLimit fields).',
    }),
    redis: z
      .looseObject({ url: z.string().meta({ description: 'redis://10.0.0.9:6379' }) })
      .optional()
      .meta({ description: 'Shared with other instances over a Redis.' }),
  },
  'At most so many requests in a time; further ones are answered with 429.',
)

const connlimit = map(
  { connections: number('So many at a time.'), key },
  'At most so many requests of one client at a time; further ones are answered with 429.',
)

const bodylimit = map(
  {
    size: z.union([z.string(), z.int()]).meta({ description: 'Of a request body, as 10MiB.' }),
  },
  'A request with a larger body is answered with 413.',
)

const inflight = map(
  {
    requests: number('So many at a time.'),
    queue: number('So many more wait for their turn.'),
    wait: length('And for so long at most.'),
  },
  'At most so many requests of this frontend at a time; further ones wait, or are answered with 503.',
)

const adaptive = map(
  {
    initial: number('The limit to begin with.'),
    min: number('It never falls below.'),
    max: number('It never rises above.'),
    tolerance: number('How much slower answers may become before it falls.'),
    smoothing: number('How much of each new limit is taken, 0 to 1.'),
  },
  "A limit of requests at a time that follows the backend's latency.",
)

const breaker = map(
  {
    ...breakerShape,
    fallback: z
      .looseObject({
        respond: z.looseObject({}).optional(),
        redirect: z.looseObject({}).optional(),
        backend: z.string().optional(),
      })
      .optional()
      .meta({ description: 'What answers meanwhile, one of these; 503 without it.' }),
  },
  'Asks servers no more for a while when too many of their answers are bad.',
)

const headers = map(
  {
    request: changes.optional().meta({ description: 'On the way to the server.' }),
    response: changes
      .optional()
      .meta({ description: 'On the way to the client, in every answer.' }),
  },
  'Header fields to change.',
)

const respond = map(
  {
    status: z.int().min(200).max(599).meta({ description: 'Of the answer.' }),
    body: z.string().default('').meta({ description: 'Text to send.' }),
    type: z.string().default('text/plain; charset=utf-8').meta({
      description: 'Content-Type of the body.',
    }),
    fields: fieldMap.optional().meta({ description: 'Header fields of the answer.' }),
  },
  'Answer without asking a server.',
)

const redirect = map(
  {
    to: words(
      'Where to: https://vote.example, or a path. {scheme}, {host}, {port}, {path}, {query} and {uri} stand for what was asked for.',
    ),
    scheme: z.enum(['http', 'https']).optional().meta({
      description:
        'Instead of "to": to the host and path asked for by this scheme. What came by it passes, to the backend or respond.',
    }),
    port: z.int().min(1).max(65_535).optional().meta({
      description: "Of that scheme; the scheme's own by default.",
    }),
    status: z.literal([301, 302, 303, 307, 308]).default(308).meta({
      description: '307 and 308 keep the method; 301 and 308 are remembered.',
    }),
    permanent: z.boolean().optional().meta({
      description: 'Instead of a status: true is 308, false is 307.',
    }),
    keepPath: z.boolean().default(false).meta({
      description: 'Append the path and query asked for.',
    }),
  },
  'Send the client elsewhere.',
)

/** The long form, which any kind has. */
export const middleware: z.ZodType<Options> = options(
  z
    .looseObject({ kind: z.string() })
    .meta({ description: 'A middleware: its kind and its options.' }),
)

type Forms<Kind extends string> = Readonly<Record<Kind, z.ZodOptional<z.ZodType<Options>>>>

/**
 * Outermost first, whatever the order they are written in: what is cheap to refuse by is asked first, and the breaker last,
 * so that it counts answers of servers and none of the refusals before it. A request's fields are edited behind them all: a
 * limiter's key is what the client sent.
 */
export const guardForms: Forms<
  'ratelimit' | 'connlimit' | 'bodylimit' | 'inflight' | 'adaptive' | 'breaker' | 'headers'
> = {
  ratelimit: ratelimit.optional(),
  connlimit: connlimit.optional(),
  bodylimit: bodylimit.optional(),
  inflight: inflight.optional(),
  adaptive: adaptive.optional(),
  breaker: breaker.optional(),
  headers: headers.optional(),
}

/** They answer by themselves. */
export const answerForms: Forms<'respond' | 'redirect'> = {
  respond: respond.optional(),
  redirect: redirect.optional(),
}

/**
 * The guards that are written. `headers` is two: what it changes of requests stands innermost, what it changes of answers
 * outermost, so that those of the limits have it, too.
 */
export function guardsOf(
  written: Readonly<Partial<Record<keyof typeof guardForms, Options | undefined>>>,
): MiddlewareSpec[] {
  const { headers, ...others } = written
  const { response, ...inner } = headers ?? {}
  if (response === undefined) return specsOf(guardForms, written)
  const specs = specsOf(guardForms, others)
  if (Object.keys(inner).length > 0) specs.push({ kind: 'headers', options: inner })
  return [{ kind: 'headers', options: { response } }, ...specs]
}

/** Nothing behind it is ever asked. A redirect to a scheme lets pass what came by it. */
export function alwaysAnswers({ kind, options }: MiddlewareSpec): boolean {
  return Object.hasOwn(answerForms, kind) && !isToScheme(kind, options)
}

/** It goes before everything else: what follows sees only what came by that scheme. */
export function isToScheme(kind: string, options: unknown): boolean {
  return kind === 'redirect' && Object.hasOwn(Object(options) as object, 'scheme')
}

/** Those of `forms` that are written. */
export function specsOf<Kind extends string>(
  forms: Forms<Kind>,
  written: Readonly<Partial<Record<NoInfer<Kind>, Options | undefined>>>,
): MiddlewareSpec[] {
  const specs: MiddlewareSpec[] = []
  for (const kind in forms) {
    const options = written[kind]
    if (options !== undefined) specs.push({ kind, options })
  }
  return specs
}
