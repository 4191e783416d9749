/** Reads the body of one response from the bytes of its connection. */
import type { ResponseHead } from '../../http/message/response-head.ts'
import { ChunkedDecoder } from '../../http/message/chunked.ts'
import { ExchangeError } from '../../http/message/errors.ts'

export interface BodyPiece {
  data: Buffer | string | null
  /** The body is complete. */
  ended: boolean
  /** Bytes followed that belong to no response. */
  extra: boolean
}

/** One class for all framings: one is created for each response, and a class per framing would allocate more. */
export class ResponseBody {
  readonly #framing: 'none' | 'length' | 'close' | ChunkedDecoder
  #left: number

  constructor(head: ResponseHead) {
    this.#framing = head.framing === 'chunked' ? new ChunkedDecoder('BAD_ANSWER') : head.framing
    this.#left = head.length
  }

  /** After the end; '' if there were none. */
  get trailers(): string {
    return this.#framing instanceof ChunkedDecoder ? this.#framing.trailers : ''
  }

  /** Only the end of the connection ends the body. */
  get endsWithConnection(): boolean {
    return this.#framing === 'close'
  }

  /** Text only if nothing has to be decoded, so not for a chunked body. */
  read(bytes: Buffer | string): BodyPiece | ExchangeError {
    const framing = this.#framing
    const data = bytes.length === 0 ? null : bytes
    if (framing === 'none') return { data: null, ended: true, extra: data !== null }
    if (framing === 'close') return { data, ended: false, extra: false }
    if (framing === 'length') {
      const extra = bytes.length > this.#left
      const taken = extra ? cut(bytes, this.#left) : bytes
      this.#left -= taken.length
      return { data: taken.length === 0 ? null : taken, ended: this.#left === 0, extra }
    }
    if (typeof bytes === 'string') throw new Error('a chunked body is not decoded from text')
    const decoded = framing.decode(bytes)
    if (decoded instanceof ExchangeError) return decoded
    return { data: decoded.data, ended: framing.done, extra: decoded.rest !== null }
  }
}

function cut(bytes: Buffer | string, length: number): Buffer | string {
  return typeof bytes === 'string' ? bytes.slice(0, length) : bytes.subarray(0, length)
}
