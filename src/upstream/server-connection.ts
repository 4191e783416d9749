/**
 * A connection to a server: sends a request, reads its answer strictly, and is used again only when both ended cleanly.
 *
 *   CONNECTING ──► HEAD ──1xx──► HEAD ──final──► BODY ──ended──► IDLE (or closed)
 *                                  └──101──► TUNNEL
 *
 * Hot path (bench scenarios `small` and `large`); where reads go, see http/reads.ts.
 */
import { Socket } from 'node:net'
import type { AnswerHead } from '../http/answer-head.ts'
import { chunkSizeLine, lastChunk } from '../http/chunked.ts'
import { ExchangeError } from '../http/errors.ts'
import type { AnswerSink, BodySink } from '../http/exchange.ts'
import { Reads } from '../http/reads.ts'
import type { TunnelEnd } from '../http/tunnel.ts'
import { Wire } from '../http/wire.ts'
import { AnswerBody } from './answer-body.ts'
import { AnswerHeads } from './answer-heads.ts'
import { connectError, openSocket } from './connect.ts'
import { Dial, type DialOwner } from './dial.ts'
import type { Endpoint } from './endpoint.ts'
import { lateError } from './late.ts'
import { idleFor } from './idle.ts'
import type { Timeouts } from '../model/snapshot.ts'
import type { Outgoing } from './outgoing.ts'

const IDLE = 0
const CONNECTING = 1
const HEAD = 2
const BODY = 3
const TUNNEL = 4
const CLOSED = 5

export class ServerConnection extends Wire implements BodySink, DialOwner {
  /** It has carried an answer before: its server may have closed it meanwhile. */
  reused = false
  readonly endpoint: Endpoint
  /** Of the server, that it is connected to. */
  address = ''
  /** While one of several addresses is looked for. */
  #dial: Dial | null = null
  #phase = CONNECTING
  #sink: AnswerSink | null = null
  #request: Outgoing | null = null
  #requestEnded = true
  /** Announced bytes of the body that are owed yet. */
  #bodyLeft = 0
  /** Something of the body was sent, or the server has asked for it. */
  #tookBody = false
  readonly #heads = new AnswerHeads()
  #body: AnswerBody | null = null
  #reusable = false
  #idleMs = 0
  /** Of the request that it carries, or is opened for. */
  #timeouts: Timeouts
  /** Until it is connected. */
  #waitsFor: 'connect' | 'handshake' = 'connect'
  #error: Error | null = null

  static open(endpoint: Endpoint, timeouts: Timeouts): ServerConnection {
    const { target, own, addresses } = endpoint
    const { only } = addresses
    const reads = new Reads()
    const socket = only === null ? new Socket() : openSocket(target, only, reads, own)
    const used = target.tls === null ? reads : null
    const connection = new ServerConnection(socket, used, endpoint, timeouts)
    if (only === null) connection.#dial = new Dial(endpoint, reads, connection)
    else connection.#awaitConnection(only)
    return connection
  }

  private constructor(socket: Socket, reads: Reads | null, endpoint: Endpoint, timeouts: Timeouts) {
    super(socket, reads, endpoint.deadlines)
    this.endpoint = endpoint
    this.#timeouts = timeouts
    this.setDeadline(timeouts.connectMs)
  }

  #awaitConnection(address: string): void {
    this.address = address
    const isPlain = this.endpoint.target.tls === null
    if (!isPlain) this.socket.once('connect', () => this.#shakeHands())
    this.socket.once(isPlain ? 'connect' : 'secureConnect', () => this.#connected())
  }

  dialed(found: Socket | Error, address: string): void {
    this.#dial = null
    if (found instanceof Error) {
      this.#error = found
      return this.#lost()
    }
    this.replaceSocket(found)
    if (this.#request !== null) found.write(this.#request.text, 'latin1')
    this.address = address
    if (this.endpoint.target.tls === null) return this.#connected()
    this.#shakeHands()
    found.once('secureConnect', () => this.#connected())
  }

  // The request.

  send(request: Outgoing, sink: AnswerSink, timeouts: Timeouts): void {
    this.#timeouts = timeouts
    this.#request = request
    this.#sink = sink
    this.#requestEnded = request.body === 'none'
    this.#bodyLeft = request.body === 'length' ? request.length : 0
    this.#tookBody = false
    this.#heads.reset()
    // While it connects the socket keeps the text, and drops it when that fails; there may be no socket yet.
    if (this.#dial === null) this.socket.write(request.text, 'latin1')
    if (this.#phase === CONNECTING) return
    this.#phase = HEAD
    this.#awaitAnswer()
    if (!this.#requestEnded) sink.resumeBody()
  }

  #shakeHands(): void {
    if (this.#phase !== CONNECTING || this.socket.destroyed) return
    this.#waitsFor = 'handshake'
    this.setDeadline(this.#timeouts.handshakeMs)
  }

  #connected(): void {
    // Destroyed already when it leads back to us.
    if (this.#phase !== CONNECTING || this.socket.destroyed) return
    this.endpoint.connected()
    this.#phase = HEAD
    this.#awaitAnswer()
    if (!this.#requestEnded) this.#sink?.resumeBody()
  }

  #awaitAnswer(): void {
    const { firstByteMs, stallMs } = this.#timeouts
    // Whoever brings the body is slow, not the one who takes it: the listener has a limit for that.
    if (this.awaitsBody) this.deadlineAt = Infinity
    else if (this.#phase === BODY || this.blocked) this.setDeadline(stallMs)
    else this.setDeadline(firstByteMs)
  }

  /** The server takes more of the request's body than has come from the client. */
  get awaitsBody(): boolean {
    if (this.#phase === CONNECTING || this.#requestEnded || this.blocked) return false
    return this.#request?.waitsFor100 !== true || this.#tookBody
  }

  bodyData(chunk: Buffer): boolean {
    if (this.#phase === CLOSED || this.#requestEnded) return true
    this.#bodyLeft -= chunk.length
    this.#tookBody = true
    if (this.#request?.body === 'chunked')
      this.writeJoined(chunkSizeLine(chunk.length), chunk, '\r\n')
    else this.writeJoined('', chunk, '')
    this.#moved()
    return !this.blocked
  }

  bodyEnd(trailers: string): void {
    if (this.#requestEnded) return
    if (this.#request?.body === 'length' && this.#bodyLeft !== 0) {
      // What is owed would be taken out of the next request.
      this.#fail(new ExchangeError('INTERNAL', `${this.#bodyLeft} bytes of the body are missing`))
      return
    }
    this.#requestEnded = true
    if (this.#request?.body === 'chunked') this.socket.write(lastChunk(trailers), 'latin1')
    this.#moved()
  }

  /** Something of the request has gone to the server, or may. */
  #moved(): void {
    const answers = this.#phase === BODY && !this.socket.isPaused()
    if (this.#phase === HEAD || answers) this.#awaitAnswer()
  }

  protected writable(): void {
    this.#moved()
    if (!this.#requestEnded) this.#sink?.resumeBody()
  }

  resumeAnswer(): void {
    if (this.#phase !== BODY) return
    this.#awaitAnswer()
    this.socket.resume()
  }

  // The answer.

  get isConnecting(): boolean {
    return this.#phase === CONNECTING
  }

  get streams(): boolean {
    return this.#phase === BODY
  }

  received(data: Buffer): void {
    switch (this.#phase) {
      case HEAD:
        this.#readHeads(data)
        break
      case BODY:
        this.#awaitAnswer()
        this.#readBody(data, null)
        break
      case TUNNEL:
        this.passThrough(Buffer.from(data))
        break
      case CLOSED:
        break
      default:
        // Bytes outside any answer belong to nobody (wire.md 2): a second answer, or one before its request.
        this.#close()
    }
  }

  #readHeads(data: Buffer): void {
    for (let bytes = data; this.#phase === HEAD && bytes.length > 0;) {
      const found = this.#heads.read(bytes, this.#request?.toHead === true)
      if (found === null) return
      if (found instanceof ExchangeError) {
        this.#fail(found)
        return
      }
      const { head, rest } = found
      if (head.status === 101 || head.status >= 200) {
        if (head.status === 101) this.#upgrade(head, rest)
        else this.#beginBody(head, rest, found.restText)
        // Its end may have begun the next request on this very connection.
        return
      }
      if (head.status === 100) this.#tookBody = true
      this.#awaitAnswer()
      this.#sink?.interim(head)
      bytes = rest
    }
  }

  /** `text`: the same bytes, when they are decoded already. */
  #beginBody(head: AnswerHead, bytes: Buffer, text: string | null): void {
    this.#reusable = head.keepAlive
    this.#idleMs = idleFor(this.endpoint.limits.idleMs, head.keepAliveSeconds)
    this.#body = new AnswerBody(head)
    this.#phase = BODY
    this.#awaitAnswer()
    this.#readBody(text === null || head.framing === 'chunked' ? bytes : text, head)
  }

  /** `head` when these are the first bytes: it goes out with them in one write. */
  #readBody(bytes: Buffer | string, head: AnswerHead | null): void {
    const sink = this.#sink
    const body = this.#body
    if (sink === null || body === null) return
    const piece = body.read(bytes)
    if (piece instanceof ExchangeError) {
      this.#fail(head === null ? new ExchangeError('ANSWER_CUT', piece.message) : piece)
      return
    }
    const { data, ended, extra } = piece
    if (extra) this.#reusable = false
    let goOn = true
    if (head !== null) {
      const whole = ended && body.trailers === ''
      if (whole) this.#end()
      goOn = sink.answerHead(head, data, whole)
      if (whole) return
    } else if (data !== null) goOn = sink.answerData(data)
    // It may not want it.
    if (this.#sink !== sink) return
    if (sink.holdsData) this.reads?.leaveBuffer()
    if (ended) {
      this.#end()
      sink.answerEnd(body.trailers)
    } else if (!goOn && this.#phase === BODY) {
      // A client that reads slowly is not the server's fault.
      this.deadlineAt = Infinity
      this.socket.pause()
    }
  }

  /** The answer is whole. Done before it is passed on, so that the next request finds this connection idle. */
  #end(): void {
    const reusable = this.#reusable && this.#requestEnded && !this.socket.readableEnded
    this.#sink = null
    this.#request = null
    this.#body = null
    if (!reusable) return this.#close()
    this.#phase = IDLE
    this.reused = true
    this.setDeadline(this.#idleMs)
    this.endpoint.release(this)
  }

  #upgrade(head: AnswerHead, early: Buffer): void {
    const sink = this.#sink
    if (this.#request?.wantsUpgrade !== true || sink === null || head.upgrade === '') {
      this.#fail(
        new ExchangeError('BAD_ANSWER', 'the server switched protocols without being asked'),
      )
      return
    }
    this.#phase = TUNNEL
    this.deadlineAt = Infinity
    sink.upgraded(head, this, early.length === 0 ? null : Buffer.from(early))
  }

  /** The other end of the tunnel is there. */
  tunnelTo(peer: TunnelEnd): void {
    const { tunnelMs } = this.#timeouts
    this.joinTunnel(peer, tunnelMs === 0 ? Infinity : tunnelMs)
  }

  // What goes wrong.

  #fail(error: ExchangeError): void {
    const sink = this.#sink
    this.#close()
    sink?.failed(error)
  }

  /** Gives up what is under way: the client left, or another server is tried. */
  abandon(): void {
    this.#close()
  }

  #close(): void {
    if (this.#phase === IDLE) this.endpoint.forget(this)
    this.#phase = CLOSED
    this.#dial?.cancel()
    this.#sink = null
    this.deadlineAt = Infinity
    this.socket.destroy()
  }

  protected peerEnded(): void {
    if (this.#phase === BODY && this.#body?.endsWithConnection === true) {
      const sink = this.#sink
      this.#close()
      sink?.answerEnd('')
    } else if (this.#phase !== CLOSED) this.#lost()
  }

  protected broken(error: Error | null): void {
    if (error !== null) this.#error = error
    else if (this.#phase !== CLOSED) this.#lost()
  }

  /** The server is gone, in whatever phase: what that means for the request depends on what was seen of the answer. */
  #lost(): void {
    const cause = this.#error
    const how = cause === null ? 'the server closed the connection' : cause.message
    switch (this.#phase) {
      case CONNECTING:
        this.endpoint.connectFailed()
        this.#fail(connectError(cause, this.endpoint.target))
        break
      case HEAD:
        this.#fail(
          this.#heads.hasBegun
            ? new ExchangeError('ANSWER_CUT', `${how} within the answer's head`)
            : new ExchangeError('SERVER_CLOSED', `${how} before an answer`),
        )
        break
      case BODY:
        this.#fail(new ExchangeError('ANSWER_CUT', `${how} within the answer's body`))
        break
      default:
        this.#close()
    }
  }

  expire(): void {
    switch (this.#phase) {
      case CONNECTING:
        this.endpoint.connectFailed()
        this.#fail(lateError(this.#dial?.waitsFor ?? this.#waitsFor, this.#timeouts))
        break
      case HEAD:
        this.#fail(
          lateError(this.#requestEnded || !this.blocked ? 'answer' : 'body', this.#timeouts),
        )
        break
      case BODY:
        this.#fail(lateError('more', this.#timeouts))
        break
      default:
        this.#close()
    }
  }

  protected override left(): void {
    super.left()
    this.endpoint.closed()
  }

  protected tunnelClosed(): void {
    this.#phase = CLOSED
  }
}
