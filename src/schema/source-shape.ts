/** The kinds of sources as the file writes them. No message of theirs shows a password. */
import { isIPv6 } from 'node:net'
import * as z from 'zod'
import { MAX_PEM_CHARS } from './certificate.ts'
import { parseDuration } from '../model/units.ts'
import { section, scalar, serverName, strict, text } from '../options/fields.ts'
import { bracketHost, parseHost } from '../model/address.ts'
import { type Scalar, bad, good, quote } from '../model/parsed.ts'
import type { LayoutName } from '../model/source-spec.ts'

const MAX_ENDPOINTS = 100
const DAY_MS = 86_400_000

export interface Endpoints {
  /** `host:port`, canonical. */
  readonly addresses: readonly string[]
  /** They were written as https. */
  readonly isTls: boolean
}

export interface RedisUrl {
  readonly endpoint: string
  readonly isTls: boolean
  readonly username: string | null
  readonly password: string | null
  readonly database: number | null
}

interface CommonForm {
  readonly required: boolean
  readonly shrink: {
    /** Null: forever. */
    readonly hold: number | null
    readonly share: number
    readonly allowEmpty: boolean
  }
}

interface RegistryForm extends CommonForm {
  readonly prefix?: string | undefined
  readonly layout: LayoutName
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Paths, or PEM text. */
  readonly tls?:
    | {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
        readonly serverName?: string | undefined
        readonly verify: boolean
      }
    | undefined
  readonly sealKey?: string | undefined
}

export interface EtcdForm extends RegistryForm {
  readonly kind: 'etcd'
  readonly endpoints: Endpoints
}

export interface RedisForm extends RegistryForm {
  readonly kind: 'redis'
  readonly url?: RedisUrl | undefined
  readonly endpoints?: Endpoints | undefined
  readonly cluster: boolean
  readonly database?: number | undefined
}

interface FilesForm extends CommonForm {
  readonly kind: 'files'
  readonly directory: string
}

interface StoreForm extends CommonForm {
  readonly kind: 'store'
  readonly path?: string | undefined
}

export type SourceForm = EtcdForm | RedisForm | FilesForm | StoreForm

const shrink = section(
  {
    hold: scalar<number | null>(
      (value) => (value === 'forever' ? good(null) : parseDuration(value, 0, DAY_MS)),
      {
        type: ['string', 'integer'],
        description:
          'How long an emptied or suddenly halved source is held before it is believed: 10s, or forever for until an operator confirms it.',
      },
    ).prefault('10s'),
    share: z
      .number()
      .min(0, 'must be from 0 to 1')
      .max(1, 'must be from 0 to 1')
      .default(0.5)
      .meta({ description: 'The share of its objects that must vanish at once to be held.' }),
    allowEmpty: z
      .boolean()
      .default(false)
      .meta({ description: 'Believe at once that it is empty.' }),
  },
  'What happens when much of a source vanishes at once.',
)

const common = {
  required: z
    .boolean()
    .default(true)
    .meta({ description: 'Readiness waits for it, for as long as start says.' }),
  shrink,
}

const tls = strict(
  {
    ca: text(
      'The authorities to trust instead of the built-in ones: PEM text, or its path.',
      MAX_PEM_CHARS,
    ).optional(),
    cert: text('The certificate to show: PEM text, or its path.', MAX_PEM_CHARS).optional(),
    key: text('Its private key: PEM text, or its path.', MAX_PEM_CHARS).optional(),
    serverName: serverName("The name to verify instead of the endpoint's host.").optional(),
    verify: z.boolean().default(true).meta({ description: "Verify the registry's certificate." }),
  },
  'Speak TLS to it; empty is enough for the built-in authorities.',
)

const registry = {
  prefix: scalar(parsePrefix, {
    type: 'string',
    description: 'Where its keys begin; by layout /sluice, /vulcand or traefik.',
  }).optional(),
  layout: z
    .enum(['sluice', 'vulcand', 'traefik'] satisfies readonly LayoutName[])
    .default('sluice')
    .meta({ description: 'Whose keys they are.' }),
  username: secret('To log in with.').optional(),
  password: secret('To log in with; a reference keeps it out of the file.').optional(),
  tls: tls.optional(),
  sealKey: scalar(
    (value) =>
      typeof value === 'string' && /^[0-9a-f]{64}$/i.test(value)
        ? good(value)
        : bad('must be 64 hexadecimal digits'),
    { type: 'string', description: "Opens vulcand's sealed key pairs: 64 hexadecimal digits." },
  ).optional(),
}

const etcd = strict(
  {
    kind: z.literal('etcd').default('etcd'),
    endpoints: endpoints(2379),
    ...registry,
    ...common,
  },
  'An etcd, version 3.',
)

const redis = strict(
  {
    kind: z.literal('redis').default('redis'),
    url: scalar(parseRedisUrl, {
      type: 'string',
      description: 'redis://user:password@host:6379/0, or rediss:// for TLS.',
    }).optional(),
    endpoints: endpoints(6379).optional(),
    cluster: z
      .boolean()
      .default(false)
      .meta({ description: 'The endpoints are seeds of a Redis Cluster.' }),
    database: scalar(
      (value) =>
        typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535
          ? good(value)
          : bad(`must be a whole number from 0 to 65535, not ${quote(value)}`),
      { type: 'integer', minimum: 0, maximum: 65_535, description: 'Its number.' },
    ).optional(),
    ...registry,
    ...common,
  },
  'A Redis.',
)

const files = strict(
  {
    kind: z.literal('files').default('files'),
    directory: text('Whose *.yaml, *.yml and *.json are read; relative to this file.', 4096),
    ...common,
  },
  'A directory of files, each with sections of objects.',
)

const store = strict(
  {
    kind: z.literal('store').default('store'),
    path: text('Its file; store.db in the data folder by default.', 4096).optional(),
    ...common,
  },
  'The embedded store: one local file.',
)

export const SOURCE_SHAPES: {
  readonly etcd: z.ZodType<EtcdForm>
  readonly redis: z.ZodType<RedisForm>
  readonly files: z.ZodType<FilesForm>
  readonly store: z.ZodType<StoreForm>
} = { etcd, redis, files, store }

function secret(description: string): z.ZodType<string> {
  return scalar(
    (value) =>
      typeof value === 'string' && value.length > 0 && value.length <= 4096
        ? good(value)
        : bad('must be text of 1 to 4096 characters (digits alone need quotes)'),
    { type: 'string', description },
  )
}

function endpoints(port: number): z.ZodType<Endpoints> {
  return scalar((value) => parseEndpoints(value, port), {
    type: ['array', 'string'],
    items: { type: 'string' },
    description: `Where it listens: a list, or text with commas, of host:${port}.`,
  })
}

function parseEndpoints(value: unknown, normalPort: number): Scalar<Endpoints> {
  if (value === undefined) return bad('is missing')
  const written: unknown = typeof value === 'string' ? splitList(value) : value
  if (!Array.isArray(written) || written.length === 0) {
    return bad(`must be a list such as ["127.0.0.1:${normalPort}"], not ${quote(value)}`)
  }
  if (written.length > MAX_ENDPOINTS) return bad(`must hold at most ${MAX_ENDPOINTS} endpoints`)
  const addresses = new Set<string>()
  const schemes = new Set<string>()
  for (const one of written) {
    const match =
      typeof one === 'string' ? /^(?:(https?):\/\/)?([^/]*?)\/?$/i.exec(one.trim()) : null
    const address = match === null ? null : parseHostPort(match[2] ?? '', normalPort)
    if (address === null) return bad(`must be host:port, not ${hidden(one)}`)
    if (!address.ok) return address
    addresses.add(address.value)
    schemes.add(match?.[1]?.toLowerCase() ?? '')
  }
  if (schemes.has('https') && schemes.size > 1) return bad('must all be https, or none')
  return good({ addresses: [...addresses], isTls: schemes.has('https') })
}

/** What stands before an @ is a secret. */
function hidden(value: unknown): string {
  return typeof value === 'string' && value.includes('@') ? 'what is written' : quote(value)
}

function parseHostPort(written: string, normalPort: number): Scalar<string> | null {
  const match = /^(\[[^\]]*\]|[^:[\]@]+)(?::(\d{1,5}))?$/.exec(written)
  if (match === null) return isIPv6(written) ? parseHostPort(`[${written}]`, normalPort) : null
  const port = match[2] === undefined ? normalPort : Number(match[2])
  if (port < 1 || port > 65_535)
    return bad(`the port must be from 1 to 65535, not ${quote(String(port))}`)
  const host = parseHost(match[1] ?? '')
  return host.ok ? good(`${bracketHost(host.value)}:${port}`) : host
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** `/vulcand` and `vulcand` are different keys: a leading slash stays as it is. */
function parsePrefix(value: unknown): Scalar<string> {
  if (typeof value !== 'string') return bad(`must be text, not ${quote(value)}`)
  const prefix = value.replace(/\/$/, '')
  // Printable, in whole segments.
  return prefix.length <= 512 && /^\/?[^/\s\p{C}]+(?:\/[^/\s\p{C}]+)*$/u.test(prefix)
    ? good(prefix)
    : bad(`must be the beginning of keys such as /sluice or team/sluice, not ${quote(value)}`)
}

const REDIS_FORM = 'must be as redis://user:password@host:6379/0'

function parseRedisUrl(value: unknown): Scalar<RedisUrl> {
  const match =
    typeof value === 'string' && value.length <= 10_000
      ? /^(rediss?):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/]+)(?:\/(\d{1,5})?)?$/i.exec(value)
      : null
  if (match === null) return bad(`${REDIS_FORM}; a password has its / and @ as %2F and %40`)
  const [, scheme = '', username = '', password = '', address = '', database] = match
  const endpoint = parseHostPort(address, 6379)
  if (endpoint === null) return bad(`${REDIS_FORM}; its host or port is not one`)
  if (!endpoint.ok) return endpoint
  if (Number(database ?? 0) > 65_535) return bad('its database must be from 0 to 65535')
  try {
    return good({
      endpoint: endpoint.value,
      isTls: scheme.toLowerCase() === 'rediss',
      username: decodeURIComponent(username) || null,
      password: decodeURIComponent(password) || null,
      database: database === undefined ? null : Number(database),
    })
  } catch {
    return bad(`${REDIS_FORM}; a % in its user or password is written %25`)
  }
}
