/** Finds the heads of one request's answers, interim and final, in its connection's bytes; bounded in size and number. */
import { type AnswerHead, parseAnswerHead } from '../http/answer-head.ts'
import { ExchangeError } from '../http/errors.ts'
import { errorOfPartialAnswer } from '../http/partial-head.ts'

const MAX_INTERIM = 100

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
    const bytes = this.#partial === null ? data : Buffer.concat([this.#partial, data])
    this.#partial = null
    const text = bytes.toString('latin1', 0, Math.min(bytes.length, limits.headBytes + 4))
    const end = text.indexOf('\r\n\r\n')
    if (end < 0 || end > limits.headBytes) return this.#keep(bytes, text, limits)
    const head = parseAnswerHead(text.slice(0, end + 2), toHead, limits.fields)
    if (head instanceof ExchangeError) return head
    if (head.status < 200 && head.status !== 101 && ++this.#interim > MAX_INTERIM)
      return new ExchangeError('BAD_ANSWER', `more than ${MAX_INTERIM} interim answers`)
    return {
      head,
      rest: bytes.subarray(end + 4),
      restText: text.length === bytes.length ? text.slice(end + 4) : null,
    }
  }

  #keep(bytes: Buffer, text: string, { headBytes }: AnswerLimits): ExchangeError | null {
    const fault = errorOfPartialAnswer(text)
    if (fault !== null) return fault
    if (bytes.length > headBytes) {
      const detail = `the answer's head is larger than ${headBytes} bytes (limits.head of the backend)`
      return new ExchangeError('ANSWER_TOO_LARGE', detail)
    }
    this.#partial = Buffer.from(bytes)
    return null
  }
}
