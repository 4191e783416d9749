/**
 * One request of an HTTP/2 connection: the client's side of an exchange.
 *
 * Its work begins when all that one read of the socket brought has been dispatched: a small body that came with the head is sent
 * with it, and can be sent again, and a request that is reset in the same read costs a server nothing (CVE-2023-44487).
 * Hot path (bench scenario `http2`): no closure, promise or timer per request.
 */
import { clock, readClock } from '../http/connection/clock.ts'
import { JOIN_BYTES } from '../http/connection/socket-reads.ts'
import type { TunnelEnd } from '../http/connection/tunnel.ts'
import { type ClientSide, type Exchange, refuseBodySize } from '../http/exchange.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { safeTrailers } from '../http/message/fields.ts'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { RequestHead } from '../http/message/request-head.ts'
import type { ResponseHead } from '../http/message/response-head.ts'
import { type Destination, NOWHERE } from '../http/message/target.ts'
import { ERROR, errorName } from '../http2/frames.ts'
import { type DecodeResult, type HeadDecoder, TOO_LARGE } from '../http2/hpack/head-decoder.ts'
import { Http2Stream } from '../http2/stream.ts'
import type { ClientPeer } from './client-peer.ts'
import type { Http2Connection } from './http2-connection.ts'
import { refusalOf, toRequestHead } from './http2-request.ts'
import { Http2Tunnel } from './http2-tunnel.ts'
import { PROGRESS_BYTES } from './request-body.ts'
import { sendLocal } from './send-local.ts'
import { WebSocketKey } from './websocket-key.ts'

export class Http2ClientStream extends Http2Stream implements ClientSide {
  readonly #connection: Http2Connection
  readonly #isTooLarge: boolean
  /** Null once the response is complete, or the client has left. */
  #exchange: Exchange | null = null
  /** The gateway has it. */
  #hasBegun = false
  /** A server takes the body. */
  #flows = false
  /** The whole body has been passed on, or there is none. */
  #isPassed = false
  /** Data that came before a server takes the body. */
  #held: Buffer | null = null
  #trailers = ''
  /** Since the deadline was set. */
  #progress = 0
  /** The response's body must not be sent (205). */
  #dropsBody = false
  /** Of a WebSocket (RFC 8441) that is not open yet. */
  #key: WebSocketKey | null = null
  #tunnel: Http2Tunnel | null = null
  /** The client takes no head of the response's size. */
  #isRefused = false

  constructor(connection: Http2Connection, result: DecodeResult) {
    super(connection)
    this.#connection = connection
    this.#isTooLarge = result === TOO_LARGE
  }

  get clientPeer(): ClientPeer {
    return this.#connection.clientPeer
  }

  // The request.

  headReceived(decoder: HeadDecoder, ended: boolean): void {
    const { live, clientPeer, socket } = this.#connection
    if (this.#isTooLarge) {
      const { fields, headBytes } = live.listener.limits
      const detail = `the head has more than ${fields} fields, or is larger than ${headBytes} bytes`
      this.#refuse(new RequestHead(), new ExchangeError('HEAD_TOO_LARGE', detail))
      return
    }
    const head = toRequestHead(decoder, ended, clientPeer.trusted)
    const to =
      refusalOf(decoder, head, live.listener.limits.targetBytes) ??
      live.destinationOf(socket, head, clientPeer.lastHost)
    if (to instanceof ExchangeError) this.#refuse(head, to)
    else if (head.logsIn) this.#sendAway(head, to)
    else {
      const exchange = this.#open(head, to)
      // A POST without a body has the length 0, and nothing of it follows.
      if (ended && head.framing === 'length') exchange.travelsWhole = true
      this.#isPassed = ended
      if (head.upgrade !== '') this.#awaitTunnel(head)
    }
  }

  #open(head: RequestHead, to: Destination): Exchange {
    const { live, clientPeer } = this.#connection
    head.majorVersion = 2
    live.countRequest(2)
    this.#exchange = clientPeer.createExchange(this, live.listener.id, head, to)
    return this.#exchange
  }

  #refuse(head: RequestHead, error: ExchangeError): void {
    const exchange = this.#open(head, NOWHERE)
    this.sendLocal(errorResponse(error))
    this.#connection.live.handler.refused(exchange)
  }

  /** RFC 4559: a login holds for a connection, which other requests share here. Browsers try again with HTTP/1.1. */
  #sendAway(head: RequestHead, to: Destination): void {
    const exchange = this.#open(head, to)
    this.#exchange = null
    exchange.reason = 'VERSION_UNSUPPORTED'
    exchange.detail = 'a login of the connection (NTLM, Negotiate) needs HTTP/1.1'
    this.sendReset(ERROR.HTTP_1_1_REQUIRED)
    this.#connection.live.handler.refused(exchange)
  }

  override readEnded(): void {
    const exchange = this.#exchange
    if (this.#hasBegun || exchange === null) return
    this.#hasBegun = true
    if (!this.#isPassed) this.#prepareBody(exchange)
    this.#connection.live.handler.begin(exchange)
  }

  // The request's body.

  #prepareBody(exchange: Exchange): void {
    const { head } = exchange
    if (this.#key !== null) return
    const held = this.#held
    const bytes = held?.length ?? 0
    if (!exchange.bodyEnded || this.#trailers !== '' || bytes > JOIN_BYTES) {
      this.pauseReceiving()
      return
    }
    exchange.smallBody = held
    exchange.travelsWhole = true
    head.framing = 'length'
    head.length = bytes
    this.#held = null
    this.#isPassed = true
  }

  dataReceived(chunk: Buffer, ended: boolean): boolean {
    if (this.#tunnel !== null) return this.#tunnel.received(chunk, ended)
    const exchange = this.#exchange
    if (exchange === null || this.#isPassed) return true
    exchange.bytesIn += chunk.length
    exchange.bodyAt = readClock()
    exchange.bodyEnded = ended
    const error = refuseBodySize(exchange)
    if (error !== null) {
      this.endExchange(error)
      return true
    }
    if (this.#flows) return this.#pass(exchange, chunk, ended)
    this.#held = this.#held === null ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk])
    return !this.#hasBegun && this.#held.length <= JOIN_BYTES
  }

  override trailersNeverIndexed(names: ReadonlySet<string>): void {
    this.#exchange?.head.neverIndex(names)
  }

  trailersReceived(fields: string): void {
    if (this.#tunnel !== null) {
      this.#tunnel.received(NOTHING, true)
      return
    }
    const exchange = this.#exchange
    if (exchange === null || this.#isPassed) return
    this.#trailers = safeTrailers(fields)
    exchange.bodyAt = readClock()
    exchange.bodyEnded = true
    if (this.#flows) this.#pass(exchange, NOTHING, true)
  }

  /** False: the server takes no more for now. */
  #pass(exchange: Exchange, data: Buffer, ended: boolean): boolean {
    const { sink } = exchange
    if (sink === null) return true
    const more = data.length === 0 || sink.bodyData(data)
    if (ended) {
      this.#isPassed = true
      this.deadlineAt = Infinity
      sink.bodyEnd(this.#trailers)
      return true
    }
    if (!more) this.deadlineAt = Infinity
    else if ((this.#progress += data.length) >= PROGRESS_BYTES) this.#awaitBody()
    return more
  }

  get takerHoldsData(): boolean {
    return this.#exchange?.sink?.holdsData === true
  }

  resumeBody(): void {
    const exchange = this.#exchange
    if (exchange === null || this.#isPassed) return
    this.#flows = true
    this.#awaitBody()
    const held = this.#held
    this.#held = null
    if (held !== null || exchange.bodyEnded) {
      if (!this.#pass(exchange, held ?? NOTHING, exchange.bodyEnded) || this.#isPassed) return
    }
    this.resumeReceiving()
  }

  /** The messages of a gRPC call may be far apart; its time limits are those of the server's side. */
  #awaitBody(): void {
    this.#progress = 0
    if (this.#exchange?.grpc !== null) return
    this.deadlineAt = clock.now + this.#connection.live.listener.timeouts.bodyMs
  }

  // The response.

  sendInterim(head: ResponseHead): boolean {
    if (this.oversizeOfResponse(-1, head.fields) > 0) return true
    this.neverIndexed = head.neverIndexed
    this.sendResponse(head.status, -1, head.fields, false)
    return true
  }

  sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean {
    const exchange = this.#exchange
    if (exchange === null) return true
    const { status, framing } = head
    if (this.#key !== null && status >= 200 && status < 300) return this.#refuseTunnel(exchange)
    const hasLength = framing === 'length' || framing === 'none'
    const fields = hasLength ? head.fields : head.fields + head.trailerLine
    const length = hasLength ? head.length : -1
    const oversize = this.oversizeOfResponse(length, fields)
    if (oversize > 0) return this.#refuseHead(exchange, oversize)
    exchange.hasResponded = true
    exchange.status = status
    this.neverIndexed = head.neverIndexed
    if (status === 205) {
      this.#dropsBody = true
      this.sendResponse(status, 0, fields, true)
    } else if (data === null) this.sendResponse(status, length, fields, ended)
    else {
      this.sendResponse(status, length, fields, false)
      const more = this.#send(exchange, data, ended)
      if (ended) this.#exchange = null
      return more
    }
    if (ended) this.#exchange = null
    return true
  }

  /** The client takes no head of this size: an error takes its place, or a reset if that is too large, too. */
  #refuseHead(exchange: Exchange, bytes: number): true {
    const limit = `the client takes ${this.link.peer.maxHeaderListSize} (SETTINGS_MAX_HEADER_LIST_SIZE)`
    const text = `the response's head has ${bytes} bytes, and ${limit}`
    const error = new ExchangeError('ANSWER_REFUSED', text)
    if (this.#isRefused) {
      this.abort()
      return true
    }
    this.#isRefused = true
    this.sendLocal(errorResponse(error))
    exchange.owner?.clientGone(error)
    return true
  }

  /** `ended` is Http2Stream's. */
  override sendData(chunk: Buffer | string, ended = false): boolean {
    const exchange = this.#exchange
    if (exchange === null || this.#dropsBody) return true
    return this.#send(exchange, chunk, ended)
  }

  #send(exchange: Exchange, chunk: Buffer | string, ended: boolean): boolean {
    exchange.bytesOut += chunk.length
    return super.sendData(chunk, ended)
  }

  sendEnd(trailers: string): void {
    this.neverIndexed = this.#exchange?.head.neverIndexed ?? null
    this.#exchange = null
    if (!this.#dropsBody) this.sendTrailers(safeTrailers(trailers))
  }

  get holdsData(): boolean {
    return false
  }

  get copiesData(): boolean {
    return true
  }

  sendLocal(local: LocalResponse): void {
    if (this.#exchange !== null) sendLocal(this.#exchange, local)
  }

  writable(): void {
    if (this.#tunnel !== null) this.#tunnel.writable()
    else this.#exchange?.sink?.resumeResponse()
  }

  // WebSocket (RFC 8441 section 5).

  /** What the client sends meanwhile is kept for the tunnel. */
  #awaitTunnel(head: RequestHead): void {
    this.#key = new WebSocketKey(head)
    this.pauseReceiving()
  }

  becomeTunnel(head: ResponseHead, peer: TunnelEnd, early: Buffer | null): TunnelEnd {
    const exchange = this.#exchange
    const tunnel = new Http2Tunnel(this, peer)
    if (exchange === null) return tunnel
    if (this.#key?.accepts(head.fields) !== true) {
      exchange.hasResponded = false
      this.#refuseTunnel(exchange)
      peer.tunnelAbort()
      return tunnel
    }
    this.#tunnel = tunnel
    this.isTunnel = true
    this.neverIndexed = head.neverIndexed
    this.sendResponse(200, -1, this.#key.withoutAccept(head.fields), false)
    if (early !== null) tunnel.tunnelData(early)
    this.resumeReceiving()
    return tunnel
  }

  /** A 2xx would open the tunnel for the client. */
  #refuseTunnel(exchange: Exchange): true {
    const error = new ExchangeError('BAD_ANSWER', 'the server did not accept the WebSocket')
    this.#key = null
    this.sendLocal(errorResponse(error))
    exchange.owner?.clientGone(error)
    return true
  }

  // The end.

  /** Responds with the error, or cuts off a response that has begun. */
  endExchange(error: ExchangeError): void {
    const exchange = this.#exchange
    if (exchange === null) return
    if (exchange.hasResponded) exchange.cut(error)
    else this.sendLocal(errorResponse(error))
    this.#tellOwner(exchange, error)
  }

  /** The response is cut: RFC 9113 section 8.1 has no other way to say so. */
  abort(): void {
    this.#exchange = null
    this.sendReset(ERROR.INTERNAL_ERROR)
  }

  resetReceived(code: number, fault: string): void {
    if (fault === '') this.#leave(`the client reset the stream (${errorName(code)})`)
    else this.#leave(fault, code === ERROR.CANCEL ? 'CLIENT_GONE' : 'BAD_FRAMING')
  }

  linkLost(error: Error | null): void {
    this.#leave(error?.message ?? 'the client closed its connection')
  }

  #leave(detail: string, reason: 'CLIENT_GONE' | 'BAD_FRAMING' = 'CLIENT_GONE'): void {
    this.#tunnel?.lost()
    const exchange = this.#exchange
    this.#exchange = null
    if (exchange !== null) this.#tellOwner(exchange, new ExchangeError(reason, detail))
  }

  /** The tunnel has ended in both directions. */
  tunnelEnded(): void {
    this.#leave('the tunnel has ended')
  }

  /** A request without an owner was not passed on yet. */
  #tellOwner(exchange: Exchange, error: ExchangeError): void {
    if (exchange.owner !== null) exchange.owner.clientGone(error)
    else {
      exchange.note(error)
      this.#connection.live.handler.refused(exchange)
    }
  }

  expire(): void {
    this.deadlineAt = Infinity
    this.endExchange(new ExchangeError('BODY_TIMEOUT', 'the body did not arrive in time'))
    this.#connection.bodyWasLate()
  }

  fault(error: unknown): void {
    const exchange = this.#exchange
    this.#connection.live.handler.fault(error, exchange)
    if (this.#exchange === exchange && exchange !== null) this.abort()
  }
}

const NOTHING = Buffer.alloc(0)
