/** Writes requests to an HTTP/1.1 server: the head, then the body in its framing. */
import type { Exchange } from '../../http/exchange.ts'
import { chunkSizeLine, lastChunk } from '../../http/message/chunked.ts'
import type { Http1Connection } from '../../http/connection/http1-connection.ts'
import { requestText } from './request-text.ts'

export class RequestWriter {
  ended = true
  /** Part of the body was sent, or the server has requested it (100 Continue). */
  tookBody = false
  /** HEAD: the response has no body, even if it announces one. */
  toHead = false
  wantsUpgrade = false
  /** Announced bytes of the body that are still missing; 0 for a chunked body. */
  owed = 0
  /** Framing of the body that follows by `data` and `end`; `none` if the text is the whole request. */
  #body: 'none' | 'length' | 'chunked' = 'none'
  /** The body is sent after the server's 100 (Continue). */
  #waitsFor100 = false
  /** '' once it is sent. */
  #text = ''
  readonly #connection: Http1Connection

  constructor(connection: Http1Connection) {
    this.#connection = connection
  }

  /** Sends nothing yet, because there may be no socket. */
  begin(exchange: Exchange, hostLine: string, passHost: boolean): void {
    const { head } = exchange
    const isWhole = exchange.isWhole
    this.#text = requestText(exchange, hostLine, passHost)
    this.#body = isWhole ? 'none' : head.framing
    this.#waitsFor100 = !isWhole && head.expectContinue
    this.toHead = head.method === 'HEAD'
    this.wantsUpgrade = head.upgrade !== ''
    this.ended = isWhole
    this.owed = this.#body === 'length' ? head.length : 0
    this.tookBody = false
  }

  /** While the socket connects it keeps the text, and drops it if connecting fails. */
  sendText(): void {
    if (this.#text === '') return
    this.#connection.writeText(this.#text)
    this.#text = ''
  }

  /** The body has not ended, and it does not wait for a 100 Continue (any more). */
  get wantsBody(): boolean {
    return !this.ended && (!this.#waitsFor100 || this.tookBody)
  }

  data(chunk: Buffer): void {
    this.tookBody = true
    if (this.#body === 'chunked')
      this.#connection.writeJoined(chunkSizeLine(chunk.length), chunk, '\r\n')
    else {
      this.owed -= chunk.length
      this.#connection.writeJoined('', chunk, '')
    }
  }

  /** The caller must have sent all announced bytes. */
  end(trailers: string): void {
    this.ended = true
    if (this.#body === 'chunked') this.#connection.writeText(lastChunk(trailers))
  }
}
