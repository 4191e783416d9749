/** The words of `sluice bench` as options, every default filled and every number bounded. */
import { routingHost } from '../../http/message/authority.ts'
import { parseAddress } from '../../model/address.ts'
import { quote } from '../../model/parsed.ts'
import type { Address } from '../../model/snapshot.ts'
import { parseDuration } from '../../model/units.ts'
import { placeFlags, type SettingFlags } from '../serve-words.ts'
import { ADMIN_ADDRESS, type CommandSpec, CONFIG, type Words } from '../spec.ts'

export interface BenchOptions {
  /** What clients request. */
  readonly url: URL
  /** What is requested past Sluice; null: the servers that Sluice would choose from. */
  readonly direct: URL | null
  /** The listener to connect to; null: the one at the port of the url. */
  readonly via: Address | null
  /** The Host that is sent; null: that of the url. */
  readonly host: string | null
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  /** Null: none. `@FILE` as it was written. */
  readonly body: string | null
  readonly connections: number
  /** Of all measuring. */
  readonly durationMs: number
  readonly rounds: number
  /** Requests/s each way; null: first as many as there come, then at a rate that both ways can keep. */
  readonly rate: number | null
  /** Where the SVG goes; null: nowhere. */
  readonly picture: string | null
  readonly isJson: boolean
  /** Addresses that are neither loopback nor private may be loaded. */
  readonly mayLoadPublic: boolean
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

export interface BenchCommand {
  readonly kind: 'bench'
  readonly config: string | null
  readonly flags: SettingFlags
  readonly options: BenchOptions
}

export const BENCH: CommandSpec<BenchCommand> = {
  name: 'bench',
  usage: ['URL [flags]'],
  summary: 'measure a URL through Sluice and past it, and what Sluice adds',
  flags: {
    direct: {
      value: 'URL',
      text: 'what is requested past Sluice',
      doc: 'what is requested past Sluice; the admin is not read',
      default: 'the servers of the backend',
    },
    via: {
      value: 'ADDRESS',
      text: 'another listener, for a URL whose name does not lead there',
      default: 'the listener at the port of the URL',
    },
    host: { value: 'HOST', text: 'sent as Host', default: 'that of the URL' },
    connections: {
      value: 'N',
      text: 'at once, each way',
      doc: 'at once, each way, up to 5000',
      default: '32',
    },
    duration: { value: 'DURATION', text: 'of all measuring, 1s to 10m', default: '20s' },
    rounds: {
      value: 'N',
      text: 'windows of load each way, in turn',
      doc: 'windows of load each way in each phase',
      default: '4',
    },
    rate: {
      value: 'N',
      text: 'requests/s each way, at steady times, instead of two phases',
      doc: 'requests/s each way: one phase at this rate instead of the two',
    },
    method: {
      value: 'METHOD',
      text: 'GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS',
      doc: 'with `--body` `POST`',
      default: 'GET',
      completes: METHODS,
    },
    header: { value: "'NAME: VALUE'", text: 'sent with each request', isRepeated: true },
    body: {
      value: 'TEXT',
      text: 'sent with each request; @FILE reads a file; then POST is the default',
      doc: 'sent with each request; `@FILE` reads a file of at most 1 MiB',
    },
    picture: {
      value: 'FILE.svg',
      text: 'draws the latencies',
      doc: 'draws the latencies of both ways',
      completes: 'file',
    },
    json: { value: '', text: 'prints the result as JSON' },
    public: {
      value: '',
      text: 'may load addresses that are not of a private network',
      doc: 'allows addresses outside of loopback and private networks',
    },
    config: CONFIG,
    'admin-address': ADMIN_ADDRESS,
  },
  text: [
    'Measures URL through the running Sluice and directly at the servers of its backend, in turn: first as fast as responses come, then latencies at a rate that both ways can keep. If no Sluice listens at URL, URL is taken for a server, and a Sluice is started in front of it and ended afterwards.',
  ],
  examples: [
    'sluice bench http://shop.localhost:8080/cart',
    'sluice bench http://127.0.0.1:5001/ --picture latency.svg',
  ],
  exits: 'Exit 0: measured; 1: not measured, with the reason; 2: wrong usage.',
  parse(words) {
    const options = parseBenchWords(words)
    return typeof options === 'string'
      ? options
      : { kind: 'bench', ...placeFlags(words.flags), options }
  },
}

const LONGEST_MS = 600_000
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}):[ \t]*([\t\x20-\x7e\x80-\xff]{0,8000})$/
/** Of the connection and the framing, which are the load generator's. */
const OWN_FIELDS = ['connection', 'content-length', 'transfer-encoding', 'host', 'upgrade']

/** A string: the usage error. */
export function parseBenchWords({ flags, given, positionals }: Words): BenchOptions | string {
  try {
    const [url, extra] = positionals
    if (url === undefined) return 'bench needs the URL to measure'
    if (extra !== undefined) return `bench takes one URL, ${quote(extra)} is too many`
    const { direct, via, host, body = null, picture = null } = flags
    return {
      url: readUrl('the URL', url),
      direct: direct === undefined ? null : readUrl('--direct', direct),
      via: via === undefined ? null : readAddress(via),
      host: host === undefined ? null : readHost(host),
      method: readMethod(flags['method'] ?? (body === null ? 'GET' : 'POST')),
      headers: Object.fromEntries(given.flatMap(headerIn)),
      body,
      connections: readNumber(flags, 'connections', 32, 5_000),
      durationMs: readDuration(flags['duration'] ?? '20s'),
      rounds: readNumber(flags, 'rounds', 4, 50),
      rate: flags['rate'] === undefined ? null : readNumber(flags, 'rate', 0, 1_000_000),
      picture,
      isJson: 'json' in flags,
      mayLoadPublic: 'public' in flags,
    }
  } catch (error) {
    if (error instanceof Mistake) return error.message
    throw error
  }
}

class Mistake extends Error {}

function readUrl(what: string, text: string): URL {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw new Mistake(`${what} must begin with http:// or https://, not be ${quote(text)}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new Mistake(`${what} has a user; send it as --header 'Authorization: Basic ...'`)
  }
  return url
}

function readAddress(text: string): Address {
  const address = parseAddress(text)
  if (!address.ok) throw new Mistake(`--via ${address.reason}`)
  return address.value
}

function readHost(text: string): string {
  if (routingHost(text) !== null) return text
  throw new Mistake(`--host must be a host such as shop.example, not ${quote(text)}`)
}

function readMethod(text: string): string {
  if (METHODS.includes(text)) return text
  throw new Mistake(`--method must be one of ${METHODS.join(', ')}, not ${quote(text)}`)
}

/** Of each flag that was written, the field. */
function headerIn([name, value]: Words['given'][number]): (readonly [string, string])[] {
  return name === 'header' ? [readField(value)] : []
}

function readField(text: string): readonly [name: string, value: string] {
  const [, name, value] = FIELD.exec(text) ?? []
  if (name === undefined || value === undefined) {
    throw new Mistake(`--header must be 'Name: value', not ${quote(text)}`)
  }
  if (!OWN_FIELDS.includes(name.toLowerCase())) return [name, value]
  const help = name.toLowerCase() === 'host' ? '; use --host' : ''
  throw new Mistake(`--header cannot set ${name}, which belongs to the connection${help}`)
}

function readNumber(flags: Words['flags'], name: string, normal: number, most: number): number {
  const text = flags[name]
  if (text === undefined) return normal
  const number = /^\d{1,7}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= most) return number
  throw new Mistake(`--${name} must be from 1 to ${most}, not ${quote(text)}`)
}

function readDuration(text: string): number {
  const ms = parseDuration(text, 1_000, LONGEST_MS)
  if (!ms.ok) throw new Mistake(`--duration ${ms.reason}`)
  return ms.value
}
