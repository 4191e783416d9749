/**
 * Received bytes that are not processed yet: part of a head, a body that no server takes yet, pipelined requests. Heads and bodies
 * are read from it in order.
 */
import { ExchangeError } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { RequestHead } from '../http/message/request-head.ts'
import type { Listener } from '../model/snapshot.ts'
import { RequestHeadReader } from './request-head-reader.ts'
import type { RequestBody } from './request-body.ts'

const NONE = Buffer.alloc(0)

export class ReceiveBuffer {
  readonly #heads = new RequestHeadReader()
  /** The bytes are those from `from` to `to`. */
  #buffer: Buffer = NONE
  #from = 0
  #to = 0

  get isEmpty(): boolean {
    return this.#from === this.#to
  }

  get length(): number {
    return this.#to - this.#from
  }

  /** The first `length` bytes of the buffer, which is lent until `settle` is called. */
  add(buffer: Buffer, length: number): void {
    if (this.isEmpty) this.#hold(buffer, 0, length)
    else {
      const data = buffer.subarray(0, length)
      const all = Buffer.concat([this.#buffer.subarray(this.#from, this.#to), data])
      this.#hold(all, 0, all.length)
    }
  }

  /** Copies what is left, because the memory of `buffer` is reused by the next read. */
  settle(buffer: Buffer): void {
    if (this.isEmpty) this.#hold(NONE, 0, 0)
    else if (this.#buffer === buffer)
      this.#hold(Buffer.from(buffer.subarray(this.#from, this.#to)), 0, this.length)
  }

  /** The next head; null if it is not complete. */
  readHead(limits: Listener['limits'], trusted: boolean): RequestHead | ExchangeError | null {
    if (this.isEmpty) return null
    const head = this.#heads.read(this.#buffer, this.#from, this.#to, limits, trusted)
    if (head !== null && !(head instanceof ExchangeError)) this.#from = this.#heads.end
    return head
  }

  /** The body's data; what follows the body stays in the buffer. */
  readBody(body: RequestBody, exchange: Exchange): Buffer | null | ExchangeError {
    if (this.isEmpty) return null
    const read = body.read(this.#buffer.subarray(this.#from, this.#to), exchange)
    if (read instanceof ExchangeError) return read
    this.#from = this.#to - (read.rest?.length ?? 0)
    return read.data
  }

  /** Whether these are its first bytes. */
  beginsWith(bytes: Buffer): boolean {
    const to = this.#from + bytes.length
    return to <= this.#to && this.#buffer.compare(bytes, 0, bytes.length, this.#from, to) === 0
  }

  /** Removes and returns all bytes. */
  take(): Buffer | null {
    const bytes = this.isEmpty ? null : this.#buffer.subarray(this.#from, this.#to)
    this.#hold(NONE, 0, 0)
    return bytes
  }

  #hold(buffer: Buffer, from: number, to: number): void {
    this.#buffer = buffer
    this.#from = from
    this.#to = to
  }
}
