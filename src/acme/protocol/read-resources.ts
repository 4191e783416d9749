/** Reads what a CA sends. A document without what the protocol demands is a malformed response. */
import { plainHost } from '../../model/ip.ts'
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'
import type { AcmeError } from './acme-error.ts'
import { malformed } from './faults.ts'
import { refusalOf } from './problem.ts'
import type {
  Authorization,
  Challenge,
  ChallengeType,
  Identifier,
  Order,
  OrderStatus,
} from './resources.ts'

const MAX_ITEMS = 1_000
/** RFC 8555 section 8.1: base64url. It becomes part of a path, and of a file's name in a hook. */
const TOKEN = /^[\w-]{1,256}$/
const CHALLENGES: readonly ChallengeType[] = ['http-01', 'tls-alpn-01', 'dns-01']

export interface Reader {
  text(key: string): string
  optionalText(key: string): string | null
  oneOf<T extends string>(key: string, values: readonly T[]): T
  list(key: string): readonly unknown[]
  map(key: string): JsonMap | null
  /** ms since the epoch. */
  time(key: string): number | null
  fail(reason: string): AcmeError
}

export function createReader(document: unknown, what: string, who: string): Reader {
  const fail = (reason: string): AcmeError => malformed(what, who, reason)
  if (!isMap(document)) throw fail('it is not a JSON object')

  const optionalText = (key: string): string | null => {
    const value = document[key]
    return typeof value === 'string' && value !== '' ? value : null
  }
  return {
    fail,
    optionalText,
    text(key) {
      const value = optionalText(key)
      if (value === null) throw fail(`it has no "${key}"`)
      return value
    },
    oneOf(key, values) {
      const found = values.find((value) => value === document[key])
      if (found === undefined) throw fail(`its "${key}" is ${quote(document[key] ?? null)}`)
      return found
    },
    list(key) {
      const value = document[key]
      if (!Array.isArray(value)) throw fail(`it has no list "${key}"`)
      if (value.length > MAX_ITEMS) throw fail(`its "${key}" has more than ${MAX_ITEMS} items`)
      return value as readonly unknown[]
    },
    map(key) {
      const value = document[key]
      return isMap(value) ? value : null
    },
    time(key) {
      const ms = Date.parse(optionalText(key) ?? '')
      return Number.isNaN(ms) ? null : ms
    },
  }
}

/** Where a resource came from, and for what it was read. */
export interface Origin {
  readonly url: string
  readonly what: string
  readonly who: string
  readonly retryAfterMs: number | null
}

const ORDER_STATUSES: readonly OrderStatus[] = [
  'pending',
  'ready',
  'processing',
  'valid',
  'invalid',
]

export function orderOf(document: unknown, origin: Origin): Order {
  const { url, what, who, retryAfterMs } = origin
  const reader = createReader(document, what, who)
  return {
    url,
    status: reader.oneOf('status', ORDER_STATUSES),
    identifiers: reader.list('identifiers').map((one) => identifierOf(one, reader)),
    authorizationUrls: reader.list('authorizations').map((one) => {
      if (typeof one !== 'string') throw reader.fail('one of its "authorizations" is no URL')
      return one
    }),
    finalizeUrl: reader.text('finalize'),
    certificateUrl: reader.optionalText('certificate'),
    expiresAt: reader.time('expires'),
    error: errorOf(reader, origin),
    retryAfterMs,
  }
}

const AUTHORIZATION_STATUSES: readonly Authorization['status'][] = [
  'pending',
  'valid',
  'invalid',
  'deactivated',
  'expired',
  'revoked',
]
const CHALLENGE_STATUSES: readonly Challenge['status'][] = [
  'pending',
  'processing',
  'valid',
  'invalid',
]

export function authorizationOf(document: unknown, origin: Origin): Authorization {
  const { url, what, who, retryAfterMs } = origin
  const reader = createReader(document, what, who)
  const identifier = identifierOf(reader.map('identifier'), reader)
  return {
    url,
    status: reader.oneOf('status', AUTHORIZATION_STATUSES),
    identifier,
    isWildcard: isMap(document) && document['wildcard'] === true,
    challenges: reader.list('challenges').flatMap((one) => challengeOf(one, origin)),
    expiresAt: reader.time('expires'),
    retryAfterMs,
  }
}

/** Empty: of a kind that this client does not know. */
function challengeOf(document: unknown, origin: Origin): readonly Challenge[] {
  const reader = createReader(document, origin.what, origin.who)
  const type = CHALLENGES.find((known) => known === reader.optionalText('type'))
  if (type === undefined) return []
  const token = reader.text('token')
  if (!TOKEN.test(token)) throw reader.fail(`the token ${quote(token)} is not base64url`)
  return [
    {
      type,
      token,
      url: reader.text('url'),
      status: reader.oneOf('status', CHALLENGE_STATUSES),
      error: errorOf(reader, origin),
    },
  ]
}

function identifierOf(document: unknown, reader: Reader): Identifier {
  const { type, value } = isMap(document) ? document : {}
  if (typeof value === 'string' && value.length <= 255) {
    if (type === 'dns') return { type, value: value.toLowerCase() }
    if (type === 'ip') return { type, value: plainHost(value) }
  }
  throw reader.fail('an identifier is neither a DNS name nor an address')
}

function errorOf(reader: Reader, { what, who }: Origin): AcmeError | null {
  const document = reader.map('error')
  if (document === null) return null
  const { status } = document
  return refusalOf(document, {
    what,
    who,
    retryAfterMs: null,
    url: null,
    status: typeof status === 'number' ? status : null,
  })
}
