/**
 * HPACK decoding (RFC 7541) of request and response heads, straight from the read buffer into the text that the rest of Sluice
 * keeps: lines `name: value CRLF`. The result of `decode` is in the decoder's fields until the next call.
 *
 * Hot path: a reference to an entry of a table costs an array access and a concatenation, because its field was checked and
 * classified when it was inserted (field-kinds.ts).
 */
import { DecodingTable } from './decoding-table.ts'
import { isAlwaysSecret } from './encoded-names.ts'
import {
  AUTHORITY,
  AUTHORIZATION,
  CONTENT_LENGTH,
  COOKIE,
  DATE,
  DROPPED,
  EXPECT,
  faultOf,
  faultOfValue,
  type Field,
  type FieldKinds,
  FORWARDING,
  HOST,
  MALFORMED_FIELD,
  METHOD,
  PATH,
  PLAIN,
  PROTOCOL,
  REQUEST_FIELDS,
  RESPONSE_FIELDS,
  SCHEME,
  STATUS,
  TE,
  TRAILER,
} from './field-kinds.ts'
import { faultOfHead } from './head-faults.ts'
import { LastBlock } from './last-block.ts'
import { holdsName, holdsValue } from './field-octets.ts'
import { IndexedRun } from './indexed-run.ts'
import { read, readInteger, readString } from './primitives.ts'
import { ENTRY_OVERHEAD, STATIC_ENTRIES } from './static-table.ts'

export type HeadKind = 'request' | 'response'

/** First bytes of literals: from so much on the field enters the table, and from so much on (below) no hop may index it. */
const INDEXING = 0x40
const NEVER_INDEXED = 0x10

/** The head is well-formed. */
export const OK = 0
/** The block cannot be decoded: the tables of both sides differ from here on, so the connection ends (section 4.3 of RFC 9113). */
export const COMPRESSION = 1
/** The head breaks a rule of RFC 9113 section 8; `fault` says which. The connection goes on. */
export const MALFORMED = 2
/** More fields or bytes than the limits allow; what was decoded is incomplete. The connection goes on. */
export const TOO_LARGE = 3
export type DecodeResult = typeof OK | typeof COMPRESSION | typeof MALFORMED | typeof TOO_LARGE

export interface DecoderLimits {
  /** Every crumb of Cookie and every trailer counts; pseudo-fields do not. */
  readonly fields: number
  /** The sum of name + value + 32 of each field (RFC 9113 section 6.5.2), pseudo-fields included. */
  readonly headBytes: number
}

export class HeadDecoder {
  readonly kind: HeadKind
  readonly limits: DecoderLimits

  // Of requests; '' if absent.
  method = ''
  /** `http` or `https`. */
  scheme = ''
  /** `/...`, or `*` for OPTIONS; '' for CONNECT without `:protocol`. */
  path = ''
  /** Not empty, but otherwise not checked. */
  authority = ''
  /** RFC 8441; only with `extendedConnect`. */
  protocol = ''
  /** The Host field; if there is `:authority`, too, the two are equal. */
  host = ''

  /** Of responses: 100 to 999 except 101. */
  status = 0

  /**
   * The lines of all plain fields in order, names in lower case; without Host, Cookie, Content-Length, TE, Expect, Trailer, forwarding
   * fields and those of a hop. Of trailers: all fields.
   */
  fields = ''
  /** Forwarding fields and their look-alikes (`isForwarding`): only a trusted peer may set them. */
  forwarding = ''
  /** The crumbs joined by `; `; '' if absent. */
  cookie = ''
  /** The values of Authorization, one a line; they are among the fields, too. '' if absent. */
  authorization = ''
  /** -1 if absent. */
  contentLength = -1
  /** `te: trailers` is there. */
  te = false
  /** The value of Expect; '' if absent. */
  expect = ''
  /** The lines of Trailer. */
  trailerLine = ''
  /** Date is there. */
  isDated = false
  /** Names of literals that no hop may index (RFC 7541 section 7.1.3), without those that are never indexed anyway. */
  neverIndexed: Set<string> | null = null
  /** Why the head is malformed, for the log. */
  fault = ''

  readonly #kinds: FieldKinds
  readonly #table = new DecodingTable()
  readonly #run = new IndexedRun()
  readonly #last = new LastBlock()
  readonly #extendedConnect: boolean
  #isTrailers = false
  #withCookie = ''
  #hasRegular = false
  #count = 0
  #resizes = 0
  #bytes = 0

  /** `extendedConnect`: the peer may use `:protocol` (RFC 8441). */
  constructor(kind: HeadKind, limits: DecoderLimits, extendedConnect: boolean = false) {
    this.kind = kind
    this.limits = limits
    this.#kinds = kind === 'request' ? REQUEST_FIELDS : RESPONSE_FIELDS
    this.#extendedConnect = extendedConnect
  }

  /** What it took to decode the last head: its fields, also those that are not kept, and changes of the table's size. */
  get steps(): number {
    return this.#count + this.#resizes
  }

  /** `fields`, and Cookie behind them. */
  get fieldsWithCookie(): string {
    if (this.cookie === '') return this.fields
    this.#withCookie ||= `${this.fields}cookie: ${this.cookie}\r\n`
    return this.#withCookie
  }

  /** Decodes a whole header block. The dynamic table stays right with every result but COMPRESSION. */
  decode(bytes: Buffer, from: number, to: number, trailers: boolean): DecodeResult {
    const last = this.#last
    if (last.isRepeatedBy(bytes, from, to, trailers)) {
      for (const field of last.inserted) this.#table.insert(field)
      return OK
    }
    last.begin(trailers)
    this.#reset(trailers)
    if (!this.#decodeBlock(bytes, from, to)) return COMPRESSION
    if (this.#isTooLarge()) return TOO_LARGE
    if (this.fault === '' && !trailers) this.fault = faultOfHead(this, this.#extendedConnect)
    if (this.fault !== '') return MALFORMED
    last.keep(bytes, from, to)
    return OK
  }

  #reset(trailers: boolean): void {
    this.method = ''
    this.scheme = ''
    this.path = ''
    this.authority = ''
    this.protocol = ''
    this.host = ''
    this.status = 0
    this.fields = ''
    this.forwarding = ''
    this.cookie = ''
    this.#withCookie = ''
    this.authorization = ''
    this.contentLength = -1
    this.te = false
    this.expect = ''
    this.trailerLine = ''
    this.isDated = false
    this.neverIndexed = null
    this.fault = ''
    this.#isTrailers = trailers
    this.#hasRegular = false
    this.#count = 0
    this.#resizes = 0
    this.#bytes = 0
  }

  /** RFC 7541 section 6. False: it cannot be decoded. */
  #decodeBlock(bytes: Buffer, from: number, to: number): boolean {
    const { version } = this.#table
    let at = from
    let mayResize = true
    /** Where the references to plain fields before `at` begin, and where the longest row of them is. */
    let rowAt = from
    let longestAt = from
    let longest = 0
    while (at < to) {
      const begin = at
      const first = bytes[at++] ?? 0
      const mask = first >= 0x80 ? 0x7f : first >= 0x40 ? 0x3f : first >= 0x20 ? 0x1f : 0x0f
      let index = first & mask
      if (index === mask) {
        index = readInteger(bytes, at, to, mask)
        if (index < 0) return false
        at = read.end
      }
      if (mask === 0x7f) {
        mayResize = false
        if (first === this.#run.first && this.#takeRun(bytes, begin, to)) {
          at = begin + this.#run.count
        } else {
          const field = this.#entry(index)
          if (field === undefined) return false
          if (field.kind === PLAIN) this.#takePlain(field.line, field.size)
          else this.#take(field.kind, field.name, field.value, field.line, field.size)
          // References of two bytes are rare.
          if (field.kind !== PLAIN || at > begin + 1) rowAt = at
        }
      } else if (mask === 0x1f) {
        // Section 4.2: a change of the size comes before everything else.
        if (!mayResize || !this.#table.resize(index)) return false
        this.#last.resizes()
        this.#resizes++
        rowAt = at
      } else {
        at = this.#literal(bytes, at, to, index, first)
        if (at < 0) return false
        mayResize = false
        rowAt = at
      }
      if (at - rowAt > longest) {
        longest = at - rowAt
        longestAt = rowAt
      }
    }
    if (version === this.#table.version) this.#run.note(bytes, longestAt, longest, version)
    return true
  }

  /** False: what stands there is not the run, or is too large with it. */
  #takeRun(bytes: Buffer, at: number, to: number): boolean {
    const run = this.#run
    if (this.#count + run.count > this.limits.fields) return false
    if (!run.isAt(bytes, at, to, this.#table.version)) return false
    if (run.lines === '') run.resolve((index) => this.#entry(index))
    if (this.#bytes + run.size > this.limits.headBytes) return false
    this.#last.refers()
    this.#hasRegular = true
    this.#count += run.count
    this.#bytes += run.size
    this.fields += run.lines
    return true
  }

  #entry(index: number): Field | undefined {
    if (index <= STATIC_ENTRIES) return this.#kinds.statics[index - 1]
    this.#last.refers()
    return this.#table.get(index - STATIC_ENTRIES - 1)
  }

  /** `index`: the entry that has its name, 0 for a literal name. Returns the position behind the field, -1 if it is broken. */
  #literal(bytes: Buffer, at: number, to: number, index: number, first: number): number {
    let name: string
    let kind: number
    if (index === 0) {
      const length = readString(bytes, at, to)
      if (length < 0) return -1
      at = read.end
      const holds = holdsName(read.bytes, read.from, length)
      name = read.bytes.toString('latin1', read.from, read.from + length)
      kind = holds ? this.#kinds.of(name) : MALFORMED_FIELD
    } else {
      const entry = this.#entry(index)
      if (entry === undefined) return -1
      name = entry.name
      kind = entry.nameKind
    }
    const length = readString(bytes, at, to)
    if (length < 0) return -1
    const holds = holdsValue(read.bytes, read.from, length)
    const value = length === 0 ? '' : read.bytes.toString('latin1', read.from, read.from + length)
    if (first >= INDEXING) {
      const field = this.#kinds.field(name, value, kind, holds)
      this.#table.insert(field)
      this.#last.inserts(field)
      if (field.kind === PLAIN) this.#takePlain(field.line, field.size)
      else this.#take(field.kind, name, value, field.line, field.size)
    } else {
      const size = ENTRY_OVERHEAD + name.length + value.length
      const fault = holds ? faultOf(name, value, kind) : faultOfValue(name)
      if (first >= NEVER_INDEXED && !isAlwaysSecret(name)) this.#noteNeverIndexed(name)
      if (fault !== '') this.#take(MALFORMED_FIELD, name, value, fault, size)
      else if (kind === PLAIN) this.#takePlain(`${name}: ${value}\r\n`, size)
      else this.#take(kind, name, value, '', size)
    }
    return read.end
  }

  #noteNeverIndexed(name: string): void {
    if (!this.#isTooLarge()) (this.neverIndexed ??= new Set()).add(name)
  }

  #takePlain(line: string, size: number): void {
    this.#hasRegular = true
    this.#count++
    this.#bytes += size
    // What is too large is counted to its end, since the table must stay right, but not kept.
    if (!this.#isTooLarge()) this.fields += line
  }

  #isTooLarge(): boolean {
    return this.#bytes > this.limits.headBytes || this.#count > this.limits.fields
  }

  /** `line`: of MALFORMED_FIELD, what is wrong. */
  #take(kind: number, name: string, value: string, line: string, size: number): void {
    this.#bytes += size
    if (kind < METHOD) this.#count++
    if (this.#isTooLarge()) return
    if (kind === MALFORMED_FIELD) this.fault ||= line
    else if (kind >= METHOD) this.#takePseudo(kind, name, value)
    else {
      this.#hasRegular = true
      if (this.#isTrailers) this.fields += `${name}: ${value}\r\n`
      else this.#takeSpecial(kind, name, value)
    }
  }

  #takePseudo(kind: number, name: string, value: string): void {
    if (this.#isTrailers) this.fault ||= `trailers hold ${name}`
    if (this.#hasRegular) this.fault ||= `${name} follows other fields`
    let isSecond = false
    switch (kind) {
      case METHOD:
        isSecond = this.method !== ''
        this.method = value
        break
      case SCHEME:
        isSecond = this.scheme !== ''
        this.scheme = value
        break
      case PATH:
        isSecond = this.path !== ''
        this.path = value
        break
      case AUTHORITY:
        isSecond = this.authority !== ''
        this.authority = value
        break
      case PROTOCOL:
        isSecond = this.protocol !== ''
        this.protocol = value
        break
      case STATUS:
        isSecond = this.status !== 0
        this.status = Number(value)
        break
    }
    if (isSecond) this.fault ||= `there are two ${name}`
  }

  #takeSpecial(kind: number, name: string, value: string): void {
    switch (kind) {
      case DATE:
        this.isDated = true
        this.fields += `${name}: ${value}\r\n`
        break
      case AUTHORIZATION:
        this.authorization = this.authorization === '' ? value : `${this.authorization}\n${value}`
        this.fields += `${name}: ${value}\r\n`
        break
      case COOKIE:
        this.cookie = this.cookie === '' ? value : `${this.cookie}; ${value}`
        break
      case FORWARDING:
        this.forwarding += `${name}: ${value}\r\n`
        break
      case CONTENT_LENGTH:
        if (this.contentLength >= 0) this.fault ||= 'there are two Content-Length fields'
        this.contentLength = Number(value)
        break
      case HOST:
        if (this.host !== '') this.fault ||= 'there are two Host fields'
        this.host = value
        break
      case TE:
        this.te = true
        break
      case EXPECT:
        this.expect = this.expect === '' ? value : `${this.expect},${value}`
        break
      case TRAILER:
        this.trailerLine += `${name}: ${value}\r\n`
        break
      case DROPPED:
        break
    }
  }
}
