/**
 * A connection to a server by HTTP/1.1: sends a request, reads its response strictly, and is reused only if both ended cleanly.
 *
 *   CONNECTING ──► HEAD ──1xx──► HEAD ──final──► BODY ──ended──► IDLE (or closed)
 *                                  └──101──► (UPGRADING, until the request's body has ended) ──► TUNNEL
 * Hot path (bench scenarios `small` and `large`); for its read buffers see http/connection/socket-reads.ts.
 */
import type { ResponseHead } from '../../http/message/response-head.ts'
import { clock } from '../../http/connection/clock.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import type { ConnectedPeer, Exchange, ResponseSink } from '../../http/exchange.ts'
import { viewOf } from '../../http/connection/socket-reads.ts'
import type { TunnelEnd } from '../../http/connection/tunnel.ts'
import { ResponseBody } from './response-body.ts'
import { ResponseHeadReader } from './response-head-reader.ts'
import { PendingUpgrade, faultOfUpgrade } from './pending-upgrade.ts'
import type { Endpoint } from './endpoint.ts'
import { closedError, connectError, timeoutError } from './connection-errors.ts'
import { idleTimeoutMs } from './idle-timeout.ts'
import { lookFirst } from './look-first.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { OpeningConnection, type OpenSocket } from './opening-connection.ts'
import { RequestWriter } from './request-writer.ts'
import type { ServerExchange } from './server-exchange.ts'

const IDLE = 0
const CONNECTING = 1
const HEAD = 2
const BODY = 3
const TUNNEL = 4
const CLOSED = 5
const UPGRADING = 6
const LOOKING = 7

export class ServerConnection extends OpeningConnection implements ServerExchange {
  usedAt = 0
  isUnsent = false
  /** The only client that may use it, because it carries that client's login: see pinned-connections.ts. */
  owner: ConnectedPeer | null = null
  #phase = CONNECTING
  #sink: ResponseSink | null = null
  readonly #writer = new RequestWriter(this)
  readonly #heads = new ResponseHeadReader()
  #body: ResponseBody | null = null
  #pendingUpgrade: PendingUpgrade | null = null
  #reusable = false
  #idleMs = 0

  /** `adopted`: an open socket, null for a new one. `send` and `adopted` follow. */
  static open(
    endpoint: Endpoint,
    timeouts: Timeouts,
    header: Buffer | null,
    adopted: OpenSocket | null = null,
  ): ServerConnection {
    const connection = new ServerConnection(endpoint, timeouts, header, adopted)
    try {
      if (adopted === null) connection.open()
      return connection
    } catch (error) {
      connection.abandon()
      throw error
    }
  }

  // The request.

  send(
    exchange: Exchange,
    passHost: boolean,
    sink: ResponseSink,
    timeouts: Timeouts,
    looksFirst: boolean,
  ): void {
    this.timeouts = timeouts
    this.#sink = sink
    this.#heads.reset()
    this.beginWriting()
    this.#writer.begin(exchange, this.endpoint.hostLine, passHost)
    if (looksFirst && this.#phase === IDLE) {
      this.#phase = LOOKING
      this.deadlineAt = Infinity
      lookFirst(this)
      return
    }
    if (this.hasSocket) this.#writer.sendText()
    if (this.#phase !== CONNECTING) this.opened()
  }

  looked(): void {
    if (this.#phase !== LOOKING) return
    try {
      this.#writer.sendText()
      this.opened()
    } catch (error) {
      this.caught(error)
    }
  }

  protected writeFirst(): void {
    this.#writer.sendText()
  }

  protected opened(): void {
    this.#phase = HEAD
    this.#awaitResponse()
    if (!this.#writer.ended) this.#sink?.resumeBody()
  }

  #awaitResponse(): void {
    const { firstByteMs, stallMs } = this.timeouts
    // The client is slow with its body, not the server; the listener has a time limit for that.
    if (this.awaitsBody) this.deadlineAt = Infinity
    else if (this.#phase === BODY || this.blocked) this.setDeadline(stallMs)
    else this.setDeadline(firstByteMs)
  }

  get awaitsBody(): boolean {
    return this.#phase !== CONNECTING && this.#writer.wantsBody && !this.blocked
  }

  bodyData(chunk: Buffer): boolean {
    if (this.#phase === CLOSED || this.#writer.ended) return true
    this.#writer.data(chunk)
    this.#moved()
    return !this.blocked
  }

  bodyEnd(trailers: string): void {
    const { ended, owed } = this.#writer
    if (ended) return
    if (owed !== 0) {
      // The server would take the missing bytes out of the next request.
      return this.#fail(new ExchangeError('INTERNAL', `${owed} bytes of the body are missing`))
    }
    this.#writer.end(trailers)
    this.#moved()
    if (this.#pendingUpgrade !== null)
      this.#openTunnel(this.#pendingUpgrade.head, this.#pendingUpgrade.early)
  }

  /** Part of the request was sent, or can be sent. */
  #moved(): void {
    const awaitsResponse = this.#phase === HEAD || this.#phase === BODY
    if (this.#phase === UPGRADING || (awaitsResponse && !this.socket.isPaused()))
      this.#awaitResponse()
  }

  protected writable(): void {
    this.#moved()
    if (!this.#writer.ended) this.#sink?.resumeBody()
  }

  resumeResponse(): void {
    if (this.#phase !== BODY && (this.#phase !== HEAD || !this.socket.isPaused())) return
    this.#awaitResponse()
    this.socket.resume()
  }

  // The response.

  get isIdle(): boolean {
    return this.#phase === IDLE
  }

  get own(): this {
    return this
  }

  get isConnecting(): boolean {
    return this.#phase === CONNECTING
  }

  get streams(): boolean {
    return this.#phase === BODY
  }

  received(buffer: Buffer, length: number): void {
    switch (this.#phase) {
      case HEAD:
      case LOOKING:
        // What comes before its request has been sent is no response to it.
        if (this.hasWritten) this.#readHeads(buffer, length)
        else this.lost()
        break
      case BODY:
        this.#awaitResponse()
        this.#readBody(viewOf(buffer, length), null)
        break
      case TUNNEL:
        this.passThrough(Buffer.from(viewOf(buffer, length)))
        break
      case UPGRADING:
        if (this.#pendingUpgrade?.add(viewOf(buffer, length)) === false) this.socket.pause()
        break
      case CLOSED:
        break
      default:
        // Bytes outside any response: a second one, or one before its request.
        this.abandon()
    }
  }

  #readHeads(buffer: Buffer, length: number): void {
    const heads = this.#heads
    heads.add(buffer, length)
    while (this.#phase === HEAD && heads.unread > 0) {
      const head = heads.read(this.#writer.toHead, this.endpoint.limits)
      if (head === null) return
      if (head instanceof ExchangeError) return this.#fail(head)
      if (head.logsIn) this.#sink?.pin()
      // The end of a response may begin the next request on this connection, hence the return.
      if (head.status === 101) return this.#upgrade(head, heads.takeRest())
      if (head.status >= 200) return this.#beginBody(head)
      if (head.status === 100) this.#writer.tookBody = true
      this.#awaitResponse()
      if (this.#sink?.interim(head) === false) this.#waitForClient()
    }
  }

  #beginBody(head: ResponseHead): void {
    const heads = this.#heads
    const { unread } = heads
    // A server that ignores the body of an upgrade request would read it as the next request.
    this.#reusable = head.keepAlive && !this.#writer.wantsUpgrade
    const { idleMs } = this.endpoint.limits
    // A pinned connection is closed with its client's connection.
    this.#idleMs = idleTimeoutMs(this.owner === null ? idleMs : Infinity, head.keepAliveSeconds)
    const text = head.framing === 'chunked' ? null : heads.takeRestAsText()
    if (text !== null && head.framing === 'length' && head.length === unread) {
      // The usual case: one read has brought the whole response.
      const sink = this.#sink
      this.#end()
      sink?.responseHead(head, text === '' ? null : text, true)
      return
    }
    this.#body = new ResponseBody(head)
    this.isCopied = this.#sink?.copiesData === true
    this.#phase = BODY
    this.#awaitResponse()
    this.#readBody(text ?? heads.takeRest(), head)
  }

  /** `head` with the first bytes only: both are sent to the client in one write. */
  #readBody(bytes: Buffer | string, head: ResponseHead | null): void {
    const sink = this.#sink
    const body = this.#body
    if (sink === null || body === null) return
    const piece = body.read(bytes)
    if (piece instanceof ExchangeError) return this.#fail(piece)
    const { data, ended, extra } = piece
    if (extra) this.#reusable = false
    let canContinue = true
    if (head !== null) {
      const whole = ended && body.trailers === ''
      if (whole) this.#end()
      canContinue = sink.responseHead(head, data, whole)
      if (whole) return
    } else if (data !== null) canContinue = sink.responseData(data)
    // The sink may have rejected the response.
    if (this.#sink !== sink) return
    if (sink.holdsData) this.reads?.leaveBuffer()
    if (ended) {
      this.#end()
      sink.responseEnd(body.trailers)
    } else if (!canContinue && this.#phase === BODY) this.#waitForClient()
  }

  /** A client that reads slowly is not the server's fault. */
  #waitForClient(): void {
    this.deadlineAt = Infinity
    this.socket.pause()
  }

  /** The response is complete. Done before it is passed on, for the next request. The sink is reset last: it handles faults. */
  #end(): void {
    const reusable = this.#reusable && this.#writer.ended && !this.socket.readableEnded
    this.#body = null
    if (!reusable) return this.abandon()
    if (this.socket.isPaused()) this.socket.resume()
    this.#phase = IDLE
    this.usedAt = clock.now
    this.setDeadline(this.#idleMs)
    this.endpoint.release(this)
    this.#sink = null
  }

  #upgrade(head: ResponseHead, early: Buffer): void {
    const fault = faultOfUpgrade(head, this.#writer)
    if (fault !== null) return this.#fail(new ExchangeError('BAD_ANSWER', fault))
    if (this.#writer.ended) return this.#openTunnel(head, early)
    this.#pendingUpgrade = new PendingUpgrade(head)
    this.#phase = UPGRADING
    this.#awaitResponse()
    this.received(early, early.length)
  }

  #openTunnel(head: ResponseHead, early: Buffer): void {
    this.#phase = TUNNEL
    this.#pendingUpgrade = null
    this.closeAlone()
    this.deadlineAt = Infinity
    this.#sink?.upgraded(head, this, early.length === 0 ? null : Buffer.from(early))
    this.socket.resume()
  }

  tunnelTo(peer: TunnelEnd): void {
    const { tunnelMs } = this.timeouts
    this.joinTunnel(peer, tunnelMs === 0 ? Infinity : tunnelMs)
  }

  // Errors.

  #fail(error: ExchangeError): void {
    const sink = this.#sink
    if (this.#phase === CONNECTING) this.endpoint.connectFailed(error.reason)
    this.abandon()
    sink?.failed(error)
  }

  fault(error: unknown): void {
    const sink = this.#sink
    this.abandon()
    if (sink === null) this.endpoint.onFault(error)
    else sink.fault(error)
  }

  abandon(): void {
    if (this.#phase === IDLE) this.endpoint.forget(this)
    this.#phase = CLOSED
    this.stopOpening()
    this.#sink = null
    this.deadlineAt = Infinity
    this.destroySocket()
  }

  protected peerEnded(): void {
    if (this.#phase === BODY && this.#body?.endsWithConnection === true) {
      const sink = this.#sink
      this.abandon()
      sink?.responseEnd('')
    } else if (this.#phase !== CLOSED) this.lost()
  }

  protected broken(error: Error | null): void {
    if (error !== null) this.error = error
    else if (this.#phase !== CLOSED) this.lost()
  }

  /** The server has closed the connection. What that means for the request depends on the phase. */
  protected lost(): void {
    switch (this.#phase) {
      case CONNECTING:
        this.#fail(connectError(this.error, this.endpoint.target))
        break
      case HEAD:
      case LOOKING:
        this.isUnsent = !this.hasWritten
        this.#fail(closedError(this.#heads.hasBegun ? 'head' : 'response', this.error))
        break
      case BODY:
        this.#fail(closedError('body', this.error))
        break
      case UPGRADING:
        this.#fail(closedError('switch', this.error))
        break
      default:
        this.abandon()
    }
  }

  expire(): void {
    switch (this.#phase) {
      case CONNECTING:
        this.#fail(timeoutError(this.waitsFor, this.timeouts))
        break
      case HEAD:
      case UPGRADING:
        this.#fail(
          timeoutError(this.#writer.ended || !this.blocked ? 'response' : 'body', this.timeouts),
        )
        break
      case BODY:
        this.#fail(timeoutError('more', this.timeouts))
        break
      default:
        this.abandon()
    }
  }

  protected override left(): void {
    super.left()
    this.endpoint.closed(this)
    this.owner?.pinned?.delete(this)
  }

  protected tunnelClosed(): void {
    this.#phase = CLOSED
  }
}
