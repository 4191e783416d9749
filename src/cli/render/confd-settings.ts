/** The settings of a run in confd's place: its flags, above its configuration file, above its defaults. */
import { join, resolve } from 'node:path'
import { readToml } from '../../document/toml.ts'
import { messageOf } from '../../model/error-message.ts'
import { quote } from '../../model/parsed.ts'
import type { ResolverSettings } from '../../model/settings.ts'
import { didYouMean } from '../../model/suggest.ts'
import type { KeySourceSpec } from '../../model/template-settings.ts'
import { parseDuration } from '../../model/units.ts'
import { parseKeySource } from '../../schema/key-source.ts'
import type { ConfdFlags } from './words.ts'

export interface ConfdSettings {
  readonly confdir: string
  readonly source: KeySourceSpec
  readonly prefix: string
  readonly isOnce: boolean
  readonly isWatching: boolean
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly noop: boolean
  readonly syncOnly: boolean
  readonly keepStage: boolean
  readonly level: Level
  /** What has no effect. */
  readonly remarks: readonly string[]
}

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof LEVELS)[number]

export interface ConfdWorld {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file; throws with a reason. */
  readonly readFile: (path: string) => string
  readonly isThere: (path: string) => boolean
  readonly resolver: ResolverSettings
}

const CONFDIR = '/etc/confd'
const DAY_S = 86_400
/** What a timer can wait for. */
const LONGEST_INTERVAL_S = 24 * DAY_S

/** From the keys of the file to the flags that they stand for. */
const FILE_KEYS: Readonly<Record<string, string>> = {
  ...{ backend: 'backend', confdir: 'confdir', prefix: 'prefix', interval: 'interval' },
  ...{ noop: 'noop', watch: 'watch', 'sync-only': 'sync-only', scheme: 'scheme' },
  ...{ client_cakeys: 'client-ca-keys', client_cert: 'client-cert', client_key: 'client-key' },
  ...{ basic_auth: 'basic-auth', username: 'username', password: 'password' },
  ...{ keepstagefile: 'keep-stage-file', 'log-level': 'log-level', nodes: 'node', file: 'file' },
  secret_keyring: 'secret-keyring',
}
const SWITCHES: ReadonlySet<string> = new Set([
  ...['noop', 'watch', 'sync-only', 'basic-auth', 'keep-stage-file', 'onetime'],
])

/** @throws {Error} a setting has no meaning, or the file cannot be read */
export function resolveConfd(written: ConfdFlags, world: ConfdWorld): ConfdSettings {
  const { flags } = written
  const remarks: string[] = []
  const base = resolve(flags['confdir'] ?? CONFDIR)
  const file = readFile(flags['config-file'] ?? null, base, world, remarks)
  const value = (name: string): string | undefined => {
    const found = flags[name] ?? file[name]
    return typeof found === 'string' && found !== '' ? found : undefined
  }
  const isOn = (name: string): boolean => flags[name] !== undefined || file[name] === true
  const list = (name: string, given: readonly string[]): readonly string[] =>
    given.length > 0 ? given : ((file[name] as readonly string[] | undefined) ?? [])
  const options: BackendOptions = {
    backend: value('backend') ?? 'etcd',
    nodes: list('node', written.nodes),
    files: list('file', written.files),
    scheme: value('scheme') ?? 'http',
    ca: value('client-ca-keys') ?? (world.env['CONFD_CLIENT_CAKEYS'] || undefined),
    cert: value('client-cert') ?? (world.env['CONFD_CLIENT_CERT'] || undefined),
    key: value('client-key') ?? (world.env['CONFD_CLIENT_KEY'] || undefined),
    username: value('username'),
    password: value('password'),
    keyring: value('secret-keyring'),
  }
  const isGiven = (name: string): boolean => flags[name] !== undefined || file[name] !== undefined
  remarks.push(...unusedFlags(options, isGiven))
  const timeout = parseDuration(value('timeout') ?? '60s', 10, DAY_S * 1000)
  if (!timeout.ok) throw new Error(`--timeout ${timeout.reason}`)
  return {
    confdir: resolve(value('confdir') ?? base),
    source: toSource(options, world),
    prefix: value('prefix') ?? '',
    isOnce: isOn('onetime'),
    isWatching: isOn('watch'),
    intervalMs: parseSeconds(value('interval') ?? '600') * 1000,
    timeoutMs: timeout.value,
    noop: isOn('noop'),
    syncOnly: isOn('sync-only'),
    keepStage: isOn('keep-stage-file'),
    level: parseLevel(value('log-level') ?? 'info'),
    remarks,
  }
}

type FileSettings = Readonly<Record<string, string | boolean | readonly string[]>>

/** By the names of flags. */
function readFile(
  named: string | null,
  confdir: string,
  { readFile: read, isThere }: ConfdWorld,
  remarks: string[],
): FileSettings {
  const path = named ?? join(confdir, 'confd.toml')
  if (named === null && !isThere(path)) return {}
  let root: Readonly<Record<string, unknown>>
  try {
    root = readToml(read(path))
  } catch (cause) {
    const reason = messageOf(cause)
    throw new Error(`${path}: ${reason}`, { cause })
  }
  const settings: Record<string, string | boolean | readonly string[]> = {}
  for (const [written, value] of Object.entries(root)) {
    const key = written.toLowerCase()
    const flag = FILE_KEYS[key]
    if (flag === undefined) {
      remarks.push(`${path}: ${key} has no effect${didYouMean(key, Object.keys(FILE_KEYS))}`)
    } else settings[flag] = readSetting(flag, value, `${path}: ${key}`)
  }
  return settings
}

function readSetting(flag: string, value: unknown, where: string): string | boolean | string[] {
  if (SWITCHES.has(flag)) {
    if (typeof value === 'boolean') return value
    throw new Error(`${where} must be true or false, not ${quote(value)}`)
  }
  if (flag === 'node' || flag === 'file') {
    const all: unknown[] = Array.isArray(value) ? value : [value]
    if (all.every((one): one is string => typeof one === 'string')) return all
    throw new Error(`${where} must be a list of texts`)
  }
  if (flag === 'interval' && typeof value === 'number') return String(value)
  if (typeof value === 'string') return value
  throw new Error(`${where} must be text, not ${quote(value)}`)
}

interface BackendOptions {
  readonly backend: string
  readonly nodes: readonly string[]
  readonly files: readonly string[]
  readonly scheme: string
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly keyring: string | undefined
}

const TLS_FLAGS = ['client-ca-keys', 'client-cert', 'client-key']
const LOGIN_FLAGS = ['basic-auth', 'username', 'password']
const ETCD_FLAGS = ['node', 'scheme', 'secret-keyring', ...TLS_FLAGS, ...LOGIN_FLAGS]
/** Of each backend, the flags that say where it is and how it is reached. */
const BACKEND_FLAGS: Readonly<Record<string, readonly string[]>> = {
  etcd: ETCD_FLAGS,
  etcdv3: ETCD_FLAGS,
  consul: ['node', 'scheme', 'secret-keyring', ...TLS_FLAGS],
  redis: ['node', 'secret-keyring', 'client-key', 'username', 'password'],
  zookeeper: ['node', 'secret-keyring', ...LOGIN_FLAGS],
  env: [],
  file: ['file'],
}
const BACKENDS = Object.keys(BACKEND_FLAGS)

function unusedFlags(
  { backend, username }: BackendOptions,
  isGiven: (name: string) => boolean,
): readonly string[] {
  const used = BACKEND_FLAGS[backend] ?? []
  const unused = ['file', ...ETCD_FLAGS].filter((name) => isGiven(name) && !used.includes(name))
  const remarks = unused.map((name) => `${name} has no effect with the backend ${backend}`)
  const isAlone = isGiven('basic-auth') && used.includes('basic-auth') && username === undefined
  return isAlone ? [...remarks, 'basic-auth has no effect without username'] : remarks
}

function toSource(options: BackendOptions, world: ConfdWorld): KeySourceSpec {
  const { backend } = options
  if (!BACKENDS.includes(backend)) {
    const why = `must be one of ${BACKENDS.join(', ')}, not ${quote(backend)}`
    throw new Error(`--backend ${why}${didYouMean(backend, BACKENDS)}`)
  }
  // A path of a flag starts where the command runs.
  const place = { filename: resolve('confd.toml'), data: '', resolver: world.resolver }
  const parsed = parseKeySource(toForm(options), {}, [], place)
  if (parsed.ok) return parsed.value
  const reasons = parsed.problems.map(({ message }) => message.replace(/^source\.?/, ''))
  throw new Error(`the backend ${backend}: ${reasons.join('; ')}`)
}

function toForm(options: BackendOptions): Readonly<Record<string, unknown>> {
  const { backend, nodes, files, ca, cert, key, username, password, keyring } = options
  const decrypt = keyring === undefined ? {} : { decrypt: { keyring } }
  const hasTls = ca !== undefined || cert !== undefined
  const tls = hasTls ? { tls: withoutUndefined({ ca, cert, key }) } : {}
  const login = withoutUndefined({ username, password })
  switch (backend) {
    case 'env':
      return { kind: 'environment' }
    case 'file':
      return { kind: 'files', paths: files }
    case 'consul':
      return {
        kind: 'consul-kv',
        endpoints: withScheme(nodes, '127.0.0.1:8500', options.scheme),
        ...{ ...tls, ...decrypt },
      }
    case 'redis':
      return { kind: 'redis', ...redisNode(nodes), ...redisLogin(options), ...decrypt }
    case 'zookeeper':
      return { kind: 'zookeeper', endpoints: orElse(nodes, '127.0.0.1:2181'), ...login, ...decrypt }
    default:
      return {
        kind: 'etcd',
        endpoints: withScheme(nodes, '127.0.0.1:2379', options.scheme),
        ...{ ...tls, ...login, ...decrypt },
      }
  }
}

/** `host:port/2`: with a database. */
function redisNode(nodes: readonly string[]): Readonly<Record<string, unknown>> {
  const [, address = '', database] = /^([^/]*)(?:\/(\d{1,5}))?$/.exec(nodes[0] ?? '') ?? []
  if (nodes.length === 0) return { endpoints: ['127.0.0.1:6379'] }
  if (nodes.length > 1) throw new Error('--node: Redis has one node; name the one to read')
  if (address === '')
    throw new Error(`--node: must be HOST:PORT or HOST:PORT/DATABASE, not ${quote(nodes[0])}`)
  return { endpoints: [address], ...(database === undefined ? {} : { database: Number(database) }) }
}

function redisLogin({ username, password, key }: BackendOptions): object {
  return withoutUndefined({ username, password: password ?? key })
}

function withScheme(
  nodes: readonly string[],
  otherwise: string,
  scheme: string,
): readonly string[] {
  if (scheme !== 'http' && scheme !== 'https')
    throw new Error(`--scheme must be http or https, not ${quote(scheme)}`)
  return orElse(nodes, otherwise).map((node) =>
    node.includes('://') ? node : `${scheme}://${node}`,
  )
}

function orElse(nodes: readonly string[], otherwise: string): readonly string[] {
  return nodes.length > 0 ? nodes : [otherwise]
}

function withoutUndefined(map: Readonly<Record<string, string | undefined>>): object {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined))
}

function parseSeconds(text: string): number {
  const seconds = /^\d{1,7}$/.test(text) ? Number(text) : 0
  if (seconds >= 1 && seconds <= LONGEST_INTERVAL_S) return seconds
  throw new Error(
    `--interval must be seconds, from 1 to ${LONGEST_INTERVAL_S} (24 days), not ${quote(text)}`,
  )
}

function parseLevel(text: string): Level {
  const found = LEVELS.find((level) => level === text)
  if (found !== undefined) return found
  throw new Error(`--log-level must be one of ${LEVELS.join(', ')}, not ${quote(text)}`)
}
