/** The server's end of a tunnel in a stream: a WebSocket over HTTP/2 (RFC 8441). END_STREAM is its half-close. */
import { clock } from '../../http/connection/clock.ts'
import type { TunnelEnd } from '../../http/connection/tunnel.ts'
import type { ServerStream } from './http2-stream.ts'

export class StreamTunnel implements TunnelEnd {
  readonly #stream: ServerStream
  readonly #idleMs: number
  /** The client's end, once it is ready. */
  #peer: TunnelEnd | null = null
  /** What has come before that. */
  #early: Buffer | null = null
  #hasEnded = false

  /** `idleMs`: 0 is no limit. */
  constructor(stream: ServerStream, idleMs: number) {
    this.#stream = stream
    this.#idleMs = idleMs
  }

  join(peer: TunnelEnd): void {
    this.#peer = peer
    this.#touch()
    const early = this.#early
    this.#early = null
    // Otherwise the client's end resumes it.
    if (early === null || peer.tunnelData(early)) this.#stream.resumeReceiving()
    if (this.#hasEnded) peer.tunnelFinish()
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
    const takesMore = chunk.length === 0 || this.#passOn(Buffer.from(chunk))
    if (ended) this.serverEnded()
    return takesMore
  }

  /** The other end may keep it. */
  #passOn(copy: Buffer): boolean {
    if (this.#peer !== null) return this.#peer.tunnelData(copy)
    this.#early = this.#early === null ? copy : Buffer.concat([this.#early, copy])
    return false
  }

  serverTakesMore(): void {
    this.#peer?.tunnelResume()
  }

  serverEnded(): void {
    if (this.#peer === null) this.#hasEnded = true
    else this.#peer.tunnelFinish()
  }

  serverLost(): void {
    this.#peer?.tunnelAbort()
  }
}
