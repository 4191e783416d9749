/** Writes requests to a server: the head as the gateway made it, then the body in its framing. */
import { chunkSizeLine, lastChunk } from '../../http/chunked.ts'
import type { Http1Connection } from '../../http/http1-connection.ts'

/** A request as the gateway has written it. */
export interface UpstreamRequest {
  /** The head, and a small body when it is there. */
  readonly text: string
  /** The response has no body whatever it announces. */
  readonly toHead: boolean
  readonly wantsUpgrade: boolean
  /** The body waits until the server has said 100. */
  readonly waitsFor100: boolean
  /** Bytes of it, where they are announced. */
  readonly length: number
  /** A body follows by `bodyData` and `bodyEnd`, framed like this; `none` when the text is the whole request. */
  readonly body: 'none' | 'length' | 'chunked'
}

export class RequestWriter {
  /** Null between requests. */
  request: UpstreamRequest | null = null
  ended = true
  /** Something of the body was sent, or the server has asked for it. */
  tookBody = false
  /** Announced bytes of the body that are owed yet. */
  owed = 0
  readonly #connection: Http1Connection

  constructor(connection: Http1Connection) {
    this.#connection = connection
  }

  /** Sends nothing yet: there may be no socket. */
  begin(request: UpstreamRequest): void {
    this.request = request
    this.ended = request.body === 'none'
    this.owed = request.body === 'length' ? request.length : 0
    this.tookBody = false
  }

  /** While it connects the socket keeps the text, and drops it when that fails. */
  sendText(): void {
    if (this.request !== null) this.#connection.socket.write(this.request.text, 'latin1')
  }

  /** There is more of the body to come, and the server does not have to ask for it first. */
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

  /** Only when nothing is owed. */
  end(trailers: string): void {
    this.ended = true
    if (this.request?.body === 'chunked')
      this.#connection.socket.write(lastChunk(trailers), 'latin1')
  }
}
