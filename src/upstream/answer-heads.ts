/** Finds the heads of one request's answers, interim and final, in its connection's bytes; bounded in size and number. */
import { type AnswerHead, parseAnswerHead } from '../http/answer-head.ts'
import { ExchangeError } from '../http/errors.ts'
import { errorOfPartialAnswer } from '../http/partial-head.ts'

const MAX_INTERIM = 100
const HEAD_END = Buffer.from('\r\n\r\n')

export interface AnswerLimits {
  readonly headBytes: number
  readonly fields: number
}

export interface FoundHead {
  readonly head: AnswerHead
  /** What follows it. */
  readonly rest: Buffer
  /** The same bytes, when they are decoded already. */
  readonly restText: string | null
}

export class AnswerHeads {
  #partial: Buffer | null = null
  /** Looked at again when it has doubled: a large head that comes in many pieces must not cost its square. */
  #checked = 0
  #interim = 0
  /** Something of an answer has come. */
  hasBegun = false

  /** A request is sent: what comes next are its answers. */
  reset(): void {
    this.#partial = null
    this.#interim = 0
    this.hasBegun = false
  }

  /** Null: the rest of the head has yet to come. `data` is only lent. */
  read(data: Buffer, toHead: boolean, limits: AnswerLimits): FoundHead | ExchangeError | null {
    this.hasBegun = true
    if (this.#partial !== null) return this.#readOn(this.#partial, data, toHead, limits)
    const text = data.toString('latin1', 0, Math.min(data.length, limits.headBytes + 4))
    const end = text.indexOf('\r\n\r\n')
    if (end < 0 || end > limits.headBytes) {
      this.#checked = 0
      return this.#keep(Buffer.from(data), limits)
    }
    const restText = text.length === data.length ? text.slice(end + 4) : null
    return this.#found(text.slice(0, end + 2), data.subarray(end + 4), restText, toHead, limits)
  }

  /** The search goes on where it ended. */
  #readOn(
    partial: Buffer,
    data: Buffer,
    toHead: boolean,
    limits: AnswerLimits,
  ): FoundHead | ExchangeError | null {
    this.#partial = null
    const bytes = Buffer.concat([partial, data])
    const end = bytes.indexOf(HEAD_END, Math.max(0, partial.length - 3))
    if (end < 0 || end > limits.headBytes) return this.#keep(bytes, limits)
    const text = bytes.toString('latin1', 0, end + 2)
    return this.#found(text, bytes.subarray(end + 4), null, toHead, limits)
  }

  #found(
    text: string,
    rest: Buffer,
    restText: string | null,
    toHead: boolean,
    { fields }: AnswerLimits,
  ): FoundHead | ExchangeError {
    const head = parseAnswerHead(text, toHead, fields)
    if (head instanceof ExchangeError) return head
    if (head.status < 200 && head.status !== 101 && ++this.#interim > MAX_INTERIM)
      return new ExchangeError('BAD_ANSWER', `more than ${MAX_INTERIM} interim answers`)
    return { head, rest, restText }
  }

  #keep(bytes: Buffer, { headBytes }: AnswerLimits): ExchangeError | null {
    const isLarge = bytes.length > headBytes
    if (bytes.length >= this.#checked * 2 || isLarge) {
      this.#checked = bytes.length
      const text = bytes.toString('latin1', 0, Math.min(bytes.length, headBytes + 4))
      const fault = errorOfPartialAnswer(text)
      if (fault !== null) return fault
    }
    if (isLarge) {
      const detail = `the answer's head is larger than ${headBytes} bytes (limits.head of the backend)`
      return new ExchangeError('ANSWER_TOO_LARGE', detail)
    }
    this.#partial = bytes
    return null
  }
}
