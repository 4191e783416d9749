/** Writes requests to a server: the head as the gateway has written it, then the body in its framing. */
import { chunkSizeLine, lastChunk } from '../../http/message/chunked.ts'
import type { Http1Connection } from '../../http/connection/http1-connection.ts'

/** A request as the gateway has written it. */
export interface UpstreamRequest {
  /** The head, with a small body that came with it. */
  readonly text: string
  /** HEAD: the response has no body, even if it announces one. */
  readonly toHead: boolean
  readonly wantsUpgrade: boolean
  /** The body is sent after the server's 100 (Continue). */
  readonly waitsFor100: boolean
  /** Content-Length, if there is one. */
  readonly length: number
  /** Framing of the body that follows by `bodyData` and `bodyEnd`; `none` if the text is the whole request. */
  readonly body: 'none' | 'length' | 'chunked'
}

export class RequestWriter {
  /** Null between requests. */
  request: UpstreamRequest | null = null
  ended = true
  /** Part of the body was sent, or the server has requested it (100 Continue). */
  tookBody = false
  /** Announced bytes of the body that are still missing. */
  owed = 0
  readonly #connection: Http1Connection

  constructor(connection: Http1Connection) {
    this.#connection = connection
  }

  /** Sends nothing yet, because there may be no socket. */
  begin(request: UpstreamRequest): void {
    this.request = request
    this.ended = request.body === 'none'
    this.owed = request.body === 'length' ? request.length : 0
    this.tookBody = false
  }

  /** While the socket connects it keeps the text, and drops it if connecting fails. */
  sendText(): void {
    if (this.request !== null) this.#connection.socket.write(this.request.text, 'latin1')
  }

  /** The body has not ended, and it does not wait for a 100 Continue (any more). */
  get wantsBody(): boolean {
    return !this.ended && (this.request?.waitsFor100 !== true || this.tookBody)
  }

  data(chunk: Buffer): void {
    this.owed -= chunk.length
    this.tookBody = true
    if (this.request?.body === 'chunked')
      this.#connection.writeJoined(chunkSizeLine(chunk.length), chunk, '\r\n')
    else this.#connection.writeJoined('', chunk, '')
  }

  /** The caller must have sent all announced bytes. */
  end(trailers: string): void {
    this.ended = true
    if (this.request?.body === 'chunked')
      this.#connection.socket.write(lastChunk(trailers), 'latin1')
  }
}
