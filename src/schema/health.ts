/** The schema of health checks. */
import { RE2JS, RE2JSException } from 're2js'
import * as z from 'zod'
import { DAY_MS, formatDuration } from '../model/units.ts'
import {
  type Complain,
  count,
  duration,
  meaning,
  scalar,
  share,
  span,
  strict,
  whole,
} from '../options/fields.ts'
import { type Scalar, bad, good, quote } from '../model/parsed.ts'
import { refuseRequestHeader } from '../options/header-fields.ts'
import type { HealthCheck } from '../model/snapshot.ts'

export type Statuses = readonly (readonly [from: number, to: number])[]

const MAX_FIELDS = 20
const MAX_VALUE = 4096
const MAX_RANGES = 20
const MAX_PATTERN = 1024
const MAX_PROGRAM = 4096
const SHORTEST_INTERVAL_MS = 10
const NORMAL_TIMEOUT_MS = 2_000
const HTTP_KEYS = ['path', 'method', 'host', 'headers', 'status', 'body'] as const

export const path: z.ZodType<string> = scalar(
  (value) =>
    typeof value === 'string' && /^\/[!"$-~]{0,2047}$/.test(value)
      ? good(value)
      : bad(`must begin with / and hold visible characters only, not ${quote(value)}`),
  { type: 'string', pattern: '^/', description: 'The path to request; / by default.' },
)

export const host: z.ZodType<string> = scalar(
  (value) =>
    typeof value === 'string' && /^[A-Za-z0-9._\-:[\]]{1,255}$/.test(value)
      ? good(value)
      : bad(`must be the name of a host, not ${quote(value)}`),
  { type: 'string', description: "The Host to send; the server's own by default." },
)

export const headers: z.ZodType<Readonly<Record<string, string>>> = scalar(parseFields, {
  type: 'object',
  maxProperties: MAX_FIELDS,
  additionalProperties: { type: 'string' },
  description: 'Headers of the probe.',
})

export const status: z.ZodType<Statuses> = scalar(parseStatuses, {
  description: 'Healthy statuses: 200, "200-399", or a list of these. 200-399 by default.',
  anyOf: [
    { type: ['integer', 'string'] },
    { type: 'array', items: { type: ['integer', 'string'] }, maxItems: MAX_RANGES },
  ],
})

export const body: z.ZodType<string> = scalar(parsePattern, {
  type: 'string',
  maxLength: MAX_PATTERN,
  description: 'A regular expression of RE2 that the body has to match.',
})

const grpc = strict(
  {
    service: z.string().max(1024, 'must be at most 1024 characters long').default('').meta({
      description: 'The service to ask for; the server as a whole by default.',
    }),
  },
  'Call grpc.health.v1.Health/Check over HTTP/2 instead of a request.',
)

const formSchema = strict(
  {
    kind: z
      .enum(['http', 'tcp'])
      .optional()
      .meta({
        description:
          'tcp: a server that accepts a connection is healthy. By default tcp for servers with tcp:// or tls://, if nothing of a ' +
          'request is set, else http.',
      }),
    grpc: grpc.optional(),
    path: path.optional(),
    method: z.enum(['GET', 'HEAD', 'OPTIONS', 'POST']).optional().meta({
      description: 'GET by default.',
    }),
    host: host.optional(),
    headers: headers.optional(),
    status: status.optional(),
    body: body.optional(),
    port: whole("Another port than the server's.", 1, 65_535).optional(),
    interval: duration('Between two probes.', '5s', SHORTEST_INTERVAL_MS, DAY_MS),
    downInterval: span(
      'The same while it is down; by default as interval.',
      SHORTEST_INTERVAL_MS,
      DAY_MS,
    ).optional(),
    timeout: span(
      'For one probe, not longer than interval. By default 2s, or interval if that is shorter.',
      1,
      DAY_MS,
    ).optional(),
    rise: count('Consecutive successes until a server is up.', 2, 1, 100),
    fall: count('Consecutive failures until it is down.', 3, 1, 100),
    jitter: share('How much longer or shorter each interval is, at random.', '10%'),
    waitHealthy: z.boolean().default(true).meta({
      description: 'A new server gets no requests before its first success.',
    }),
  },
  'How servers are probed.',
)

export const health: z.ZodType<HealthCheck> = meaning(formSchema, toHealthCheck)

function toHealthCheck(form: z.output<typeof formSchema>, complain: Complain): HealthCheck {
  const { interval, downInterval, timeout, rise, fall, jitter, waitHealthy } = form
  const isGrpc = form.grpc !== undefined
  if (timeout !== undefined && timeout > interval) {
    const longest = formatDuration(interval)
    complain(
      `must not be longer than interval (${longest}), because the probes of a server do not overlap`,
      ['timeout'],
    )
  }
  return {
    http: form.kind === 'tcp' || isGrpc ? toNone(form, complain) : toHttp(form, complain),
    grpc: form.grpc ?? null,
    port: form.port ?? null,
    intervalMs: interval,
    downIntervalMs: downInterval ?? interval,
    timeoutMs: timeout ?? Math.min(NORMAL_TIMEOUT_MS, interval),
    rise,
    fall,
    jitter,
    waitHealthy,
  }
}

function toHttp(form: z.output<typeof formSchema>, complain: Complain): HealthCheck['http'] {
  const { path = '/', method = 'GET', host = null, headers = {}, body = null } = form
  if (method === 'HEAD' && body !== null) {
    complain('is not used with method: HEAD, whose responses have none', ['body'])
  }
  const isDeclared = form.kind !== undefined || HTTP_KEYS.some((key) => form[key] !== undefined)
  return { isDeclared, method, path, host, headers, statuses: form.status ?? [[200, 399]], body }
}

function toNone(form: z.output<typeof formSchema>, complain: Complain): null {
  const isGrpc = form.grpc !== undefined
  if (isGrpc && form.kind !== undefined) complain('is not used with grpc', ['kind'])
  for (const key of HTTP_KEYS) {
    if (form[key] === undefined) continue
    complain(isGrpc ? 'is not used with grpc' : 'is used with kind: http only', [key])
  }
  return null
}

function parseFields(value: unknown): Scalar<Readonly<Record<string, string>>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad(`must be a map of names to texts, not ${quote(value)}`)
  }
  const fields = Object.entries(value)
  if (fields.length > MAX_FIELDS) {
    return bad(`must hold at most ${MAX_FIELDS} fields, not ${fields.length}`)
  }
  for (const [name, text] of fields) {
    const reason = refuseRequestHeader(name, text)
    if (reason !== null) return bad(reason)
    if (String(text).length > MAX_VALUE) {
      return bad(`the value of ${quote(name)} must be at most ${MAX_VALUE} characters long`)
    }
  }
  return good(Object.fromEntries(fields) as Record<string, string>)
}

function parseStatuses(value: unknown): Scalar<Statuses> {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (items.length === 0 || items.length > MAX_RANGES) {
    return bad(`must hold 1 to ${MAX_RANGES} statuses, not ${items.length}`)
  }
  const ranges: (readonly [number, number])[] = []
  for (const item of items) {
    const match = /^(\d{3})(?:-(\d{3}))?$/.exec(
      typeof item === 'number' || typeof item === 'string' ? String(item) : '',
    )
    const from = Number(match?.[1])
    const to = Number(match?.[2] ?? match?.[1])
    if (match === null || from < 200 || to > 599 || from > to) {
      return bad(`must be 200 to 599, as 204 or "200-399", not ${quote(item)}`)
    }
    ranges.push([from, to])
  }
  return good(ranges)
}

function parsePattern(value: unknown): Scalar<string> {
  if (typeof value !== 'string' || value === '') return bad(`must be text, not ${quote(value)}`)
  if (value.length > MAX_PATTERN) {
    return bad(`must be at most ${MAX_PATTERN} characters long, not ${value.length}`)
  }
  try {
    const steps = RE2JS.compile(value).programSize()
    return steps <= MAX_PROGRAM
      ? good(value)
      : bad(`compiles to ${steps} steps; at most ${MAX_PROGRAM} are allowed`)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const reason = error.message.replace(/^error parsing regexp: /, '')
    return bad(`is not a regular expression of RE2: ${reason}`)
  }
}
