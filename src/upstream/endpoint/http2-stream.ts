/**
 * One exchange on a stream of a connection to a server that speaks HTTP/2.
 *
 *   NEW ──send──► HEAD ──1xx──► HEAD ──final──► BODY ──ended──► OVER
 *    └─(LOOKING)──┘ └──2xx to a WebSocket──► TUNNEL
 *
 * A head waits for the data that was read with it, so that a small response is passed on in one call. Hot path (bench scenario
 * `h2-upstream`).
 */
import { clock } from '../../http/connection/clock.ts'
import type { TunnelEnd } from '../../http/connection/tunnel.ts'
import type { Exchange, ResponseSink } from '../../http/exchange.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import type { ResponseHead } from '../../http/message/response-head.ts'
import { ERROR } from '../../http2/frames.ts'
import type { HeadDecoder } from '../../http2/hpack/head-decoder.ts'
import { Http2Stream } from '../../http2/stream.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { closedError, silentCall, timeoutError } from './connection-errors.ts'
import type { Http2Connection } from './http2-connection.ts'
import { requestTooLarge, resetError } from './http2-errors.ts'
import { addedFields, isWebSocket, requestFields, requestLine } from './http2-request.ts'
import { toResponseHead, toSwitchingHead } from './http2-response.ts'
import { lookFirst } from './look-first.ts'
import type { ServerExchange } from './server-exchange.ts'
import { StreamTunnel } from './stream-tunnel.ts'

const NEW = 0
const LOOKING = 1
const HEAD = 2
const BODY = 3
const TUNNEL = 4
const OVER = 5

const MAX_INTERIM = 100

export class ServerStream extends Http2Stream implements ServerExchange {
  readonly connection: Http2Connection
  readonly own = null
  readonly isConnecting = false
  usedAt: number
  isUnsent = false
  /** Of sending the request, by the coarse clock. */
  sentAt = 0
  #phase = NEW
  #exchange: Exchange | null = null
  #passHost = false
  #sink: ResponseSink | null = null
  #timeouts: Timeouts
  /** Received, and not passed on yet. */
  #head: ResponseHead | null = null
  #interim = 0
  /** The client takes no more at the moment. */
  #isPaused = false
  /** The body is sent after the server's 100 (Continue). */
  #waitsFor100 = false
  /** Announced bytes of the body that are still missing; -1 without an announcement. */
  #owed = -1
  /** Of the connection's streams when it was opened, if that was before the server's SETTINGS; else 0. */
  #place = 0
  #isTunnel = false
  /** Of gRPC: only silence in both directions limits it. */
  #isCall = false
  #tunnel: StreamTunnel | null = null

  constructor(connection: Http2Connection, timeouts: Timeouts) {
    super(connection)
    this.connection = connection
    this.usedAt = connection.isUnused ? connection.usedAt : 0
    this.#timeouts = timeouts
  }

  // The request.

  send(
    exchange: Exchange,
    passHost: boolean,
    sink: ResponseSink,
    timeouts: Timeouts,
    looksFirst: boolean,
  ): void {
    this.#exchange = exchange
    this.#passHost = passHost
    this.#sink = sink
    this.#timeouts = timeouts
    if (looksFirst && this.connection.isUnused) {
      this.#phase = LOOKING
      lookFirst(this)
    } else this.#write(exchange)
  }

  looked(): void {
    const exchange = this.#exchange
    if (this.#phase !== LOOKING || exchange === null) return
    try {
      if (this.connection.hasRoom) this.#write(exchange)
      else this.#failUnsent(closedError('response', null))
    } catch (error) {
      this.fault(error)
    }
  }

  #write(exchange: Exchange): void {
    const { head, isWhole } = exchange
    const { endpoint, peer } = this.connection
    const line = requestLine(exchange, endpoint.scheme, endpoint.authority, this.#passHost)
    const fields = requestFields(exchange)
    const more = addedFields(exchange)
    const oversize = this.oversizeOfRequest(line, fields, more)
    if (oversize > 0) return this.#end(requestTooLarge(oversize, peer.maxHeaderListSize))
    const data = isWhole ? exchange.smallBody : null
    this.#phase = HEAD
    this.#isTunnel = isWebSocket(exchange)
    this.#isCall = exchange.grpc !== null
    this.#owed = head.framing === 'length' ? head.length : -1
    this.#waitsFor100 = !isWhole && head.expectContinue
    this.expectsNoBody = head.method === 'HEAD'
    this.sentAt = clock.now
    this.connection.openStream(this)
    if (!this.connection.isReady) this.#place = this.connection.streamCount
    this.neverIndexed = head.neverIndexed
    this.sendRequest(line, fields, more, isWhole && data === null && !this.#isTunnel)
    if (data !== null) this.sendData(data, true)
    this.connection.sent()
    this.#awaitResponse()
    if (!isWhole) this.#sink?.resumeBody()
  }

  #awaitResponse(): void {
    const { firstByteMs, stallMs } = this.#timeouts
    // The client is slow with its body, not the server; the listener has a time limit for that.
    if (this.awaitsBody && !this.#isCall) this.deadlineAt = Infinity
    else
      this.deadlineAt = clock.now + (this.#phase === BODY || this.isWaiting ? stallMs : firstByteMs)
  }

  get awaitsBody(): boolean {
    return (
      (this.#phase === HEAD || this.#phase === BODY) &&
      !this.localEnded &&
      !this.#waitsFor100 &&
      !this.#isTunnel &&
      !this.isWaiting
    )
  }

  /** What is sent is copied. */
  get holdsData(): boolean {
    return false
  }

  bodyData(chunk: Buffer): boolean {
    if (this.#phase === OVER || this.localEnded) return true
    this.#waitsFor100 = false
    if (this.#owed >= 0) this.#owed -= chunk.length
    const takesMore = this.sendData(chunk, false)
    this.#moved()
    return takesMore
  }

  bodyEnd(trailers: string): void {
    if (this.#phase === OVER || this.localEnded) return
    if (this.#owed > 0) {
      const missing = new ExchangeError('INTERNAL', `${this.#owed} bytes of the body are missing`)
      return this.#fail(missing, ERROR.INTERNAL_ERROR)
    }
    this.neverIndexed = this.#exchange?.head.neverIndexed ?? null
    this.sendTrailers(trailers)
    this.#moved()
  }

  /** Part of the request was sent, or can be sent. */
  #moved(): void {
    if ((this.#phase === HEAD || this.#phase === BODY) && !this.#isPaused) this.#awaitResponse()
  }

  writable(): void {
    if (this.#tunnel !== null) return this.#tunnel.serverTakesMore()
    this.#moved()
    if (!this.localEnded) this.#sink?.resumeBody()
  }

  // The response.

  headReceived(decoder: HeadDecoder, ended: boolean): void {
    const sink = this.#sink
    if (sink === null) return
    const { status } = decoder
    if (status < 200) return this.#interimReceived(decoder, sink)
    if (this.#isTunnel && status < 300) return this.#openTunnel(decoder, sink, ended)
    const head = toResponseHead(decoder, this.expectsNoBody, ended)
    this.#phase = BODY
    if (ended) {
      this.#complete()
      sink.responseHead(head, null, true)
      return
    }
    this.#head = head
    this.#awaitResponse()
  }

  #interimReceived(decoder: HeadDecoder, sink: ResponseSink): void {
    if (++this.#interim > MAX_INTERIM) {
      const error = new ExchangeError('BAD_ANSWER', `more than ${MAX_INTERIM} interim responses`)
      return this.#fail(error, ERROR.ENHANCE_YOUR_CALM)
    }
    if (decoder.status === 100) this.#waitsFor100 = false
    this.#awaitResponse()
    if (!sink.interim(toResponseHead(decoder, true, false))) this.#waitForClient()
  }

  dataReceived(chunk: Buffer, ended: boolean): boolean {
    const sink = this.#sink
    if (this.#tunnel !== null) return this.#tunnel.received(chunk, ended)
    if (sink === null) return true
    const data = chunk.length === 0 ? null : chunk
    const head = this.#head
    if (head !== null) {
      this.#head = null
      if (ended) this.#complete()
      else this.#awaitResponse()
      return this.#goesOn(sink.responseHead(head, data, ended))
    }
    this.#awaitResponse()
    const takesMore = data === null || sink.responseData(data)
    // The sink may have rejected the response.
    if (this.#sink !== sink) return true
    if (!ended) return this.#goesOn(takesMore)
    this.#complete()
    sink.responseEnd('')
    return true
  }

  /** A head without data in the same read is not held back. */
  override readEnded(): void {
    const sink = this.#sink
    if (this.#head === null || sink === null) return
    const head = this.#head
    this.#head = null
    if (!this.#goesOn(sink.responseHead(head, null, false))) this.pauseReceiving()
  }

  override trailersNeverIndexed(names: ReadonlySet<string>): void {
    this.#exchange?.head.neverIndex(names)
  }

  trailersReceived(fields: string): void {
    if (this.#tunnel !== null) return this.#tunnel.serverEnded()
    const sink = this.#sink
    if (sink === null) return
    const head = this.#head
    this.#head = null
    if (head !== null) sink.responseHead(head, null, false)
    if (this.#sink !== sink) return
    this.#complete()
    sink.responseEnd(fields)
  }

  get takerHoldsData(): boolean {
    return this.#sink?.holdsData === true
  }

  /** A client that reads slowly is not the server's fault, and does not hold other streams. */
  #goesOn(takesMore: boolean): boolean {
    if (takesMore || this.#phase !== BODY) return true
    this.deadlineAt = Infinity
    this.#isPaused = true
    return false
  }

  #waitForClient(): void {
    this.deadlineAt = Infinity
    this.#isPaused = true
    this.pauseReceiving()
  }

  resumeResponse(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#awaitResponse()
    this.resumeReceiving()
  }

  /** The response is complete. Done before it is passed on, as for HTTP/1.1. */
  #complete(): void {
    this.#leave()
    // The server needs no more of the request, and must not wait for it.
    if (!this.localEnded) this.sendReset(ERROR.CANCEL)
  }

  #leave(): void {
    this.#phase = OVER
    this.#sink = null
    this.#exchange = null
    this.#head = null
    this.deadlineAt = Infinity
  }

  // The tunnel: a WebSocket in this stream.

  #openTunnel(decoder: HeadDecoder, sink: ResponseSink, ended: boolean): void {
    const head = toSwitchingHead(decoder, this.#exchange?.head.fields ?? '')
    const tunnel = new StreamTunnel(this, this.#timeouts.tunnelMs)
    this.#phase = TUNNEL
    this.#tunnel = tunnel
    this.deadlineAt = Infinity
    // What comes before the client's end is ready is kept by the stream.
    this.pauseReceiving()
    sink.upgraded(head, tunnel, null)
    if (ended) tunnel.serverEnded()
  }

  tunnelTo(peer: TunnelEnd): void {
    this.#tunnel?.join(peer)
  }

  // Errors.

  #fail(error: ExchangeError, code: number): void {
    this.sendReset(code)
    this.#end(error)
  }

  /** The stream is closed. */
  #end(error: ExchangeError): void {
    const sink = this.#sink
    const tunnel = this.#tunnel
    this.#leave()
    if (tunnel !== null) tunnel.serverLost()
    else sink?.failed(error)
  }

  #failUnsent(error: ExchangeError): void {
    this.isUnsent = true
    this.#end(error)
  }

  resetReceived(code: number, fault: string): void {
    const { connection } = this
    // The server is there and has ended this request itself: the connection is not a stale one.
    this.usedAt = 0
    const error = resetError(code, fault, this.#phase === BODY)
    // No failure of the server: it has announced that it takes no more streams, or how few it takes.
    const isAnnounced =
      connection.closing ||
      connection.isOverfull ||
      this.#place > connection.peer.maxConcurrentStreams
    if (error.reason === 'STREAM_REFUSED' && isAnnounced) this.#failUnsent(error)
    else if (error.reason === 'NOT_HTTP2' && connection.endpoint.fallsBack())
      this.#failUnsent(error)
    else this.#end(error)
  }

  linkLost(error: Error | null): void {
    const { endingError } = this.connection
    this.#end(endingError ?? closedError(this.#phase === BODY ? 'body' : 'response', error))
  }

  expire(): void {
    if (this.#phase !== TUNNEL) this.connection.doubt(this.sentAt)
    if (this.awaitsBody) return this.#fail(silentCall(this.#timeouts), ERROR.CANCEL)
    const waitedFor = this.#phase === BODY ? 'more' : this.isWaiting ? 'body' : 'response'
    this.#fail(timeoutError(waitedFor, this.#timeouts), ERROR.CANCEL)
  }

  fault(error: unknown): void {
    const sink = this.#sink
    const tunnel = this.#tunnel
    this.abandon()
    if (sink === null) this.connection.endpoint.onFault(error)
    else sink.fault(error)
    tunnel?.serverLost()
  }

  abandon(): void {
    if (this.#phase === OVER) return
    if (this.#phase === HEAD) this.connection.doubt(this.sentAt)
    this.#leave()
    this.sendReset(ERROR.CANCEL)
  }
}
