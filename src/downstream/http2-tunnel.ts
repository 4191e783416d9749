/** A stream's end of a tunnel: what comes in DATA goes to a server, and the other way round (RFC 8441 section 5). */
import type { TunnelEnd } from '../http/connection/tunnel.ts'
import { ERROR } from '../http2/frames.ts'
import type { Http2Stream } from '../http2/stream.ts'

export interface TunnelStream extends Http2Stream {
  tunnelEnded(): void
}

export class Http2Tunnel implements TunnelEnd {
  readonly #stream: TunnelStream
  readonly #server: TunnelEnd
  #hasFinished = false
  #hasReceivedAll = false
  #isOver = false

  constructor(stream: TunnelStream, server: TunnelEnd) {
    this.#stream = stream
    this.#server = server
  }

  // From the client.

  /** False: the server takes no more for now. */
  received(chunk: Buffer, ended: boolean): boolean {
    // A copy, because the tunnel keeps its data and a read buffer is reused.
    const more = chunk.length === 0 || this.#server.tunnelData(Buffer.from(chunk))
    if (!ended) return more
    this.#hasReceivedAll = true
    this.#server.tunnelFinish()
    this.#endIfOver()
    return true
  }

  writable(): void {
    this.#server.tunnelResume()
  }

  /** The stream was reset, or its connection is gone. */
  lost(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#server.tunnelAbort()
  }

  // From the server.

  tunnelData(chunk: Buffer): boolean {
    return this.#isOver || this.#hasFinished || this.#stream.sendData(chunk, false)
  }

  tunnelFinish(): void {
    if (this.#hasFinished) return
    this.#hasFinished = true
    this.#stream.sendTrailers('')
    this.#endIfOver()
  }

  tunnelResume(): void {
    this.#stream.resumeReceiving()
  }

  tunnelAbort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stream.sendReset(ERROR.CANCEL)
    this.#stream.tunnelEnded()
  }

  #endIfOver(): void {
    if (this.#isOver || !this.#hasFinished || !this.#hasReceivedAll) return
    this.#isOver = true
    this.#stream.tunnelEnded()
  }
}
