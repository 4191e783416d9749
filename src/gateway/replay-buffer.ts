/**
 * Stands between a client's body and the servers that are tried with it: what has flowed is kept, up to a bound, and sent
 * again to the next one. A body that is larger flows on and is not kept.
 */
import type { BodySink } from '../http/exchange.ts'
import type { ServerConnection } from '../upstream/endpoint/server-connection.ts'

export class ReplayBuffer implements BodySink {
  readonly #maxBytes: number
  #kept: Buffer[] | null = []
  #bytes = 0
  /** Null while no server takes it. */
  #to: ServerConnection | null = null
  /** Of the body's end, once it has come. */
  #trailers: string | null = null
  /** `#to` has been given all that is kept. */
  #isLevel = true

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** All of it that has flowed can be sent again. */
  get isWhole(): boolean {
    return this.#kept !== null
  }

  /** The next server; it is given nothing yet. */
  attach(connection: ServerConnection): void {
    this.#to = connection
    this.#isLevel = false
  }

  /** The server is gone. What comes meanwhile is kept, however much one read brings. */
  detach(): void {
    this.#to = null
  }

  /** The server takes the body: gives it what is kept first. False: all has been given, the client need not be asked. */
  resume(): boolean {
    const to = this.#to
    if (to === null) return false
    if (!this.#isLevel) {
      this.#isLevel = true
      for (const chunk of this.#kept ?? []) to.bodyData(chunk)
      if (this.#trailers !== null) to.bodyEnd(this.#trailers)
    }
    return this.#trailers === null
  }

  bodyData(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#to !== null && this.#isLevel && this.#bytes > this.#maxBytes) this.#kept = null
    // Lent: it is overwritten by the next read.
    this.#kept?.push(Buffer.from(chunk))
    // Not level: the chunk goes with what is kept before it.
    return this.#to !== null && this.#isLevel && this.#to.bodyData(chunk)
  }

  bodyEnd(trailers: string): void {
    this.#trailers = trailers
    if (this.#isLevel) this.#to?.bodyEnd(trailers)
  }

  get holdsData(): boolean {
    return this.#to?.holdsData === true
  }

  resumeResponse(): void {
    this.#to?.resumeResponse()
  }
}
