/**
 * HPACK encoding (RFC 7541) of heads from text, lines `Name: value CRLF` as the HTTP/1 side keeps them. Names become lower case;
 * fields of a hop and Content-Length, which is an argument, are dropped.
 *
 * A line that is in the dynamic table is found as a whole and costs one byte or two. A line enters the table at its second sight:
 * so what never repeats (an id, a time) does not push out what does. Without that, every response costs insertions and the
 * peer's work for them.
 * What was encoded lately is copied (encoded-texts.ts).
 */
import { EncodingTable } from './encoding-table.ts'
import { type EncodedName, nameOf } from './encoded-names.ts'
import { EncodedTexts } from './encoded-texts.ts'
import { writeInteger, writeString } from './primitives.ts'
import { ENTRY_OVERHEAD, STATIC_TABLE } from './static-table.ts'

/** What HTTP/2 has in place of a request line. */
export interface RequestLine {
  readonly method: string
  /** '' for CONNECT without `protocol`, as `path`. */
  readonly scheme: string
  readonly authority: string
  readonly path: string
  /** RFC 8441; '' usually. */
  readonly protocol: string
  /** -1 for none. */
  readonly contentLength: number
}

/** Names (in lower case) that came as never indexed, and are to go on so; null: none did. */
export type NeverIndexed = ReadonlySet<string> | null

const INDEXED = 0x80
const INDEXING = 0x40
const NOT_INDEXED = 0
const NEVER_INDEXED = 0x10

/** RFC 7541 appendix A. */
const AUTHORITY = 1
const GET = INDEXED | 2
const POST = INDEXED | 3
const METHOD = 2
const ROOT = INDEXED | 4
const PATH = 4
const HTTP = INDEXED | 6
const HTTPS = INDEXED | 7
const STATUS = 8
const CONTENT_LENGTH = 28
const STATUSES: ReadonlyMap<number, number> = new Map(
  STATIC_TABLE.flatMap(([name, value], index) =>
    name === ':status' ? [[Number(value), INDEXED | (index + 1)]] : [],
  ),
)

const SPACE = 32
const TAB = 9
const COLON = 58
/** Places of a head whose names are remembered; the authority is at the last place of the table. */
const MOST_NAMED = 16
const AUTHORITY_PLACE = 15
const CRLF_BYTES = 2
/** A server's connection has the requests of many clients. */
const MOST_REQUEST_TEXTS = 8
/** As this side writes it. */
const REQUEST_ID = 'X-Request-Id: '
const REQUEST_ID_NAME = nameOf('x-request-id').lower

export class HeadEncoder {
  readonly #table = new EncodingTable()
  /** The authority of the last request, as a line. */
  #authority = ''
  #authorityLine = ''
  #texts: EncodedTexts | null = null
  /** Of the lines of the last head, by their places. */
  readonly #names: EncodedName[] = []

  /** How many bytes a head of so many characters may take. */
  static room(characters: number): number {
    return 2 * characters + 128
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  resize(bytes: number): void {
    this.#table.resize(bytes)
  }

  /** `contentLength`: -1 for none. Returns the position behind the block. */
  response(
    out: Buffer,
    at: number,
    status: number,
    contentLength: number,
    fields: string,
    never: NeverIndexed = null,
  ): number {
    at = this.#table.writeResize(out, at)
    const known = STATUSES.get(status)
    if (known === undefined) at = literal(out, at, STATUS, String(status))
    else out[at++] = known
    if (contentLength >= 0) at = literal(out, at, CONTENT_LENGTH, String(contentLength))
    if (never !== null) return this.#guarded(out, at, fields, never)
    this.#texts ??= new EncodedTexts(1)
    return this.#fields(out, at, fields, this.#texts)
  }

  /** `more`: further lines, the last of which is not expected to repeat. */
  request(
    out: Buffer,
    at: number,
    line: RequestLine,
    fields: string,
    more: string = '',
    never: NeverIndexed = null,
  ): number {
    at = this.#table.writeResize(out, at)
    const { method, scheme, path } = line
    if (method === 'GET') out[at++] = GET
    else if (method === 'POST') out[at++] = POST
    else at = literal(out, at, METHOD, method)
    if (scheme !== '') out[at++] = scheme === 'http' ? HTTP : HTTPS
    if (never?.has(':authority') === true)
      at = literal(out, at, AUTHORITY, line.authority, NEVER_INDEXED)
    else at = this.#writeAuthority(out, at, line.authority)
    if (never?.has(':path') === true) at = literal(out, at, PATH, path, NEVER_INDEXED)
    else if (path === '/') out[at++] = ROOT
    else if (path !== '') at = literal(out, at, PATH, path)
    if (line.protocol !== '') at = this.#line(out, at, `:protocol: ${line.protocol}`, PROTOCOL, 0)
    if (line.contentLength >= 0) at = literal(out, at, CONTENT_LENGTH, String(line.contentLength))
    if (never !== null) return this.#guarded(out, at, fields + more, never)
    const texts = (this.#texts ??= new EncodedTexts(MOST_REQUEST_TEXTS))
    at = this.#fields(out, at, fields, texts)
    if (more === '') return at
    const before = more.lastIndexOf('\r', more.length - CRLF_BYTES - 1)
    const last = before < 0 ? 0 : before + CRLF_BYTES
    if (last > 0) at = this.#fields(out, at, more.slice(0, last), texts)
    if (more.startsWith(REQUEST_ID, last)) return requestId(out, at, more, last)
    return this.#lines(out, at, more.slice(last))
  }

  trailers(out: Buffer, at: number, fields: string, never: NeverIndexed = null): number {
    at = this.#table.writeResize(out, at)
    return never === null ? this.#lines(out, at, fields) : this.#guarded(out, at, fields, never)
  }

  #writeAuthority(out: Buffer, at: number, authority: string): number {
    if (authority !== this.#authority) {
      this.#authority = authority
      this.#authorityLine = `:authority: ${authority}`
    }
    return this.#line(out, at, this.#authorityLine, AUTHORITY_NAME, AUTHORITY_PLACE)
  }

  #fields(out: Buffer, at: number, fields: string, texts: EncodedTexts): number {
    const { version } = this.#table
    const known = texts.of(fields)
    if (known !== null && known.block !== null && known.version === version) {
      out.set(known.block, at)
      return at + known.block.length
    }
    const end = this.#lines(out, at, fields)
    if (known !== null) {
      // At the first sight lines are noted, at the second they may enter the table: from then on the block stays the same.
      const stays = known.version === version && this.#table.version === version
      known.block = stays ? new Uint8Array(out.subarray(at, end)) : null
      known.version = this.#table.version
    }
    return end
  }

  #lines(out: Buffer, at: number, fields: string): number {
    let place = 0
    for (let start = 0; start < fields.length;) {
      const end = fields.indexOf('\r', start)
      at = this.#line(out, at, fields.slice(start, end), null, place++)
      start = end + CRLF_BYTES
    }
    return at
  }

  /** `#lines` of a head with names that must not be indexed, in the table or not, nor be part of a block that is kept. */
  #guarded(out: Buffer, at: number, fields: string, never: ReadonlySet<string>): number {
    let place = 0
    for (let start = 0; start < fields.length; place++) {
      const end = fields.indexOf('\r', start)
      const colon = fields.indexOf(':', start)
      const name = nameOf(fields.slice(start, colon))
      if (!never.has(name.lower)) at = this.#line(out, at, fields.slice(start, end), null, place)
      else if (!name.isDropped) at = neverIndexed(out, at, name, fields, colon + 1, end)
      start = end + CRLF_BYTES
    }
    return at
  }

  #line(out: Buffer, at: number, line: string, known: EncodedName | null, place: number): number {
    let index = this.#table.indexAt(place, line)
    if (index > 0) return writeInteger(out, at, INDEXED, 0x7f, index)
    const placed = known ?? this.#namedAt(place, line)
    // What never enters the table need not be looked for.
    if (placed === null || placed.isIndexed) index = this.#table.indexOf(line, place)
    if (index > 0) return writeInteger(out, at, INDEXED, 0x7f, index)
    const colon = placed?.text.length ?? line.indexOf(':', 1)
    const name = placed ?? nameOf(line.slice(0, colon))
    if (placed === null && place < MOST_NAMED) this.#names[place] = name
    if (name.isDropped) return at
    if (name.isSecret) return neverIndexed(out, at, name, line, colon + 1, line.length)
    let from = colon + 1
    let to = line.length
    while (from < to && isBlank(line.charCodeAt(from))) from++
    while (to > from && isBlank(line.charCodeAt(to - 1))) to--
    const size = ENTRY_OVERHEAD + name.lower.length + to - from
    const indexing = name.isIndexed && this.#table.wants(line, size)
    if (indexing) at = writeInteger(out, at, INDEXING, 0x3f, name.index)
    else at = writeInteger(out, at, NOT_INDEXED, 0xf, name.index)
    if (name.index === 0) at = writeString(out, at, name.lower, 0, name.lower.length)
    at = writeString(out, at, line, from, to)
    if (indexing) this.#table.insert(line, size)
    return at
  }

  /** The name of a line if the last one at this place had it, too. */
  #namedAt(place: number, line: string): EncodedName | null {
    const name = this.#names[place]
    if (name === undefined || line.charCodeAt(name.text.length) !== COLON) return null
    return line.startsWith(name.text) ? name : null
  }
}

const AUTHORITY_NAME: EncodedName = {
  text: ':authority',
  lower: ':authority',
  index: AUTHORITY,
  isIndexed: true,
  isSecret: false,
  isDropped: false,
}
const PROTOCOL: EncodedName = {
  ...AUTHORITY_NAME,
  text: ':protocol',
  lower: ':protocol',
  index: 0,
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

/** The value is text[from, to) without blanks at its ends. */
function neverIndexed(
  out: Buffer,
  at: number,
  name: EncodedName,
  text: string,
  from: number,
  to: number,
): number {
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  at = writeInteger(out, at, NEVER_INDEXED, 0xf, name.index)
  if (name.index === 0) at = writeString(out, at, name.lower, 0, name.lower.length)
  return writeString(out, at, text, from, to)
}

/** With a name of the static table, not indexed. */
function literal(
  out: Buffer,
  at: number,
  name: number,
  value: string,
  form: number = NOT_INDEXED,
): number {
  at = writeInteger(out, at, form, 0xf, name)
  return writeString(out, at, value, 0, value.length)
}

/** The last line of `text`, without a look-up: V8 puts each text that is looked up in a map into a table of its own. */
function requestId(out: Buffer, at: number, text: string, line: number): number {
  out[at++] = NOT_INDEXED
  at = writeString(out, at, REQUEST_ID_NAME, 0, REQUEST_ID_NAME.length)
  return writeString(out, at, text, line + REQUEST_ID.length, text.length - CRLF_BYTES)
}
