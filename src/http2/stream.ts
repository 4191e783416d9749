/**
 * One stream of a link: its states (RFC 9113 section 5.1), its two windows, and the data that they hold back. Subclasses are the
 * client's side of an exchange (`downstream`) and the server's side (`upstream`).
 *
 * What a hook throws goes to `fault` of its stream, which ends with INTERNAL_ERROR; other streams are not affected.
 */
import type { Expiring } from '../http/connection/deadlines.ts'
import { ERROR } from './frames.ts'
import type { HeadDecoder } from './hpack/head-decoder.ts'
import { isSurelySmaller, requestSize, responseSize } from './head-size.ts'
import { HeadEncoder, type NeverIndexed, type RequestLine } from './hpack/head-encoder.ts'
import type { Http2Link } from './link.ts'
import { HeldInput } from './held-input.ts'
import { HeldOutput } from './held-output.ts'

export abstract class Http2Stream implements Expiring {
  readonly link: Http2Link
  /** 0 before `openStream`. */
  id = 0
  /** The peer has ended its direction, and all of it was passed on. */
  remoteEnded = false
  /** This side has ended its direction; the last of it may still wait for the windows. */
  localEnded = false
  /** Reset by either side, or its link is gone: calls do nothing, no hook follows. */
  isReset = false
  /** The message received has no body, also if its Content-Length announces one: set for responses to HEAD. */
  expectsNoBody = false
  /** What its heads and trailers must not index, since it came so (RFC 7541 section 6.2.3). */
  neverIndexed: NeverIndexed = null
  /** A WebSocket: its directions end apart, whichever is first. */
  isTunnel = false
  /** By the coarse clock; Infinity for none. Calls `expire`. The stream is a member of the deadlines while it is open. */
  deadlineAt: number = Infinity
  /** Owned by Deadlines. */
  deadlineIndex = -1
  /** For the link: what this side may send, and what the peer may send. */
  readonly outgoing: HeldOutput
  readonly incoming: HeldInput

  constructor(link: Http2Link) {
    this.link = link
    this.outgoing = new HeldOutput(this)
    this.incoming = new HeldInput(this)
  }

  // Calls.

  /** `contentLength`: -1 for none. 1xx heads, too, with `ended` false. */
  sendResponse(status: number, contentLength: number, fields: string, ended: boolean): void {
    const at = this.#beginHead(fields.length)
    if (at < 0) return
    const { encoder, output } = this.link
    const end = encoder.response(
      output.buffer,
      at,
      status,
      contentLength,
      fields,
      this.neverIndexed,
    )
    this.#endHead(end, ended)
  }

  /** The size of a response head that is larger than the peer takes; 0: it takes it. */
  oversizeOfResponse(contentLength: number, fields: string): number {
    const most = this.link.peer.maxHeaderListSize
    if (isSurelySmaller(fields.length, most)) return 0
    const size = responseSize(contentLength, fields)
    return size > most ? size : 0
  }

  /** The same of a request. */
  oversizeOfRequest(line: RequestLine, fields: string, more: string): number {
    const most = this.link.peer.maxHeaderListSize
    const characters = fields.length + more.length + line.path.length + line.authority.length
    if (isSurelySmaller(characters, most)) return 0
    const size = requestSize(line, fields, more)
    return size > most ? size : 0
  }

  /** `more`: further lines, as for HeadEncoder. */
  sendRequest(line: RequestLine, fields: string, more: string, ended: boolean): void {
    const { method, authority, path } = line
    const own = method.length + authority.length + path.length
    const at = this.#beginHead(fields.length + more.length + own)
    if (at < 0) return
    const { encoder, output } = this.link
    const end = encoder.request(output.buffer, at, line, fields, more, this.neverIndexed)
    this.#endHead(end, ended)
  }

  /**
   * Copies the data, and keeps what the windows do not let out. False: no more before `writable()`. A string is latin1. `ended` with
   * no data ends the stream with an empty frame, or with the last one that still waits.
   */
  sendData(chunk: Buffer | string, ended: boolean): boolean {
    if (this.isReset || this.localEnded) return true
    this.localEnded = ended
    return this.outgoing.send(chunk, ended)
  }

  /** Ends the stream; '' ends it without trailers. */
  sendTrailers(fields: string): void {
    if (this.isReset || this.localEnded) return
    this.localEnded = true
    if (fields === '') this.outgoing.send('', true)
    else this.outgoing.endWith(fields)
  }

  /** No hook follows. Does nothing once the stream is reset or both sides have ended. */
  sendReset(code: number): void {
    if (!this.isReset) this.link.resetStream(this, code)
  }

  /** No `dataReceived` (and no end) until `resumeReceiving`: at most one stream window of data is kept meanwhile. */
  pauseReceiving(): void {
    this.incoming.isPaused = true
  }

  /** May call `dataReceived`, `trailersReceived` before it returns. */
  resumeReceiving(): void {
    if (this.incoming.isPaused) this.incoming.resume()
  }

  /** Data waits for a window of the peer, or for the socket. */
  get isWaiting(): boolean {
    return this.outgoing.isWaiting
  }

  // Hooks.

  /**
   * Of a server's stream: once, the request; it is registered, and may respond at once. Of a client's stream: a 1xx head
   * (`decoder.status`), or the final one. `ended`: no body and no trailers follow.
   */
  abstract headReceived(decoder: HeadDecoder, ended: boolean): void
  /**
   * `ended`: the last data (which may be empty), and no trailers follow. Data below JOIN_BYTES (socket-reads.ts) is lent for the call;
   * larger data for as long as `takerHoldsData`. False: as `pauseReceiving`.
   */
  abstract dataReceived(chunk: Buffer, ended: boolean): boolean
  /** The last large chunk is still in use and must not be overwritten. */
  abstract get takerHoldsData(): boolean
  /** Trailers have arrived with such names, and `trailersReceived` follows when they are taken. */
  trailersNeverIndexed?(names: ReadonlySet<string>): void
  /** They end the message; fields as text, names in lower case. */
  abstract trailersReceived(fields: string): void
  /** All frames of one read of the socket have been dispatched; called after a read in which the stream got a head or data. */
  readEnded?(): void
  /** `sendData` has returned false, and now there is room. */
  abstract writable(): void
  /**
   * The peer has reset the stream, or this side has because of an error that the peer made (`fault` says which; '' if the peer did).
   * REFUSED_STREAM also if a GOAWAY says that the peer did not process it: safe to send again (section 8.7). A response head above the
   * limits: ENHANCE_YOUR_CALM with a fault.
   */
  abstract resetReceived(code: number, fault: string): void
  /** The link is gone, for this reason if it is known. */
  abstract linkLost(error: Error | null): void
  /** An exception of a hook. The stream has been reset already. */
  abstract fault(error: unknown): void
  abstract expire(now: number): void

  // For the link.

  /** An exception of a hook: ends this stream, and no other. */
  caught(error: unknown): void {
    if (!this.isReset) this.link.resetStream(this, ERROR.INTERNAL_ERROR)
    this.link.deadlines.fault(this, error)
  }

  /** Where the block begins in the output; -1: it must not be sent. */
  #beginHead(characters: number): number {
    if (this.isReset || this.localEnded) return -1
    return this.link.output.beginHead(HeadEncoder.room(characters))
  }

  #endHead(end: number, ended: boolean): void {
    this.link.output.endHead(end, this.id, ended)
    if (!ended) return
    this.localEnded = true
    this.link.sentEnd(this)
  }

  /** The trailers, once nothing waits before them. */
  writeTrailers(fields: string): void {
    const { encoder, output } = this.link
    const at = output.beginHead(HeadEncoder.room(fields.length))
    output.endHead(encoder.trailers(output.buffer, at, fields, this.neverIndexed), this.id, true)
  }
}
