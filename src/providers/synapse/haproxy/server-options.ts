/** The words of `server_options`, and of the `haproxy_server_options` of one server. */
import { quote } from '../../../model/parsed.ts'
import { readCount, readSpan, type Notes, type ServerWords } from './draft.ts'

/** Words that change nothing here, with the number of their arguments. */
const NOT_NEEDED: ReadonlyMap<string, number> = new Map([
  ...(['id', 'cookie', 'init-addr', 'resolvers', 'resolve-prefer', 'track'] as const).map(
    (word) => [word, 1] as const,
  ),
  ...(
    ['enabled', 'no-sslv3', 'no-tlsv10', 'no-tlsv11', 'no-tls-tickets', 'check-sni'] as const
  ).map((word) => [word, word === 'check-sni' ? 1 : 0] as const),
  ...(['fastinter', 'minconn', 'maxqueue', 'pool-max-conn', 'pool-purge-delay'] as const).map(
    (word) => [word, 1] as const,
  ),
])

type Read = (words: ServerWords, argument: string | undefined) => boolean

/** Each returns whether its argument could be read. */
const WITH_ARGUMENT: Readonly<Record<string, Read>> = {
  inter: (words, text) => set(readSpan(text), (ms) => (words.interMs = ms)),
  downinter: (words, text) => set(readSpan(text), (ms) => (words.downInterMs = ms)),
  rise: (words, text) => set(readCount(text), (count) => (words.rise = count)),
  fall: (words, text) => set(readCount(text), (count) => (words.fall = count)),
  // A template: the port of the server itself.
  port: (words, text) =>
    text === '%{port}' || set(readCount(text), (port) => (words.checkPort = port)),
  weight: (words, text) => set(readCount(text), (count) => (words.weight = count)),
  maxconn: (words, text) => set(readCount(text), (count) => (words.connections = count)),
  slowstart: (words, text) => set(readSpan(text), (ms) => (words.slowStartMs = ms)),
  verify: (words, text) => {
    words.verifies = text !== 'none'
    return text === 'none' || text === 'required'
  },
  'ca-file': (words, text) => set(text ?? null, (path) => (words.ca = path)),
  proto: (words, text) => {
    if (text === 'h2') words.protocol = 'h2'
    return text === 'h2' || text === 'h1'
  },
  alpn: (words, text = '') => {
    const protocols = text.split(',')
    if (protocols.includes('h2')) words.protocol = protocols.length === 1 ? 'h2' : 'auto'
    return text !== ''
  },
  verifyhost: (words, text) => set(text ?? null, (name) => (words.serverName = name)),
  sni: (words, text) =>
    set(/^str\(([^()]+)\)$/.exec(text ?? '')?.[1] ?? null, (name) => (words.serverName = name)),
}

const ALONE: Readonly<Record<string, (words: ServerWords) => void>> = {
  check: (words) => (words.isChecked = true),
  'no-check': (words) => (words.isChecked = false),
  backup: (words) => (words.backup = true),
  disabled: (words) => (words.disabled = true),
  ssl: (words) => (words.isTls = true),
  'send-proxy': (words) => (words.proxyProtocol = 'v1'),
  'send-proxy-v2': (words) => (words.proxyProtocol = 'v2'),
}

function set<T>(value: T | null, take: (value: T) => void): boolean {
  if (value === null) return false
  take(value)
  return true
}

/** What cannot be read is noted, and changes nothing. */
export function readServerOptions(text: string, words: ServerWords, notes: Notes): void {
  const list = text.split(/\s+/).filter((word) => word !== '')
  for (let at = 0; at < list.length; at++) {
    const word = (list[at] ?? '').toLowerCase()
    const argument = list[at + 1]
    const skipped = NOT_NEEDED.get(word)
    if (skipped !== undefined) {
      at += skipped
    } else if (Object.hasOwn(ALONE, word)) {
      ALONE[word]?.(words)
    } else if (Object.hasOwn(WITH_ARGUMENT, word)) {
      at += 1
      if (WITH_ARGUMENT[word]?.(words, argument) !== true) {
        notes.warnings.push(
          `the server option ${quote(`${word} ${argument ?? ''}`)} cannot be read`,
        )
      }
    } else {
      notes.warnings.push(`the server option ${quote(word)} has no counterpart and is left out`)
      // Its argument, if it has one, is no option.
      if (WITH_UNKNOWN_ARGUMENT.has(word)) at += 1
    }
  }
}

const WITH_UNKNOWN_ARGUMENT: ReadonlySet<string> = new Set([
  ...['addr', 'agent-port', 'agent-inter', 'agent-addr', 'error-limit', 'observe', 'on-error'],
  ...['on-marked-down', 'on-marked-up', 'redir', 'source', 'crt', 'ciphers'],
  ...['crl-file', 'namespace', 'usesrc', 'tcp-ut', 'max-reuse', 'ws', 'check-alpn', 'sigalgs'],
])
