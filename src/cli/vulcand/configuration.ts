/** From the flags of vulcand to the configuration of Sluice that means the same: its text could be written in a file. */
import { bracketHost, parseAddress } from '../../model/address.ts'
import { escapeReferences } from '../../document/references.ts'
import { isLoopbackHost } from '../../model/ip.ts'
import { quote, type JsonMap } from '../../model/parsed.ts'
import { formatDuration, splitList } from '../../model/units.ts'
import type { LogForm } from '../../observe/log-forms.ts'
import { parseGoDuration } from '../../model/go-duration.ts'
import { VULCAND_FLAGS, type GivenFlags, type VulcandFlag } from './flags.ts'
import { parseGoBool } from './go-flags.ts'
import { remarkFlags } from './remarks.ts'

export interface VulcandConfiguration {
  /** In the form of Sluice's file. */
  readonly document: JsonMap
  /** Of -config: a file of Sluice beside it; null: there is none. */
  readonly file: string | null
  /** Of the program's own log. */
  readonly logForm: LogForm
  readonly pidPath: string | null
  /** What flags do not do here: a line each. */
  readonly remarks: readonly string[]
}

export interface VulcandWorld {
  /** Makes a path absolute. */
  readonly resolve: (path: string) => string
  /** A folder that goes with the program. */
  readonly temporary: () => string
}

/** Why the flags stand for no configuration. */
export class FlagError extends Error {
  override readonly name = 'FlagError'
}

/** Throws FlagError. */
export function toConfiguration(given: GivenFlags, world: VulcandWorld): VulcandConfiguration {
  const flags = readerOf(given)
  const engine = flags.text('engine')
  if (engine !== 'etcd' && engine !== 'memng') {
    throw new FlagError(`-engine: must be etcd or memng, not ${quote(engine)}`)
  }
  const isInMemory = engine === 'memng'
  const readMs = flags.ms(flags.has('serverReadTimeout') ? 'serverReadTimeout' : 'readTimeout')
  const writeMs = flags.ms(flags.has('serverWriteTimeout') ? 'serverWriteTimeout' : 'writeTimeout')
  const data = flags.text('data') || `/var/lib/sluice/vulcand-${flags.whole('port')}`
  return {
    document: {
      admin: toAdmin(flags),
      log: { level: toLevel(flags), access: 'off' },
      routing: { order: 'vulcand' },
      errors: { form: 'vulcand' },
      ...toStatsd(flags),
      // No response of vulcand lasts longer.
      drain: formatDuration(Math.min(readMs + writeMs, HOUR_MS)),
      data: isInMemory ? world.temporary() : world.resolve(data),
      ...(flags.flag('trustForwardHeader') ? { trusted: EVERY_PEER } : {}),
      sources: isInMemory
        ? { memng: { kind: 'store', required: false } }
        : { etcd: toEtcd(flags, readMs, world) },
      ...(flags.flag('default-listener') ? { listeners: toListener(flags, readMs) } : {}),
    },
    file: flags.text('config') || null,
    logForm: toLogForm(flags),
    pidPath: flags.text('pidPath') || null,
    remarks: remarkFlags(flags),
  }
}

const HOUR_MS = 3_600_000
const EVERY_PEER = ['0.0.0.0/0', '::/0']

export interface Flags {
  has(name: VulcandFlag): boolean
  /** What was written last, or the default. */
  text(name: VulcandFlag): string
  texts(name: VulcandFlag): readonly string[]
  whole(name: VulcandFlag): number
  ms(name: VulcandFlag): number
  flag(name: VulcandFlag): boolean
}

function readerOf(given: GivenFlags): Flags {
  const text = (name: VulcandFlag): string => given.get(name)?.at(-1) ?? VULCAND_FLAGS[name].normal
  return {
    has: (name) => given.has(name),
    text,
    texts: (name) => given.get(name) ?? [],
    whole: (name) => Number(text(name)),
    ms: (name) => Math.round(Number(parseGoDuration(text(name)))),
    flag: (name) => parseGoBool(text(name)) === true,
  }
}

/**
 * Open to every client, as vulcand's API is, until the file of -config says who may use it. All kinds of names lead to all
 * interfaces, so any Host is taken there.
 */
function toAdmin(flags: Flags): JsonMap {
  const host = flags.text('apiInterface')
  const address = toAddress(host, flags.whole('apiPort'), 'apiInterface')
  return isLoopbackHost(host) ? { address } : { address, hosts: ['*'], anonymous: 'write' }
}

function toAddress(host: string, port: number, name: VulcandFlag): string {
  const address = `${bracketHost(host.replace(/^\[(.*)\]$/, '$1'))}:${port}`
  const parsed = parseAddress(address)
  if (parsed.ok) return address
  throw new FlagError(`-${name}: ${parsed.reason}`)
}

/** The prefix alone sends nothing, as in vulcand. */
function toStatsd(flags: Flags): JsonMap {
  const address = flags.text('statsdAddr')
  const prefix = flags.text('statsdPrefix').replace(/\.$/, '')
  return address === '' ? {} : { statsd: { address, ...(prefix === '' ? {} : { prefix }) } }
}

function toLevel(flags: Flags): string {
  if (flags.flag('etcdDebug')) return 'debug'
  const severity = flags.text('logSeverity').toLowerCase()
  if (severity === 'panic') return 'fatal'
  return severity === 'warning' ? 'warn' : severity
}

function toLogForm(flags: Flags): LogForm {
  const form = flags.text('log')
  return form === 'json' || form === 'logstash' ? form : 'console'
}

function toEtcd(flags: Flags, readMs: number, world: VulcandWorld): JsonMap {
  if (flags.whole('etcdApiVer') !== 3) {
    throw new FlagError(
      `-etcdApiVer: only the API 3 of etcd is spoken, not ${flags.text('etcdApiVer')}: write the objects to the API 3 once (docs/migrating/vulcand.md), and leave this flag out`,
    )
  }
  const endpoints = flags.texts('etcd').flatMap(splitList)
  if (endpoints.length === 0) {
    throw new FlagError(
      '-etcd is missing: the URL of an etcd, such as -etcd=http://127.0.0.1:2379; -engine=memng needs none',
    )
  }
  const tls = toTls(flags, world)
  const sealKey = flags.text('sealKey')
  const username = flags.text('etcdUsername')
  const source = {
    endpoints,
    layout: 'vulcand',
    prefix: flags.text('etcdKey'),
    ...(sealKey === '' ? {} : { sealKey }),
    ...(username === '' ? {} : { username, password: flags.text('etcdPassword') }),
    ...(tls === null ? {} : { tls }),
    vulcand: toDaemonFlags(flags, readMs),
  }
  // A password may look like a reference to a variable.
  return escapeReferences(source) as JsonMap
}

function toTls(flags: Flags, world: VulcandWorld): JsonMap | null {
  const files = { ca: 'etcdCaFile', cert: 'etcdCertFile', key: 'etcdKeyFile' } as const
  const named = Object.entries(files).flatMap(([member, name]) => {
    const path = flags.text(name)
    return path === '' ? [] : [[member, world.resolve(path)] as const]
  })
  const isUnverified = flags.flag('etcdInsecureSkipVerify')
  if (named.length === 0 && !isUnverified && !flags.flag('etcdEnableTLS')) return null
  return { ...Object.fromEntries(named), ...(isUnverified ? { verify: false } : {}) }
}

function toDaemonFlags(flags: Flags, readMs: number): JsonMap {
  const dialMs = flags.ms('endpointDialTimeout')
  const aliases = toAliases(flags.text('aliases'))
  return {
    // In Go 0 is "no time limit"; a day is the longest.
    endpointDialTimeout: formatDuration(withinDay(dialMs)),
    serverReadTimeout: formatDuration(withinDay(readMs)),
    serverMaxHeaderBytes: maxHeaderBytes(flags),
    ...(Object.keys(aliases).length === 0 ? {} : { aliases }),
  }
}

function withinDay(ms: number): number {
  const day = 24 * HOUR_MS
  return ms === 0 ? day : Math.min(ms, day)
}

/** `Host("localhost")=Host("a.b"),...` */
function toAliases(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const parts = pair.split('=').map((part) => part.trim())
      const [from = '', to = ''] = parts
      if (parts.length === 2 && from !== '' && to !== '') return [from, to]
      throw new FlagError(
        `-aliases: ${quote(pair)} must be two parts of routes with one = between them: Host("localhost")=Host("a.b")`,
      )
    }),
  )
}

function toListener(flags: Flags, readMs: number): JsonMap {
  const limit = maxHeaderBytes(flags)
  const read = formatDuration(withinDay(readMs))
  return {
    DefaultListener: {
      address: toAddress(flags.text('interface'), flags.whole('port'), 'interface'),
      timeouts: { head: read, body: read, idle: read },
      limits: { head: limit, target: limit },
    },
  }
}

/** Within the limits of a listener. */
function maxHeaderBytes(flags: Flags): number {
  return Math.min(Math.max(flags.whole('serverMaxHeaderBytes'), 1024), 1024 ** 2)
}

/** A file of Sluice that means the same, for -printConfig. */
export function toFileText({ document, remarks }: VulcandConfiguration): string {
  return JSON.stringify(
    { ...(remarks.length === 0 ? {} : { 'x-notes': remarks }), ...document },
    null,
    2,
  )
}

const FLAG_OF: readonly (readonly [place: string, flag: VulcandFlag])[] = [
  ['/sources/etcd/endpoints', 'etcd'],
  ['/sources/etcd/prefix', 'etcdKey'],
  ['/sources/etcd/sealKey', 'sealKey'],
  ['/sources/etcd/username', 'etcdUsername'],
  ['/sources/etcd/password', 'etcdPassword'],
  ['/sources/etcd/tls', 'etcdCertFile'],
  ['/sources/etcd/vulcand/aliases', 'aliases'],
  ['/statsd/address', 'statsdAddr'],
  ['/statsd/prefix', 'statsdPrefix'],
  ['/data', 'data'],
]

/** The flag that a place in the document is of: `/sources/etcd/prefix`; null: several, or none. */
export function flagOfPlace(place: string): VulcandFlag | null {
  return FLAG_OF.find(([start]) => place.startsWith(start))?.[1] ?? null
}
