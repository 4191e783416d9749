/**
 * Reads one request's body out of its connection's bytes: by length or chunked, data on the one hand, what follows the
 * body on the other. Knows nothing of sockets.
 */
import { refuseBodySize } from '../http/body-limit.ts'
import { ChunkedDecoder } from '../http/chunked.ts'
import { readClock } from '../http/clock.ts'
import { ExchangeError } from '../http/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { safeTrailers } from '../http/fields.ts'
import type { RequestHead } from '../http/request-head.ts'

/** A body must bring this much (or its end) between two deadlines: a byte now and then is not progress. */
const PROGRESS_BYTES = 256

export class RequestBody {
  ended = false
  /** Decoded before anybody could take it. */
  held: Buffer | null = null
  /** Somebody takes it. Until then what arrives is kept, in its order. */
  flows = false
  /** `bodyEnd` has been passed on, or the body travelled with the head. */
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

  /** The data in these bytes (which may be overwritten), and what follows the body's end. Counts it for the exchange. */
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

  /** Whether enough has come since the last time to set the deadline anew. */
  progressed(): boolean {
    if (this.#progress < PROGRESS_BYTES) return false
    this.#progress = 0
    return true
  }
}
