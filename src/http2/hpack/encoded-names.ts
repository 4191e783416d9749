/** What an encoder has to know of a field's name, by the name as it was written. All connections of a thread share it. */
import { STATIC_TABLE } from './static-table.ts'

export interface EncodedName {
  /** As it was written. */
  readonly text: string
  readonly lower: string
  /** Of the static table; 0: not there. */
  readonly index: number
  /** A line of it may repeat. */
  readonly isIndexed: boolean
  /** RFC 7541 section 7.1.3: no hop may index it, so that its value cannot be guessed by the sizes of messages. */
  readonly isSecret: boolean
  /** It has no place in HTTP/2, or is written otherwise. */
  readonly isDropped: boolean
}

const INDEXES = new Map<string, number>()
STATIC_TABLE.forEach(([name], index) => {
  if (!INDEXES.has(name)) INDEXES.set(name, index + 1)
})

const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

/** No line with such a name (in lower case) is ever indexed, however it has arrived. */
export function isAlwaysSecret(name: string): boolean {
  return SECRET.has(name)
}

/** Its value differs from message to message. */
const VARYING = new Set([
  'age',
  'content-range',
  'etag',
  'expires',
  'if-modified-since',
  'if-none-match',
  'last-modified',
  'location',
  'range',
  'x-request-id',
])
const DROPPED = new Set([
  'connection',
  'content-length',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** Names come from messages, so their number is bounded. */
const MOST_NAMES = 1_000
const names = new Map<string, EncodedName>()

export function nameOf(text: string): EncodedName {
  const known = names.get(text)
  if (known !== undefined) return known
  // A copy: a slice would keep the whole head in memory.
  const written = Buffer.from(text, 'latin1').toString('latin1')
  const lower = written.toLowerCase()
  const isSecret = SECRET.has(lower)
  const name: EncodedName = {
    text: written,
    lower,
    index: INDEXES.get(lower) ?? 0,
    isIndexed: !isSecret && !VARYING.has(lower),
    isSecret,
    isDropped: DROPPED.has(lower) || lower.startsWith(':'),
  }
  if (names.size < MOST_NAMES) names.set(written, name)
  return name
}
