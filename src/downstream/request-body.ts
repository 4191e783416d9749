/**
 * Reads the body of one request, by length or chunked, from the bytes of its connection. Separates its data from what follows.
 */
import { refuseBodySize, type Exchange } from '../http/exchange.ts'
import { ChunkedDecoder } from '../http/message/chunked.ts'
import { readClock } from '../http/connection/clock.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { safeTrailers } from '../http/message/fields.ts'
import type { RequestHead } from '../http/message/request-head.ts'

/** A body must make this much progress (or end) between two deadlines, so that a byte now and then does not suffice. */
export const PROGRESS_BYTES = 256

export class RequestBody {
  ended = false
  /** Data that was decoded before a server takes the body. */
  held: Buffer | null = null
  /** A server takes the body. Until then what arrives is buffered in order. */
  flows = false
  /** `bodyEnd` has been passed on, or the body was sent with the head. */
  passed = false
  readonly #decoder: ChunkedDecoder | null
  #left: number
  #progress = 0

  constructor(head: RequestHead) {
    this.#decoder = head.framing === 'chunked' ? new ChunkedDecoder('BAD_CHUNK') : null
    this.#left = head.length
    this.ended = head.framing === 'length' && head.length === 0
  }

  /** Trailers that may be passed on. */
  get trailers(): string {
    return safeTrailers(this.#decoder?.trailers ?? '')
  }

  /** The data in these bytes (which may be overwritten), and what follows the body. Updates the exchange's counters. */
  read(
    bytes: Buffer,
    exchange: Exchange,
  ): { data: Buffer | null; rest: Buffer | null } | ExchangeError {
    const read = this.#split(bytes)
    if (read instanceof ExchangeError) return read
    exchange.bodyEnded = this.ended
    exchange.bodyAt = readClock()
    exchange.bytesIn += read.data?.length ?? 0
    return refuseBodySize(exchange) ?? read
  }

  #split(bytes: Buffer): { data: Buffer | null; rest: Buffer | null } | ExchangeError {
    this.#progress += bytes.length
    if (this.#decoder !== null) {
      const decoded = this.#decoder.decode(bytes)
      this.ended = this.#decoder.done
      return decoded
    }
    const taken = Math.min(bytes.length, this.#left)
    this.#left -= taken
    this.ended = this.#left === 0
    return {
      data: taken === 0 ? null : bytes.subarray(0, taken),
      rest: taken < bytes.length ? bytes.subarray(taken) : null,
    }
  }

  /** Whether enough has come since the last call to extend the deadline. */
  progressed(): boolean {
    if (this.#progress < PROGRESS_BYTES) return false
    this.#progress = 0
    return true
  }
}
