/**
 * A client's HTTP/1.1 connection: reads heads, passes request bodies on, writes responses in order.
 *
 *   HEAD ──head read──► BODY ──body read──► RESPONSE ──response written──► HEAD
 *     │ refused            │ left, malformed      │ closing                    101: TUNNEL
 *     └──────────────► LINGER ◄───────────────────┘
 *
 * A response may begin (and end) before the end of the body; the connection then closes after it.
 * Hot path (bench scenario `small`): no closure, promise or timer per request.
 */
import type { Socket } from 'node:net'
import type { ResponseHead } from '../http/message/response-head.ts'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { ClientSide, Exchange } from '../http/exchange.ts'
import { JOIN_BYTES, owned, type SocketReads, viewOf } from '../http/connection/socket-reads.ts'
import { RequestHead } from '../http/message/request-head.ts'
import { type Destination, NOWHERE } from '../http/message/target.ts'
import type { TunnelEnd } from '../http/connection/tunnel.ts'
import { Http1Connection } from '../http/connection/http1-connection.ts'
import { ResponseWriter } from './response-writer.ts'
import type { ClientPeer } from './client-peer.ts'
import type { HttpListener } from './http-listener.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { LingeringClose } from './lingering-close.ts'
import { RequestBody } from './request-body.ts'
import { sendLocal } from './send-local.ts'

const HEAD = 0
const BODY = 1
const RESPONSE = 2
const TUNNEL = 3
const LINGER = 4

/** How much a client may pipeline before its socket is paused. */
const MAX_PIPELINED_BYTES = 64 * 1024
const HTTP2_BEGIN = Buffer.from('PRI * HTTP/2')

export class ClientConnection extends Http1Connection implements ClientSide {
  readonly peerIp: string
  readonly #live: HttpListener
  readonly clientPeer: ClientPeer
  readonly #buffer = new ReceiveBuffer()
  readonly #response = new ResponseWriter(this)
  #phase = HEAD
  #exchange: Exchange | null = null
  #body: RequestBody | null = null
  #looping = false
  #lingering: LingeringClose | null = null

  constructor(socket: Socket, reads: SocketReads | null, peer: ClientPeer, live: HttpListener) {
    super(socket, reads, live.deadlines)
    this.#live = live
    this.clientPeer = peer
    this.peerIp = peer.peerIp
    this.setDeadline(live.listener.timeouts.headMs)
  }

  get streams(): boolean {
    return this.#phase === BODY && this.#body?.flows === true
  }

  received(buffer: Buffer, length: number): void {
    switch (this.#phase) {
      case HEAD:
        if (this.#buffer.isEmpty) this.setDeadline(this.#live.listener.timeouts.headMs)
        this.#buffer.add(buffer, length)
        this.readHeads()
        this.#buffer.settle(buffer)
        break
      case BODY:
      case RESPONSE:
        this.#buffer.add(buffer, length)
        if (this.streams && this.#exchange !== null && this.#body !== null) {
          this.#readBody(this.#exchange, this.#body)
        } else if (this.#buffer.length > MAX_PIPELINED_BYTES) this.socket.pause()
        this.#buffer.settle(buffer)
        break
      case TUNNEL:
        this.passThrough(owned(viewOf(buffer, length)))
        break
      default:
        if (this.#lingering?.drop(length) !== true) this.socket.destroy()
    }
  }

  /** Reads heads one after another, while each response is complete and the client reads them. */
  readHeads(): void {
    if (this.#looping) return
    this.#looping = true
    try {
      while (this.#phase === HEAD && !this.blocked && this.#readHead());
    } finally {
      this.#looping = false
    }
    if (this.#phase !== HEAD || !this.blocked) return
    this.socket.pause()
    this.setDeadline(this.#live.writeMs())
  }

  #readHead(): boolean {
    const head = this.#buffer.readHead(this.#live.listener.limits, this.clientPeer.trusted)
    if (head === null) return false
    if (head instanceof ExchangeError) {
      if (!this.#becomeHttp2()) this.#refuseHead(head)
      return false
    }
    this.#begin(head)
    return true
  }

  /** HTTP/1 refuses the preface of HTTP/2 (RFC 9113 section 3.4), so it is looked for only then, in place of the first request. */
  #becomeHttp2(): boolean {
    if (!this.#live.takesHttp2 || this.holdsText || this.socket.bytesWritten > 0) return false
    if (!this.#buffer.beginsWith(HTTP2_BEGIN)) return false
    const bytes = owned(this.#buffer.take() ?? HTTP2_BEGIN)
    this.detach()
    const next = this.#live.becomeHttp2(this.socket, this.reads, this)
    next.received(bytes, bytes.length)
    return true
  }

  #begin(head: RequestHead): void {
    const to = this.#live.destinationOf(this.socket, head, this.clientPeer.lastHost)
    if (to instanceof ExchangeError) {
      this.#refuseHead(to, head)
      return
    }
    const exchange = this.#open(head, to)
    this.deadlineAt = Infinity
    this.#body = null
    this.#phase = RESPONSE
    if (head.framing !== 'none' && !this.#beginBody(exchange)) return
    this.#live.handler.begin(exchange)
  }

  #open(head: RequestHead, to: Destination): Exchange {
    this.#live.countRequest(1)
    this.#exchange = this.clientPeer.createExchange(this, this.#live.listener.id, head, to)
    return this.#exchange
  }

  // The request's body.

  /** Decodes what came with the head. A small body that is complete is sent with the head, and can be sent again. */
  #beginBody(exchange: Exchange): boolean {
    const body = new RequestBody(exchange.head)
    this.#body = body
    this.#phase = BODY
    const data = body.ended ? null : this.#buffer.readBody(body, exchange)
    if (data instanceof ExchangeError) {
      this.#refuseHead(data, exchange.head, exchange.to)
      return false
    }
    if (!body.ended || (data?.length ?? 0) > JOIN_BYTES || body.trailers !== '') {
      body.held = data === null ? null : owned(data)
      return true
    }
    exchange.smallBody = data === null ? null : owned(data)
    exchange.travelsWhole = true
    body.passed = true
    this.#phase = RESPONSE
    return true
  }

  #readBody(exchange: Exchange, body: RequestBody): void {
    const data = this.#buffer.readBody(body, exchange)
    if (data instanceof ExchangeError) {
      this.endExchange(data)
      return
    }
    if (body.progressed()) this.setDeadline(this.#live.listener.timeouts.bodyMs)
    this.#passBody(exchange, body, data)
  }

  #passBody(exchange: Exchange, body: RequestBody, data: Buffer | null): void {
    const { sink } = exchange
    if (sink === null) return
    if (data !== null && !sink.bodyData(data)) {
      this.deadlineAt = Infinity
      this.socket.pause()
    }
    if (sink.holdsData) this.reads?.leaveBuffer()
    if (!body.ended || body.passed) return
    body.passed = true
    this.deadlineAt = Infinity
    if (this.#phase === BODY) this.#phase = RESPONSE
    // Reading continues, because it is how a client that leaves is noticed.
    this.socket.resume()
    sink.bodyEnd(body.trailers)
  }

  resumeBody(): void {
    const exchange = this.#exchange
    const body = this.#body
    if (this.#phase !== BODY || exchange === null || body === null) return
    body.flows = true
    this.setDeadline(this.#live.listener.timeouts.bodyMs)
    this.socket.resume()
    const { held } = body
    body.held = null
    if (held !== null || body.ended) this.#passBody(exchange, body, held)
    if (!this.#buffer.isEmpty && !body.ended) this.#readBody(exchange, body)
  }

  // The response.

  sendInterim(head: ResponseHead): boolean {
    // RFC 9110 section 15.2: never to an HTTP/1.0 client.
    if (this.#exchange?.head.minorVersion !== 1) return true
    this.writeText(`${head.line}${head.fields}\r\n`)
    return this.#keepsUp()
  }

  sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean {
    const exchange = this.#exchange
    if (exchange === null) return true
    const kept = exchange.head.keepAlive && exchange.bodyEnded && !this.#live.draining
    this.#response.begin(exchange, head, kept, data, ended)
    if (ended) this.#finish()
    return this.#keepsUp()
  }

  sendData(chunk: Buffer | string): boolean {
    if (this.#exchange !== null) this.#response.data(this.#exchange, chunk)
    return this.#keepsUp()
  }

  sendEnd(trailers: string): void {
    this.#response.end(trailers)
    this.#finish()
  }

  sendLocal(local: LocalResponse): void {
    if (this.#exchange !== null) sendLocal(this.#exchange, local)
  }

  #keepsUp(): boolean {
    if (!this.blocked) return true
    this.setDeadline(this.#live.writeMs())
    return false
  }

  protected writable(): void {
    if (this.#phase === BODY || this.#phase === RESPONSE) {
      if (this.#phase === RESPONSE) this.deadlineAt = Infinity
      this.#exchange?.sink?.resumeResponse()
    } else if (this.#phase === HEAD) {
      // `readHeads` has paused the socket, whether a further request was there already or not.
      this.socket.resume()
      this.#awaitHead()
      this.readHeads()
    }
  }

  #finish(): void {
    this.#exchange = null
    this.#body = null
    if (this.#response.closing) return this.#linger()
    this.#phase = HEAD
    this.#awaitHead()
    if (this.#buffer.isEmpty) return
    this.socket.resume()
    // On the next turn, so that this exchange is counted and logged before the next one.
    if (!this.#looping) process.nextTick(readOn, this)
  }

  #awaitHead(): void {
    const idle = this.#buffer.isEmpty
    this.setDeadline(idle ? this.#live.idleMs() : this.#live.listener.timeouts.headMs)
  }

  #linger(): void {
    this.#phase = LINGER
    this.#buffer.take()
    this.endSocket()
    this.socket.resume()
    this.#lingering = new LingeringClose(this, this.#live.writeMs())
    this.#stayOrGo()
  }

  #stayOrGo(): void {
    const ms = this.#lingering?.check() ?? null
    if (ms === null) this.reset()
    else this.setDeadline(ms)
  }

  becomeTunnel(head: ResponseHead, peer: TunnelEnd, early: Buffer | null): TunnelEnd {
    this.#response.switch(head, early)
    this.#phase = TUNNEL
    this.joinTunnel(peer, Infinity)
    this.socket.resume()
    const ahead = this.#buffer.take()
    // A copy, because the tunnel keeps its data and a read buffer is reused.
    if (ahead !== null) this.passThrough(Buffer.from(ahead))
    return this
  }

  // Errors.

  #refuseHead(
    error: ExchangeError,
    head: RequestHead = new RequestHead(),
    to: Destination = NOWHERE,
  ): void {
    // The end of a malformed message is not known, so nothing after it is read as a request.
    head.keepAlive = false
    const exchange = this.#open(head, to)
    this.#buffer.take()
    this.sendLocal(errorResponse(error))
    this.#live.handler.refused(exchange)
  }

  /** Responds with the error, or cuts off a response that has begun. */
  endExchange(error: ExchangeError): void {
    const exchange = this.#exchange
    if (exchange === null) return
    exchange.head.keepAlive = false
    if (exchange.hasResponded) this.abort()
    else this.sendLocal(errorResponse(error))
    exchange.owner?.clientGone(error)
  }

  abort(): void {
    this.#exchange = null
    this.reset()
  }

  fault(error: unknown): void {
    const exchange = this.#exchange
    // Responds if it can, and then closes: the bytes that were read and not used cannot be trusted.
    if (exchange !== null) exchange.head.keepAlive = false
    this.#live.handler.fault(error, exchange)
    if (this.#exchange === exchange) this.abort()
  }

  protected peerEnded(): void {
    if (this.#exchange !== null) this.#leave('the client closed its connection')
    else this.endSocket()
  }

  protected broken(error: Error | null): void {
    if (this.#exchange !== null) this.#leave(error?.message ?? 'the client closed its connection')
  }

  #leave(detail: string): void {
    const exchange = this.#exchange
    this.#exchange = null
    this.#phase = LINGER
    exchange?.owner?.clientGone(new ExchangeError('CLIENT_GONE', detail))
    this.reset()
  }

  expire(): void {
    switch (this.#phase) {
      case HEAD:
        if (this.#buffer.isEmpty) this.#linger()
        // Pipelined requests wait because the client does not read earlier responses.
        else if (this.blocked) this.reset()
        else this.#refuseHead(new ExchangeError('HEAD_TIMEOUT', 'the head did not arrive in time'))
        break
      case BODY:
        this.endExchange(new ExchangeError('BODY_TIMEOUT', 'the body did not arrive in time'))
        break
      case RESPONSE:
        this.#leave('the client does not read its response')
        break
      default:
        this.#stayOrGo()
    }
  }

  /** A drain has begun: an idle client may send one more request until then. */
  closeBy(deadlineAt: number): void {
    if (this.#phase !== HEAD || !this.#buffer.isEmpty) return
    this.deadlineAt = Math.min(this.deadlineAt, deadlineAt)
  }

  protected override left(): void {
    super.left()
    this.clientPeer.closePinned()
    this.#live.leave(this)
  }

  protected tunnelClosed(): void {
    const exchange = this.#exchange
    this.#exchange = null
    exchange?.owner?.clientGone(new ExchangeError('CLIENT_GONE', 'the tunnel has ended'))
  }
}

function readOn(connection: ClientConnection): void {
  try {
    connection.readHeads()
  } catch (error) {
    connection.caught(error)
  }
}
