/** Writes responses to an HTTP/1 client, with generated framing; small ones in one write. */
import type { ResponseHead } from '../http/message/response-head.ts'
import { chunkSizeLine, lastChunk } from '../http/message/chunked.ts'
import type { Exchange } from '../http/exchange.ts'
import { safeTrailers } from '../http/message/fields.ts'
import type { Http1Connection } from '../http/connection/http1-connection.ts'
import { responseText } from './response-text.ts'

export class ResponseWriter {
  /** The connection closes after the current response. */
  closing = false
  readonly #connection: Http1Connection
  #chunked = false
  #dropsBody = false

  constructor(connection: Http1Connection) {
    this.#connection = connection
  }

  /** `kept`: the connection may stay open after this response. */
  begin(
    exchange: Exchange,
    head: ResponseHead,
    kept: boolean,
    data: Buffer | string | null,
    ended: boolean,
  ): void {
    const { text, chunked, closing, dropsBody } = responseText(
      head,
      exchange.head.minorVersion,
      kept,
    )
    exchange.hasResponded = true
    exchange.status = head.status
    this.closing = closing
    this.#chunked = chunked
    this.#dropsBody = dropsBody
    if (data === null || dropsBody) {
      this.#connection.writeText(ended && chunked ? text + lastChunk('') : text)
      return
    }
    exchange.bytesOut += data.length
    if (!chunked) this.#connection.writeJoined(text, data, '')
    else {
      const after = ended ? `\r\n${lastChunk('')}` : '\r\n'
      this.#connection.writeJoined(text + chunkSizeLine(data.length), data, after)
    }
  }

  data(exchange: Exchange, chunk: Buffer | string): void {
    if (this.#dropsBody) return
    exchange.bytesOut += chunk.length
    if (this.#chunked) this.#connection.writeJoined(chunkSizeLine(chunk.length), chunk, '\r\n')
    else this.#connection.writeJoined('', chunk, '')
  }

  /** 101, and the first bytes of the tunnel. */
  switch(head: ResponseHead, early: Buffer | null): void {
    const lines = `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
    const text = `${head.line}${head.fields}${lines}\r\n`
    if (early === null) this.#connection.writeText(text)
    else this.#connection.writeJoined(text, early, '')
  }

  end(trailers: string): void {
    if (this.#chunked) this.#connection.writeText(lastChunk(safeTrailers(trailers)))
  }
}
