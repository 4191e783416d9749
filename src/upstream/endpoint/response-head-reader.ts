/** Finds the heads of one request's answers, interim and final, in its connection's bytes; bounded in size and number. */
import {
  type ResponseHead,
  parseResponseHead,
  refuseResponseHead,
} from '../../http/response-head.ts'
import { ExchangeError } from '../../http/errors.ts'
import { headLines } from '../../http/head-lines.ts'
import { errorOfPartialResponse } from '../../http/partial-head.ts'

const MAX_INTERIM = 100
const HEAD_END = Buffer.from('\r\n\r\n')
const NONE = Buffer.alloc(0)

export interface ResponseLimits {
  readonly headBytes: number
  readonly fields: number
}

export class ResponseHeadReader {
  /** Something of a response has come. */
  hasBegun = false
  /** What is not read yet is in it from `from` to `to`. */
  #buffer: Buffer = NONE
  #from = 0
  #to = 0
  /** The text of the bytes before `to`, from the head that was read last on; null: only a part of them was decoded. */
  #text: string | null = null
  #headBytes = 0
  #interim = 0
  #searched = 0
  /** Looked at again when it has doubled: a large head that comes in many pieces must not cost its square. */
  #checked = 0

  /** A request is sent: what comes next are its responses. */
  reset(): void {
    this.#hold(NONE, 0, 0)
    this.#interim = 0
    this.#searched = 0
    this.hasBegun = false
  }

  /** The first `length` bytes of the buffer, which is lent until `read` gives null or what follows a head is taken. */
  add(buffer: Buffer, length: number): void {
    this.hasBegun = true
    if (this.unread === 0) return this.#hold(buffer, 0, length)
    const all = Buffer.concat([this.#rest, buffer.subarray(0, length)])
    this.#hold(all, 0, all.length)
  }

  /** How many bytes follow the head that was read last. */
  get unread(): number {
    return this.#to - this.#from
  }

  /** The next head; null: the rest of it has yet to come. */
  read(toHead: boolean, limits: ResponseLimits): ResponseHead | ExchangeError | null {
    const most = Math.min(this.#to, this.#from + limits.headBytes + HEAD_END.length)
    return this.#searched === 0 && headLines.readResponse(this.#buffer, this.#from, most)
      ? this.#parse(most, toHead, limits)
      : this.#readUnusual(most, toHead, limits)
  }

  /** What the walk over the bytes does not take at once: a head in pieces, or broken. */
  #readUnusual(
    most: number,
    toHead: boolean,
    limits: ResponseLimits,
  ): ResponseHead | ExchangeError | null {
    const bytes = this.#rest
    // After a first look the search goes on where it ended.
    const end = bytes.indexOf(HEAD_END, Math.max(0, this.#searched - HEAD_END.length + 1))
    if (end < 0 || end > limits.headBytes) return this.#keep(bytes, limits)
    return headLines.readResponse(this.#buffer, this.#from, most)
      ? this.#parse(most, toHead, limits)
      : refuseResponseHead(bytes.toString('latin1', 0, end + 2))
  }

  /** Its lines have just been read. A small body behind it is decoded with it. */
  #parse(most: number, toHead: boolean, { fields }: ResponseLimits): ResponseHead | ExchangeError {
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

  /** Empties it; what followed the head that was read last. */
  takeRest(): Buffer {
    const rest = this.#rest
    this.#hold(NONE, 0, 0)
    return rest
  }

  /** The same as text, where that has been made with the head's. */
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

  /** The rest of the head has yet to come, or makes it too large. */
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
    // The first piece is lent; it was copied to be joined with a second one.
    if (isFirst) this.#hold(Buffer.from(bytes), 0, bytes.length)
    return null
  }
}
