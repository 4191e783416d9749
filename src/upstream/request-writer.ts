/** Writes requests to a server: the head as the gateway made it, then the body in its framing. */
import { chunkSizeLine, lastChunk } from '../http/chunked.ts'
import type { Wire } from '../http/wire.ts'
import type { Outgoing } from './outgoing.ts'

export class RequestWriter {
  /** Null between requests. */
  request: Outgoing | null = null
  ended = true
  /** Something of the body was sent, or the server has asked for it. */
  tookBody = false
  /** Announced bytes of the body that are owed yet. */
  owed = 0
  readonly #wire: Wire

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /** Sends nothing yet: there may be no socket. */
  begin(request: Outgoing): void {
    this.request = request
    this.ended = request.body === 'none'
    this.owed = request.body === 'length' ? request.length : 0
    this.tookBody = false
  }

  /** While it connects the socket keeps the text, and drops it when that fails. */
  sendText(): void {
    if (this.request !== null) this.#wire.socket.write(this.request.text, 'latin1')
  }

  /** There is more of the body to come, and the server does not have to ask for it first. */
  get wantsBody(): boolean {
    return !this.ended && (this.request?.waitsFor100 !== true || this.tookBody)
  }

  data(chunk: Buffer): void {
    this.owed -= chunk.length
    this.tookBody = true
    if (this.request?.body === 'chunked')
      this.#wire.writeJoined(chunkSizeLine(chunk.length), chunk, '\r\n')
    else this.#wire.writeJoined('', chunk, '')
  }

  /** Only when nothing is owed. */
  end(trailers: string): void {
    this.ended = true
    if (this.request?.body === 'chunked') this.#wire.socket.write(lastChunk(trailers), 'latin1')
  }
}
