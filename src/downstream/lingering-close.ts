/**
 * A lingering close, as in nginx: after the last response the proxy ends its side, then reads and drops what the client still sends
 * for a moment, because a reset could discard the response before the client has read it. While a slow client still reads the
 * response, the connection stays open.
 */
const LINGER_MS = 2_000
const LINGER_BYTES = 256 * 1024

export interface Closing {
  /** Bytes that the system has not taken yet. */
  readonly unwritten: number
}

export class LingeringClose {
  readonly #connection: Closing
  readonly #writeMs: number
  #dropped = 0
  /** Unwritten bytes at the last check. */
  #unwritten = Infinity

  /** `writeMs`: how long the client may appear to read nothing. */
  constructor(connection: Closing, writeMs: number) {
    this.#connection = connection
    this.#writeMs = writeMs
  }

  /** How long to wait before the next check, ms; null: close now. */
  check(): number | null {
    const before = this.#unwritten
    const left = this.#connection.unwritten
    this.#unwritten = left
    if (left > 0) return left < before ? this.#writeMs : null
    return before > 0 ? LINGER_MS : null
  }

  /** False if the client has sent more than the limit. */
  drop(bytes: number): boolean {
    this.#dropped += bytes
    return this.#dropped <= LINGER_BYTES
  }
}
