/** Reads the heads of the responses to one request, interim and final, from the bytes of its connection. */
import {
  type ResponseHead,
  parseResponseHead,
  refuseResponseHead,
} from '../../http/message/response-head.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import { headLines } from '../../http/message/head-lines.ts'
import { errorOfPartialResponse } from '../../http/message/partial-head.ts'

const MAX_INTERIM = 100
const HEAD_END = Buffer.from('\r\n\r\n')
const NONE = Buffer.alloc(0)
/** More than this behind a head is not decoded: it is most likely a part of a body that goes on, and text of it is of no use. */
const MOST_TEXT_BYTES = 4 * 1024

export interface ResponseLimits {
  readonly headBytes: number
  readonly fields: number
}

export class ResponseHeadReader {
  /** At least one byte of a response has come. */
  hasBegun = false
  /** The unread bytes are those from `from` to `to`. */
  #buffer: Buffer = NONE
  #from = 0
  #to = 0
  /** The text from the last head's begin up to `to`; null if only a part of it was decoded. */
  #text: string | null = null
  #headBytes = 0
  #interim = 0
  #searched = 0
  /** Checked again when it has doubled: a large head in many pieces must not cost quadratic time. */
  #checked = 0

  /** A request is sent: what comes from here on are its responses. */
  reset(): void {
    this.#hold(NONE, 0, 0)
    this.#interim = 0
    this.#searched = 0
    this.hasBegun = false
  }

  /** The first `length` bytes of the buffer, which is lent until `read` returns null or the rest is taken. */
  add(buffer: Buffer, length: number): void {
    this.hasBegun = true
    if (this.unread === 0) return this.#hold(buffer, 0, length)
    const all = Buffer.concat([this.#rest, buffer.subarray(0, length)])
    this.#hold(all, 0, all.length)
  }

  /** How many bytes follow the last head. */
  get unread(): number {
    return this.#to - this.#from
  }

  /** The next head; null if it is not complete. */
  read(toHead: boolean, limits: ResponseLimits): ResponseHead | ExchangeError | null {
    const most = Math.min(this.#to, this.#from + limits.headBytes + HEAD_END.length)
    return this.#searched === 0 && headLines.readResponse(this.#buffer, this.#from, most)
      ? this.#parse(most, toHead, limits)
      : this.#readUnusual(most, toHead, limits)
  }

  /** The slow path: a head in pieces, or malformed. */
  #readUnusual(
    most: number,
    toHead: boolean,
    limits: ResponseLimits,
  ): ResponseHead | ExchangeError | null {
    const bytes = this.#rest
    // A later search continues where the last one ended.
    const end = bytes.indexOf(HEAD_END, Math.max(0, this.#searched - HEAD_END.length + 1))
    if (end < 0 || end > limits.headBytes) return this.#keep(bytes, limits)
    return headLines.readResponse(this.#buffer, this.#from, most)
      ? this.#parse(most, toHead, limits)
      : refuseResponseHead(bytes.toString('latin1', 0, end + 2))
  }

  /** `headLines` has its lines. A small body behind it is decoded with it. */
  #parse(most: number, toHead: boolean, { fields }: ResponseLimits): ResponseHead | ExchangeError {
    const end = this.#from + headLines.end
    if (most - end > MOST_TEXT_BYTES) most = end
    const text = this.#buffer.toString('latin1', this.#from, most)
    const head = parseResponseHead(text, headLines, toHead, fields)
    if (head instanceof ExchangeError) return head
    if (head.status < 200 && head.status !== 101 && ++this.#interim > MAX_INTERIM)
      return new ExchangeError('BAD_ANSWER', `more than ${MAX_INTERIM} interim responses`)
    this.#searched = 0
    this.#headBytes = headLines.end
    this.#from += headLines.end
    this.#text = most === this.#to ? text : null
    return head
  }

  /** Removes and returns what follows the last head. */
  takeRest(): Buffer {
    const rest = this.#rest
    this.#hold(NONE, 0, 0)
    return rest
  }

  /** The same as text, if it was decoded with the head; else null. */
  takeRestAsText(): string | null {
    const text = this.#text
    if (text === null) return null
    this.#hold(NONE, 0, 0)
    return text.slice(this.#headBytes)
  }

  get #rest(): Buffer {
    return this.#buffer.subarray(this.#from, this.#to)
  }

  #hold(buffer: Buffer, from: number, to: number): void {
    this.#buffer = buffer
    this.#from = from
    this.#to = to
    this.#text = null
  }

  /** The head is not complete, or too large. */
  #keep(bytes: Buffer, { headBytes }: ResponseLimits): ExchangeError | null {
    const isFirst = this.#searched === 0
    const isLarge = bytes.length > headBytes
    this.#searched = bytes.length
    if (isFirst || isLarge || bytes.length >= this.#checked * 2) {
      this.#checked = bytes.length
      const most = Math.min(bytes.length, headBytes + HEAD_END.length)
      const fault = errorOfPartialResponse(bytes.toString('latin1', 0, most))
      if (fault !== null) return fault
    }
    if (isLarge) {
      const detail = `the response's head is larger than ${headBytes} bytes (limits.head of the backend)`
      return new ExchangeError('ANSWER_TOO_LARGE', detail)
    }
    // The first piece is lent. Further pieces are in a copy already.
    if (isFirst) this.#hold(Buffer.from(bytes), 0, bytes.length)
    return null
  }
}
