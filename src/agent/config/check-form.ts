/** A check as the agent's own file writes it: a kind, its options, and when it is run. */
import * as z from 'zod'
import type { ReadPem } from '../../model/certificate.ts'
import { bracketHost, parseHost } from '../../model/address.ts'
import {
  bad,
  flaw,
  good,
  quote,
  refuse,
  type Flaw,
  type Parsed,
  type Path,
  type Scalar,
} from '../../model/parsed.ts'
import { speaksTls, type Scheme } from '../../model/server-url.ts'
import type { HealthCheck, Protocol } from '../../model/snapshot.ts'
import { DAY_MS } from '../../model/units.ts'
import { didYouMean } from '../../model/suggest.ts'
import { flag, scalar, span, strict, text, whole } from '../../options/fields.ts'
import { parseWith } from '../../options/parse.ts'
import { body, headers, host, path, status } from '../../schema/health.ts'
import { PROTOCOLS } from '../../schema/http2-to-servers.ts'
import {
  readTlsToServers,
  tlsToServers,
  type TlsToServersForm,
} from '../../schema/tls-to-servers.ts'
import type { CheckSpec, How } from '../spec/agent-spec.ts'
import { probeTarget } from './probe-target.ts'

const LEAST_INTERVAL_MS = 50
const DEFAULT_TIMEOUT_MS = 1_000
const SCHEMES = ['http', 'https', 'h2c'] as const

export const hostname: z.ZodType<string> = scalar(
  (value) =>
    typeof value === 'string' ? parseHost(value) : bad(`must be a host, not ${quote(value)}`),
  { type: 'string', description: 'A name or an address.' },
)

/** Of a service, and of each of its checks. */
export const interval: z.ZodType<number> = span(
  'Between the starts of two runs of a check.',
  LEAST_INTERVAL_MS,
  DAY_MS,
)

const common = {
  name: text('For the log; by default made of the kind and the place.', 256).optional(),
  interval: interval.optional(),
  timeout: span('For one run. By default 1s.', 1, DAY_MS).optional(),
  rise: whole('Consecutive successes until it passes again. By default 2.', 1, 100).optional(),
  fall: whole('Consecutive failures until it fails. By default 3.', 1, 100).optional(),
}

const place = {
  address: hostname.optional().meta({ description: "Another host than the service's." }),
  port: whole("Another port than the service's.", 1, 65_535).optional(),
}

const scheme = z.enum(SCHEMES).optional().meta({
  description: "How it is reached; by default by the service's scheme.",
})
const tls = tlsToServers

const secret = (description: string): z.ZodType<string | undefined> =>
  text(description, 4096).optional()

const SHAPES = {
  http: {
    ...place,
    path: path.optional(),
    method: z.enum(['GET', 'HEAD', 'OPTIONS', 'POST']).default('GET').meta({
      description: 'Of the request.',
    }),
    host: host.optional(),
    headers: headers.optional(),
    status: status.optional(),
    body: body.optional(),
    scheme,
    protocol: z.enum(PROTOCOLS).default('http/1.1').meta({ description: 'What is spoken.' }),
    tls,
  },
  tcp: place,
  grpc: {
    ...place,
    service: text('The service to ask for; the server as a whole by default.', 1024).optional(),
    scheme,
    tls,
  },
  redis: {
    ...place,
    username: secret('The user to log in as.'),
    password: secret('The password; a reference to a file or variable keeps it out of this file.'),
    tls: flag('Connect by TLS, with the built-in authorities.', false),
  },
  rabbitmq: {
    ...place,
    username: secret('The user to log in as; guest by default.'),
    password: secret('The password; guest by default.'),
    vhost: text('The virtual host; / by default.', 255).optional(),
    queue: text(
      'The queue that a message is sent through; by default one that the broker names and deletes.',
      255,
    ).optional(),
  },
  exec: {
    command: scalar<readonly string[]>(parseCommand, {
      type: ['array', 'string'],
      items: { type: 'string' },
      description:
        'A list: the program and its arguments. A text: what /bin/sh runs. Exit code 0 passes.',
    }),
  },
  noop: {},
} as const

type CheckKind = keyof typeof SHAPES

const KINDS = Object.keys(SHAPES) as readonly CheckKind[]

const DESCRIPTIONS: Readonly<Record<CheckKind, string>> = {
  http: 'A request of HTTP.',
  tcp: 'A connection.',
  grpc: 'A call of grpc.health.v1.Health/Check.',
  redis: 'PING, and a look at a key.',
  rabbitmq: 'A message through a queue.',
  exec: 'A program.',
  noop: 'Nothing: it always passes.',
}

const SCHEMAS = {
  http: strict(
    { kind: z.literal('http').default('http'), ...SHAPES.http, ...common },
    DESCRIPTIONS.http,
  ),
  tcp: strict({ kind: z.literal('tcp'), ...SHAPES.tcp, ...common }, DESCRIPTIONS.tcp),
  grpc: strict({ kind: z.literal('grpc'), ...SHAPES.grpc, ...common }, DESCRIPTIONS.grpc),
  redis: strict({ kind: z.literal('redis'), ...SHAPES.redis, ...common }, DESCRIPTIONS.redis),
  rabbitmq: strict(
    { kind: z.literal('rabbitmq'), ...SHAPES.rabbitmq, ...common },
    DESCRIPTIONS.rabbitmq,
  ),
  exec: strict({ kind: z.literal('exec'), ...SHAPES.exec, ...common }, DESCRIPTIONS.exec),
  noop: strict({ kind: z.literal('noop'), ...SHAPES.noop, ...common }, DESCRIPTIONS.noop),
}

/** For the JSON Schema. */
export const CHECK_SCHEMAS: readonly z.ZodType[] = Object.values(SCHEMAS)

/** The options that all have, and those of each kind. */
export const CHECK_TABLES: readonly (readonly [name: string, schema: z.ZodType])[] = [
  ['agent-check', z.object(common)],
  ...KINDS.filter((kind) => kind !== 'noop').map(
    (kind) => [`agent-check-${kind}`, z.object(SHAPES[kind])] as const,
  ),
]

/** Of the service that is checked. */
export interface CheckedService {
  readonly host: string
  readonly port: number
  readonly scheme: Scheme
  readonly intervalMs: number
}

export function parseCheck(
  written: unknown,
  at: Path,
  service: CheckedService,
  readFile: ReadPem,
): Parsed<CheckSpec> {
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    return refuse([flaw(at, `must be a map, not ${quote(written)}`)])
  const wanted: unknown = 'kind' in written ? written.kind : 'http'
  const kind = KINDS.find((one) => one === wanted)
  if (kind === undefined) {
    const near = typeof wanted === 'string' ? didYouMean(wanted, KINDS) : ''
    const list = `must be one of ${KINDS.join(', ')}, not ${quote(wanted)}${near}`
    return refuse([flaw([...at, 'kind'], list)])
  }
  const parsed = parseWith(SCHEMAS[kind] as z.ZodType<AnyForm>, written, at)
  if (!parsed.ok) return parsed
  const flaws: Flaw[] = []
  const hasTls = Object.hasOwn(written, 'tls')
  const how = readHow(parsed.value, { service, hasTls, at, readFile, flaws })
  if (flaws.length > 0) return refuse(flaws)
  const { name, interval, timeout, rise = 2, fall = 3 } = parsed.value
  const value = {
    name: name ?? nameOf(how),
    intervalMs: interval ?? service.intervalMs,
    timeoutMs: timeout ?? DEFAULT_TIMEOUT_MS,
    ...{ rise, fall, how },
  }
  return { ok: true, value }
}

type AnyForm = { [Kind in CheckKind]: z.output<(typeof SCHEMAS)[Kind]> }[CheckKind]

interface Reading {
  readonly service: CheckedService
  /** It is written. */
  readonly hasTls: boolean
  readonly at: Path
  readonly readFile: ReadPem
  readonly flaws: Flaw[]
}

function readHow(form: AnyForm, reading: Reading): How {
  const { service } = reading
  switch (form.kind) {
    case 'noop':
      return { kind: 'noop' }
    case 'exec': {
      const [command = '', ...args] = form.command
      return { kind: 'exec', command, args }
    }
    case 'redis': {
      const { address: host = service.host, port = service.port } = form
      const { username = null, password = null } = form
      if (username !== null && password === null) complain(reading, 'username', 'needs a password')
      return { kind: 'redis', host, port, username, password, tls: form.tls ? {} : null }
    }
    case 'rabbitmq': {
      const { address: host = service.host, port = service.port } = form
      const { username = 'guest', password = 'guest', vhost = '/', queue = null } = form
      return { kind: 'rabbitmq', host, port, username, password, vhost, queue }
    }
    case 'tcp':
      return readProbe(form, { http: null, grpc: null, scheme: 'tcp' }, reading)
    case 'grpc': {
      const scheme = form.scheme ?? (speaksTls(service.scheme) ? 'https' : 'h2c')
      const grpc = { service: form.service ?? '' }
      return readProbe(form, { http: null, grpc, scheme, protocol: 'h2' }, reading)
    }
    case 'http': {
      const { path = '/', method, host = null, headers = {}, body = null } = form
      if (method === 'HEAD' && body !== null)
        complain(reading, 'body', 'is not used with method: HEAD, whose responses have none')
      const statuses = form.status ?? [[200, 399] as const]
      const http = { isDeclared: true, method, path, host, headers, statuses, body }
      const scheme = form.scheme ?? (speaksTls(service.scheme) ? 'https' : 'http')
      return readProbe(form, { http, grpc: null, scheme, protocol: form.protocol }, reading)
    }
    default:
      return form satisfies never
  }
}

interface ProbeHow extends Pick<HealthCheck, 'http' | 'grpc'> {
  readonly scheme: Scheme
  readonly protocol?: Protocol
}

function readProbe(
  form: {
    readonly address?: string | undefined
    readonly port?: number | undefined
    readonly tls?: TlsToServersForm | undefined
  },
  { scheme, protocol = 'http/1.1', http, grpc }: ProbeHow,
  reading: Reading,
): How {
  const { service, hasTls, at, readFile, flaws } = reading
  const { address: host = service.host, port = service.port } = form
  if (hasTls && !speaksTls(scheme))
    complain(reading, 'tls', `is used with scheme: https only, not ${scheme}`)
  const written = form.tls ?? tlsToServers.parse(undefined)
  const tls = readTlsToServers(written, [...at, 'tls'], readFile, flaws)
  const wire = scheme === 'h2c' ? 'h2' : protocol
  return { kind: 'probe', target: probeTarget({ scheme, host, port, http, grpc, tls, wire }) }
}

function complain({ at, flaws }: Reading, key: string, what: string): void {
  flaws.push(flaw([...at, key], what))
}

/** `http 127.0.0.1:8080/health`. */
export function nameOf(how: How): string {
  switch (how.kind) {
    case 'noop':
      return 'noop'
    case 'exec':
      return `exec ${how.command}`
    case 'redis':
    case 'rabbitmq':
      return `${how.kind} ${bracketHost(how.host)}:${how.port}`
    case 'probe': {
      const { server, check } = how.target
      const where = `${bracketHost(server.host)}:${server.port}`
      if (check.http !== null) return `${server.scheme} ${where}${check.http.path}`
      return `${check.grpc === null ? 'tcp' : 'grpc'} ${where}`
    }
    default:
      return how satisfies never
  }
}

const SHELL = '/bin/sh'
const MAX_WORDS = 256
const MAX_WORD = 4096

export function parseCommand(value: unknown): Scalar<readonly string[]> {
  if (typeof value === 'string') return parseCommand(value === '' ? [] : [SHELL, '-c', value])
  if (!Array.isArray(value) || value.length === 0)
    return bad(`must be a command, or a list of a program and its arguments, not ${quote(value)}`)
  if (value.length > MAX_WORDS) return bad(`must hold at most ${MAX_WORDS} words`)
  const wrong = (value as readonly unknown[]).find(
    (word) => typeof word !== 'string' || word.length > MAX_WORD || word.includes('\0'),
  )
  if (wrong !== undefined || value[0] === '')
    return bad(`must hold texts of at most ${MAX_WORD} characters, not ${quote(wrong ?? '')}`)
  return good(value as readonly string[])
}
