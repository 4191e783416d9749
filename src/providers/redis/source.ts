/** A Redis, alone or a cluster. No message shows a password. */
import * as z from 'zod'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, quote, type Scalar } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { scalar, type Complain } from '../../options/fields.ts'
import {
  endpoints,
  parseEndpoint,
  readRegistry,
  registryLocation,
  registryOptions,
  withRegistryFiles,
  type Endpoints,
  type RegistryOptions,
} from '../registry/options.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'

interface RedisOptions extends RegistryOptions {
  /** The endpoints are seeds of a Redis Cluster. */
  readonly cluster: boolean
  readonly database: number
}

export type RedisSource = SourceSpec & RedisOptions

/** What a client needs. */
export type RedisAccess = Pick<
  RedisOptions,
  'endpoints' | 'cluster' | 'database' | 'username' | 'password' | 'tls'
>

const NORMAL_PORT = 6379
const MAX_DATABASE = 65_535

const client = onDemand('the client of Redis', () => import('./redis-provider.ts'))

interface PlaceForm {
  readonly url?: RedisUrl | undefined
  readonly endpoints?: Endpoints | undefined
  readonly cluster: boolean
  readonly database?: number | undefined
}

/** Where it is, in either form. */
export const redisOptions: { readonly [Key in keyof PlaceForm]-?: z.ZodType<PlaceForm[Key]> } = {
  url: scalar(parseUrl, {
    type: 'string',
    description: 'redis://user:password@host:6379/0 instead of endpoints; rediss:// for TLS.',
  }).optional(),
  endpoints: endpoints(NORMAL_PORT).optional(),
  cluster: z
    .boolean()
    .default(false)
    .meta({ description: 'The endpoints are seeds of a Redis Cluster.' }),
  database: scalar(parseDatabase, {
    type: 'integer',
    minimum: 0,
    maximum: MAX_DATABASE,
    description: 'The number of the database.',
  }).optional(),
}

const options = { ...redisOptions, ...registryOptions }

export const redis: SourceKind = defineSource({
  kind: 'redis',
  description: 'A Redis.',
  options,
  read,
  locations: (spec) => [
    registryLocation(spec, spec.cluster ? ' cluster' : ` database ${spec.database}`),
  ],
  withFiles: withRegistryFiles,
  async open(spec, loadLayout) {
    const { createRedisProvider } = await client.load()
    return createRedisProvider(spec, await loadLayout(spec))
  },
  keys: {
    open: async (spec) => (await client.load()).openRedisKeyStore(spec),
    layout: (spec) => spec,
  },
})

function read(form: z.output<z.ZodObject<typeof options>>, complain: Complain): RedisOptions {
  const { isTls, ...access } = readRedisAccess(form, complain)
  return { ...access, ...readRegistry(form, isTls, complain) }
}

interface AccessForm extends PlaceForm {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** `isTls`: it is written so. */
export function readRedisAccess(
  form: AccessForm,
  complain: Complain,
): Omit<RedisAccess, 'tls'> & { readonly isTls: boolean } {
  const { url, cluster } = form
  for (const key of ['endpoints', 'database', 'username', 'password'] as const) {
    if (url === undefined || form[key] === undefined) continue
    if (key === 'endpoints' || url[key] !== null) complain('is said by the url already', [key])
  }
  if (url === undefined && form.endpoints === undefined) complain('needs a url or endpoints', [])
  const endpoints = url === undefined ? (form.endpoints?.addresses ?? []) : [url.endpoint]
  const database = form.database ?? url?.database ?? 0
  const username = form.username ?? url?.username ?? null
  const password = form.password ?? url?.password ?? null
  if (endpoints.length > 1 && !cluster) {
    complain('several are the seeds of a cluster: add cluster: true, or name one', ['endpoints'])
  }
  if (cluster && database !== 0) complain('a cluster has database 0 only', ['database'])
  if (username !== null && password === null) complain('needs a password', ['username'])
  const isTls = url?.isTls ?? form.endpoints?.isTls ?? false
  return { endpoints, cluster, database, username, password, isTls }
}

interface RedisUrl {
  readonly endpoint: string
  readonly isTls: boolean
  readonly username: string | null
  readonly password: string | null
  readonly database: number | null
}

const URL_FORM = 'must be as redis://user:password@host:6379/0'

function parseUrl(value: unknown): Scalar<RedisUrl> {
  const match =
    typeof value === 'string' && value.length <= 10_000
      ? /^(rediss?):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/]+)(?:\/(\d{1,5})?)?$/i.exec(value)
      : null
  if (match === null) return bad(`${URL_FORM}; a password has its / and @ as %2F and %40`)
  const [, scheme = '', username = '', password = '', address = '', database] = match
  const endpoint = parseEndpoint(address, NORMAL_PORT)
  if (endpoint === null) return bad(`${URL_FORM}; its host or port is not one`)
  if (!endpoint.ok) return endpoint
  if (Number(database ?? 0) > MAX_DATABASE) {
    return bad(`its database must be from 0 to ${MAX_DATABASE}`)
  }
  try {
    return good({
      endpoint: endpoint.value,
      isTls: scheme.toLowerCase() === 'rediss',
      username: decodeURIComponent(username) || null,
      password: decodeURIComponent(password) || null,
      database: database === undefined ? null : Number(database),
    })
  } catch {
    return bad(`${URL_FORM}; a % in its user or password is written %25`)
  }
}

function parseDatabase(value: unknown): Scalar<number> {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_DATABASE
    ? good(value)
    : bad(`must be a whole number from 0 to ${MAX_DATABASE}, not ${quote(value)}`)
}
