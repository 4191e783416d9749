/**
 * What a field of a head is to the decoder. A field is checked and classified when it is decoded as a literal; as an entry of a table
 * it keeps the result, so that a reference to it costs no check (RFC 9113 sections 8.2 and 8.3).
 */
import { isForwarding } from '../../http/message/fields.ts'
import { ENTRY_OVERHEAD, STATIC_TABLE } from './static-table.ts'

export const PLAIN = 0
export const DATE = 1
export const COOKIE = 2
export const FORWARDING = 3
export const CONTENT_LENGTH = 4
export const HOST = 5
export const TE = 6
export const EXPECT = 7
export const TRAILER = 8
export const AUTHORIZATION = 9
/** Of a hop, and without a meaning here. */
export const DROPPED = 10
/** `line` says why. */
export const MALFORMED_FIELD = 11
/** From here on: pseudo-fields. */
export const METHOD = 12
export const SCHEME = 13
export const PATH = 14
export const AUTHORITY = 15
export const PROTOCOL = 16
export const STATUS = 17

export interface Field {
  readonly name: string
  readonly value: string
  readonly kind: number
  /** By the name alone, for literals that take the name from this entry. */
  readonly nameKind: number
  /** With its CRLF. Of MALFORMED_FIELD: what is wrong. */
  readonly line: string
  /** RFC 7541 section 4.1. */
  readonly size: number
}

const OF_THE_CONNECTION: readonly [string, number][] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
].map((name) => [name, MALFORMED_FIELD])

/** By name; names that are in neither are PLAIN, or FORWARDING in requests. */
const REQUEST_KINDS: ReadonlyMap<string, number> = new Map([
  ...OF_THE_CONNECTION,
  [':method', METHOD],
  [':scheme', SCHEME],
  [':path', PATH],
  [':authority', AUTHORITY],
  [':protocol', PROTOCOL],
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['cookie', COOKIE],
  ['authorization', AUTHORIZATION],
  ['te', TE],
  ['expect', EXPECT],
  ['trailer', TRAILER],
  ['http2-settings', DROPPED],
  ['proxy-authenticate', DROPPED],
  ['proxy-authorization', DROPPED],
])
const RESPONSE_KINDS: ReadonlyMap<string, number> = new Map([
  ...OF_THE_CONNECTION,
  [':status', STATUS],
  ['content-length', CONTENT_LENGTH],
  ['date', DATE],
  ['te', DROPPED],
  ['trailer', TRAILER],
  ['proxy-authenticate', DROPPED],
  ['proxy-authorization', DROPPED],
])

const COLON = 58
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/
/** Visible ASCII without `#`. */
const TARGET = /^(?:\/[!"$-~]*|\*)$/

/** What a name is, and what its value must be. */
export class FieldKinds {
  readonly isRequest: boolean
  /** The entries of the static table. */
  readonly statics: readonly Field[]
  readonly #kinds: ReadonlyMap<string, number>

  constructor(isRequest: boolean) {
    this.isRequest = isRequest
    this.#kinds = isRequest ? REQUEST_KINDS : RESPONSE_KINDS
    this.statics = STATIC_TABLE.map(([name, value]) => this.field(name, value, this.of(name), true))
  }

  of(name: string): number {
    const kind = this.#kinds.get(name)
    if (kind !== undefined) return kind
    if (name.charCodeAt(0) === COLON) return MALFORMED_FIELD
    return this.isRequest && isForwarding(name) ? FORWARDING : PLAIN
  }

  /** `nameKind`: as `of` the name, MALFORMED_FIELD if it is none. `valueHolds`: no byte of it is out of place. */
  field(name: string, value: string, nameKind: number, valueHolds: boolean): Field {
    const fault = valueHolds ? faultOf(name, value, nameKind) : faultOfValue(name)
    const size = ENTRY_OVERHEAD + name.length + value.length
    if (fault !== '') return { name, value, kind: MALFORMED_FIELD, nameKind, line: fault, size }
    return { name, value, kind: nameKind, nameKind, line: `${name}: ${value}\r\n`, size }
  }
}

export function faultOfValue(name: string): string {
  return `the value of ${printable(name)} holds a control character, or begins or ends blank`
}

function printable(name: string): string {
  return name.replace(/[^!-~]/g, '?')
}

/** Why a field makes its message malformed, though its value holds no byte that is not allowed; '' if it does not. */
export function faultOf(name: string, value: string, kind: number): string {
  switch (kind) {
    case PLAIN:
      return ''
    case MALFORMED_FIELD:
      if (!/^:?[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
        return 'the name of a field is not a token in lower case'
      return name.startsWith(':')
        ? `${name} is no pseudo-field of such a message`
        : `${name} is not part of HTTP/2`
    case METHOD:
      return TOKEN.test(value) ? '' : 'the method is not a token of at most 32 characters'
    case SCHEME:
      return value === 'http' || value === 'https' ? '' : ':scheme is neither http nor https'
    case PATH:
      return TARGET.test(value) ? '' : ':path is neither "*" nor "/" and visible ASCII'
    case AUTHORITY:
    case HOST:
    case PROTOCOL:
      return value === '' ? `${name} is empty` : ''
    case TE:
      return value.toLowerCase() === 'trailers' ? '' : 'TE is not "trailers"'
    case CONTENT_LENGTH:
      return /^[0-9]{1,15}$/.test(value)
        ? ''
        : 'Content-Length is not a plain number of at most 15 digits'
    case STATUS:
      return /^[1-9][0-9]{2}$/.test(value) && value !== '101' ? '' : ':status is not a status'
    default:
      return ''
  }
}

export const REQUEST_FIELDS: FieldKinds = new FieldKinds(true)
export const RESPONSE_FIELDS: FieldKinds = new FieldKinds(false)
