/**
 * The bytes that a client has sent and that are not used yet: part of a head, a body that nothing takes yet, requests
 * ahead of their turn. Heads and bodies are read out of them in order.
 */
import { ExchangeError } from '../http/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { Listener } from '../model/snapshot.ts'
import { HeadReader } from './head-reader.ts'
import type { RequestBody } from './request-body.ts'

export class Inbox {
  readonly #heads = new HeadReader()
  #bytes: Buffer | null = null

  get isEmpty(): boolean {
    return this.#bytes === null
  }

  get length(): number {
    return this.#bytes?.length ?? 0
  }

  /** Lent until `settle` is called. */
  add(data: Buffer): void {
    this.#bytes = this.#bytes === null ? data : Buffer.concat([this.#bytes, data])
  }

  /** What is left of `data` outlives the read that brought it; the memory of `data` does not. */
  settle(data: Buffer): void {
    if (this.#bytes?.buffer === data.buffer) this.#bytes = Buffer.from(this.#bytes)
  }

  /** The next head; null: the rest of it has yet to come. */
  readHead(limits: Listener['limits'], trusted: boolean): RequestHead | ExchangeError | null {
    if (this.#bytes === null) return null
    const read = this.#heads.read(this.#bytes, limits, trusted)
    if (read === null || read instanceof ExchangeError) return read
    this.#bytes = read.rest
    return read.head
  }

  /** The body's data; what follows the body stays. */
  readBody(body: RequestBody, exchange: Exchange): Buffer | null | ExchangeError {
    if (this.#bytes === null) return null
    const read = body.read(this.#bytes, exchange)
    if (read instanceof ExchangeError) return read
    this.#bytes = read.rest
    return read.data
  }

  /** Empties it. */
  take(): Buffer | null {
    const bytes = this.#bytes
    this.#bytes = null
    return bytes
  }
}
