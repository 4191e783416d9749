/** The server's end of a tunnel in a stream: a WebSocket over HTTP/2 (RFC 8441). END_STREAM is its half-close. */
import { clock } from '../../http/connection/clock.ts'
import type { TunnelEnd } from '../../http/connection/tunnel.ts'
import type { ServerStream } from './http2-stream.ts'

export class StreamTunnel implements TunnelEnd {
  readonly #stream: ServerStream
  readonly #idleMs: number
  /** The client's end, once it is ready. */
  #peer: TunnelEnd | null = null

  /** `idleMs`: 0 is no limit. */
  constructor(stream: ServerStream, idleMs: number) {
    this.#stream = stream
    this.#idleMs = idleMs
  }

  join(peer: TunnelEnd): void {
    this.#peer = peer
    this.#touch()
    this.#stream.resumeReceiving()
  }

  #touch(): void {
    this.#stream.deadlineAt = this.#idleMs === 0 ? Infinity : clock.now + this.#idleMs
  }

  // From the client.

  tunnelData(chunk: Buffer): boolean {
    this.#touch()
    return this.#stream.sendData(chunk, false)
  }

  tunnelFinish(): void {
    if (!this.#stream.localEnded) this.#stream.sendData('', true)
  }

  tunnelResume(): void {
    this.#stream.resumeReceiving()
  }

  tunnelAbort(): void {
    this.#stream.abandon()
  }

  // From the server.

  /** False: the client takes no more at the moment. */
  received(chunk: Buffer, ended: boolean): boolean {
    this.#touch()
    // The other end may keep it.
    const takesMore = chunk.length === 0 || this.#peer?.tunnelData(Buffer.from(chunk)) === true
    if (ended) this.serverEnded()
    return takesMore
  }

  serverTakesMore(): void {
    this.#peer?.tunnelResume()
  }

  serverEnded(): void {
    this.#peer?.tunnelFinish()
  }

  serverLost(): void {
    this.#peer?.tunnelAbort()
  }
}
