/**
 * Buffers a request's body, up to a limit, while it streams to a server, and sends it again to the next server. A body above the
 * limit streams on and cannot be sent again.
 */
import type { BodySink } from '../http/exchange.ts'
import type { ServerExchange } from '../upstream/endpoint/server-exchange.ts'

export class ReplayBuffer implements BodySink {
  readonly #maxBytes: number
  #chunks: Buffer[] | null = []
  #bytes = 0
  /** Null while no server takes the body. */
  #to: ServerExchange | null = null
  /** Null until the body has ended. */
  #trailers: string | null = null
  #isLast = false
  /** `#to` has got all that is buffered. */
  #hasCaughtUp = true

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** All of it so far can be sent again. */
  get isWhole(): boolean {
    return this.#chunks !== null
  }

  /** The next server. It gets nothing before `resume`. */
  attach(connection: ServerExchange): void {
    this.#to = connection
    this.#hasCaughtUp = false
  }

  /** The server is gone. What comes until the next one is buffered, even above the limit. */
  detach(): void {
    this.#to = null
  }

  /** A response has begun: this server is the last one. */
  forget(): void {
    this.#isLast = true
    if (this.#hasCaughtUp) this.#chunks = null
  }

  /** The server takes the body: it gets what is buffered first. False: that was all, the client need not send more. */
  resume(): boolean {
    const to = this.#to
    if (to === null) return false
    if (!this.#hasCaughtUp) {
      this.#hasCaughtUp = true
      for (const chunk of this.#chunks ?? []) to.bodyData(chunk)
      if (this.#isLast) this.#chunks = null
      if (this.#trailers !== null) to.bodyEnd(this.#trailers)
    }
    return this.#trailers === null
  }

  bodyData(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#to !== null && this.#hasCaughtUp && this.#bytes > this.#maxBytes) this.#chunks = null
    // A copy, because the next read overwrites the chunk.
    this.#chunks?.push(Buffer.from(chunk))
    // Otherwise the chunk is sent later, behind what is buffered before it.
    return this.#to !== null && this.#hasCaughtUp && this.#to.bodyData(chunk)
  }

  bodyEnd(trailers: string): void {
    this.#trailers = trailers
    if (this.#hasCaughtUp) this.#to?.bodyEnd(trailers)
  }

  get holdsData(): boolean {
    return this.#to?.holdsData === true
  }

  resumeResponse(): void {
    this.#to?.resumeResponse()
  }
}
