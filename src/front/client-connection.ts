/**
 * A client's HTTP/1.1 connection: reads heads, passes request bodies on, writes answers in order.
 *
 *   HEAD ──head read──► BODY ──body read──► ANSWER ──answer written──► HEAD
 *     │ refused            │ left, broken         │ closing                    101: TUNNEL
 *     └──────────────► LINGER ◄───────────────────┘
 *
 * An answer may begin (and end) while the body is still on its way; the connection then closes after it. In LINGER our
 * side has ended, and what the client still sends is read and dropped for a moment, so that a reset does not take the
 * answer from it. Hot path (bench scenario `browser`): no closure, promise or timer a request.
 */
import type { Socket } from 'node:net'
import type { AnswerHead } from '../http/answer-head.ts'
import { answerOfError, headOfOwnAnswer, type OwnAnswer } from '../http/answer.ts'
import { chunkSizeLine, lastChunk } from '../http/chunked.ts'
import { clock, readClock } from '../http/clock.ts'
import { ExchangeError } from '../http/errors.ts'
import { type ClientSide, Exchange } from '../http/exchange.ts'
import { safeTrailers } from '../http/fields.ts'
import { faultOfPartialHead } from '../http/grammar.ts'
import { parseRequestHead, RequestHead } from '../http/request-head.ts'
import { type Destination, readTarget } from '../http/target.ts'
import type { TunnelEnd } from '../http/tunnel.ts'
import { JOIN_BYTES, Wire } from '../http/wire.ts'
import { answerText } from './answer-text.ts'
import { continuedForwardingFields, createRequestId, forwardingFields } from './forwarding.ts'
import type { Front } from './front.ts'
import { RequestBody } from './request-body.ts'
import { effectiveClient, plainAddress } from './trust.ts'

const HEAD = 0
const BODY = 1
const ANSWER = 2
const TUNNEL = 3
const LINGER = 4

const LINGER_MS = 2_000
const LINGER_BYTES = 256 * 1024
/** What a client may send ahead of the answer it waits for before its socket is no longer read. */
const AHEAD_BYTES = 64 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')
const NOWHERE: Destination = { authority: '', host: '', path: '', query: '', target: '' }

export class ClientConnection extends Wire implements ClientSide {
  readonly peerIp: string
  readonly peerPort: number
  readonly #front: Front
  readonly #trusted: boolean
  #phase = HEAD
  #exchange: Exchange | null = null
  /** Bytes read and not yet used: part of a head, a body that nobody takes yet, requests ahead of their turn. */
  #stash: Buffer | null = null
  #searched = 0
  #body: RequestBody | null = null
  #chunkedOut = false
  #dropsBody = false
  #closing = false
  #looping = false
  #lingered = 0
  #addedFor = ''
  #added = ''

  constructor(socket: Socket, front: Front) {
    super(socket, front.deadlines)
    this.#front = front
    this.peerIp = plainAddress(socket.remoteAddress ?? '')
    this.peerPort = socket.remotePort ?? 0
    this.#trusted = front.trust.trusts(this.peerIp)
    this.listenForData()
    this.setDeadline(front.listener.timeouts.headMs)
  }

  received(data: Buffer): void {
    switch (this.#phase) {
      case HEAD:
        if (this.#stash === null) this.setDeadline(this.#front.listener.timeouts.headMs)
        this.#keep(data)
        this.#readHeads()
        break
      case BODY:
        this.#keep(data)
        if (this.#exchange?.sink == null) this.socket.pause()
        else if (this.#body !== null) this.#readBody(this.#exchange, this.#body)
        break
      case ANSWER:
        this.#keep(data)
        if ((this.#stash?.length ?? 0) > AHEAD_BYTES) this.socket.pause()
        break
      case TUNNEL:
        this.passThrough(data)
        break
      default:
        this.#lingered += data.length
        if (this.#lingered > LINGER_BYTES) this.socket.destroy()
    }
  }

  #keep(data: Buffer): void {
    this.#stash = this.#stash === null ? data : Buffer.concat([this.#stash, data])
  }

  /** One head after another, as long as they are there and each one's answer has been written. */
  #readHeads(): void {
    if (this.#looping) return
    this.#looping = true
    while (this.#phase === HEAD && this.#stash !== null && this.#readHead(this.#stash));
    this.#looping = false
  }

  #readHead(bytes: Buffer): boolean {
    const { listener } = this.#front
    // RFC 9112 section 2.2: an empty line or two before a request is forgiven, no more.
    let from = 0
    while (from < 4 && bytes[from] === 13 && bytes[from + 1] === 10) from += 2
    const end = bytes.indexOf(HEAD_END, Math.max(from, this.#searched - 3))
    const size = (end < 0 ? bytes.length : end + 4) - from
    if (size > listener.limits.headBytes) {
      this.#refuseHead(
        new ExchangeError(
          'HEAD_TOO_LARGE',
          `the head is larger than ${listener.limits.headBytes} bytes`,
        ),
      )
      return false
    }
    if (end < 0) {
      // Only the new bytes can have made it hopeless, but a line may have begun before them: this is the rare path.
      const fault =
        from === bytes.length ? null : faultOfPartialHead(bytes.toString('latin1', from))
      this.#searched = bytes.length
      if (fault !== null) this.#refuseHead(new ExchangeError('BAD_REQUEST_LINE', fault))
      return false
    }
    this.#searched = 0
    this.#stash = end + 4 < bytes.length ? bytes.subarray(end + 4) : null
    const head = parseRequestHead(
      bytes.toString('latin1', from, end + 2),
      listener.limits,
      this.#trusted,
    )
    if (head instanceof ExchangeError) this.#refuseHead(head)
    else this.#begin(head)
    return true
  }

  #begin(head: RequestHead): void {
    const to = readTarget(head, this.#front.scheme, this.#front.listener.paths)
    if (to instanceof ExchangeError) {
      this.#refuseHead(to, head)
      return
    }
    if (this.#front.misdirects(this.socket, to.host)) {
      const error = new ExchangeError(
        'MISDIRECTED',
        'another certificate of this listener is for this host',
      )
      this.#refuseHead(error, head, to)
      return
    }
    const exchange = this.#open(head, to)
    this.deadlineAt = Infinity
    this.#body = null
    this.#phase = ANSWER
    if (head.framing !== 'none' && !this.#beginBody(exchange)) return
    this.#front.handler.begin(exchange)
  }

  #open(head: RequestHead, to: Destination): Exchange {
    const { forwarded } = head
    let clientIp = this.peerIp
    let added: string
    let requestId = ''
    if (forwarded === null) {
      if (this.#addedFor !== to.authority || this.#added === '') {
        this.#addedFor = to.authority
        this.#added = forwardingFields(this.peerIp, this.#front.scheme, to.authority)
      }
      added = this.#added
    } else {
      clientIp = effectiveClient(this.peerIp, forwarded.for, this.#front.trust)
      added = continuedForwardingFields(
        forwarded,
        this.peerIp,
        clientIp,
        this.#front.scheme,
        to.authority,
      )
      requestId = forwarded.requestId
    }
    if (requestId === '') requestId = createRequestId()
    this.#exchange = new Exchange(this, head, to, {
      scheme: this.#front.scheme,
      listener: this.#front.listener.id,
      clientIp,
      startedAt: readClock(),
      added: `${added}${requestId}\r\n`,
      requestId,
    })
    return this.#exchange
  }

  // The request's body.

  /** Decodes what came with the head. A small body that is whole travels with it, and can be sent again. */
  #beginBody(exchange: Exchange): boolean {
    const body = new RequestBody(exchange.head)
    this.#body = body
    this.#phase = BODY
    const data = body.ended ? null : this.#decode(exchange, body)
    if (data instanceof ExchangeError) {
      this.#refuseHead(data, exchange.head, exchange.to)
      return false
    }
    exchange.bodyEnded = body.ended
    if (!body.ended || (data?.length ?? 0) > JOIN_BYTES || body.trailers !== '') {
      body.held = data
      return true
    }
    exchange.smallBody = data
    exchange.travelsWhole = true
    body.passed = true
    this.#phase = ANSWER
    return true
  }

  /** The body's data in the stash; keeps there what follows the body. */
  #decode(exchange: Exchange, body: RequestBody): Buffer | null | ExchangeError {
    const stash = this.#stash
    if (stash === null) return null
    const read = body.read(stash)
    if (read instanceof ExchangeError) return read
    this.#stash = read.rest
    exchange.bodyEnded = body.ended
    exchange.bytesIn += read.data?.length ?? 0
    return read.data
  }

  #readBody(exchange: Exchange, body: RequestBody): void {
    const data = this.#decode(exchange, body)
    if (data instanceof ExchangeError) {
      this.#refuseBody(data)
      return
    }
    if (body.progressed()) this.setDeadline(this.#front.listener.timeouts.bodyMs)
    this.#passBody(exchange, body, data)
  }

  #passBody(exchange: Exchange, body: RequestBody, data: Buffer | null): void {
    const { sink } = exchange
    if (sink === null) return
    if (data !== null && !sink.bodyData(data)) {
      this.deadlineAt = Infinity
      this.socket.pause()
    }
    if (!body.ended || body.passed) return
    body.passed = true
    this.deadlineAt = Infinity
    if (this.#phase === BODY) this.#phase = ANSWER
    // The socket is read on: that is how a client that leaves is noticed.
    this.socket.resume()
    sink.bodyEnd(body.trailers)
  }

  resumeBody(): void {
    const exchange = this.#exchange
    const body = this.#body
    if (this.#phase !== BODY || exchange === null || body === null) return
    this.setDeadline(this.#front.listener.timeouts.bodyMs)
    this.socket.resume()
    const { held } = body
    body.held = null
    if (held !== null || body.ended) this.#passBody(exchange, body, held)
    if (this.#stash !== null && !body.ended) this.#readBody(exchange, body)
  }

  // The answer.

  sendInterim(head: AnswerHead): void {
    // RFC 9110 section 15.2: never to an HTTP/1.0 client.
    if (this.#exchange?.head.minorVersion !== 1) return
    this.socket.write(`HTTP/1.1 ${head.status} ${head.reason}\r\n${head.fields}\r\n`, 'latin1')
  }

  sendHead(head: AnswerHead, data: Buffer | null, ended: boolean): boolean {
    const exchange = this.#exchange
    if (exchange === null) return true
    const kept = exchange.head.keepAlive && exchange.bodyEnded && !this.#front.draining
    const { text, chunked, closing, dropsBody } = answerText(head, exchange.head.minorVersion, kept)
    exchange.answered = true
    exchange.status = head.status
    this.#closing = closing
    this.#chunkedOut = chunked
    this.#dropsBody = dropsBody
    if (data === null || dropsBody) {
      this.socket.write(ended && chunked ? text + lastChunk('') : text, 'latin1')
    } else {
      exchange.bytesOut += data.length
      if (!chunked) this.writeJoined(text, data, '')
      else
        this.writeJoined(
          text + chunkSizeLine(data.length),
          data,
          ended ? `\r\n${lastChunk('')}` : '\r\n',
        )
    }
    if (ended) this.#finish()
    return this.#keepsUp()
  }

  sendData(chunk: Buffer): boolean {
    if (this.#exchange === null || this.#dropsBody) return true
    this.#exchange.bytesOut += chunk.length
    if (this.#chunkedOut) this.writeJoined(chunkSizeLine(chunk.length), chunk, '\r\n')
    else this.writeJoined('', chunk, '')
    return this.#keepsUp()
  }

  sendEnd(trailers: string): void {
    if (this.#chunkedOut) this.socket.write(lastChunk(safeTrailers(trailers)), 'latin1')
    this.#finish()
  }

  sendOwn(answer: OwnAnswer): void {
    const exchange = this.#exchange
    if (exchange === null) return
    exchange.reason = answer.reason
    exchange.detail = answer.detail
    const head = headOfOwnAnswer(answer)
    const bodyless =
      exchange.method === 'HEAD' || answer.body.length === 0 || head.framing === 'none'
    this.sendHead(head, bodyless ? null : answer.body, true)
  }

  #keepsUp(): boolean {
    if (!this.blocked) return true
    this.setDeadline(this.#front.listener.timeouts.bodyMs)
    return false
  }

  protected writable(): void {
    if (this.#phase === BODY || this.#phase === ANSWER) {
      if (this.#phase === ANSWER) this.deadlineAt = Infinity
      this.#exchange?.sink?.resumeAnswer()
    }
  }

  #finish(): void {
    this.#exchange = null
    this.#body = null
    if (this.#closing) {
      this.#linger()
      return
    }
    this.#phase = HEAD
    this.setDeadline(this.#front.idleMs())
    if (this.#stash !== null) {
      this.setDeadline(this.#front.listener.timeouts.headMs)
      this.socket.resume()
      this.#readHeads()
    }
  }

  #linger(): void {
    this.#phase = LINGER
    this.#stash = null
    this.socket.end()
    this.socket.resume()
    this.setDeadline(LINGER_MS)
  }

  becomeTunnel(head: AnswerHead, peer: TunnelEnd, early: Buffer | null): TunnelEnd {
    const lines = `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
    const text = `HTTP/1.1 ${head.status} ${head.reason}\r\n${head.fields}${lines}\r\n`
    if (early === null) this.socket.write(text, 'latin1')
    else this.writeJoined(text, early, '')
    this.#phase = TUNNEL
    this.#front.tunnels.add(this)
    this.joinTunnel(peer, Infinity)
    const stash = this.#stash
    this.#stash = null
    this.socket.resume()
    if (stash !== null) this.passThrough(stash)
    return this
  }

  // What goes wrong.

  #refuseHead(
    error: ExchangeError,
    head: RequestHead = new RequestHead(),
    to: Destination = NOWHERE,
  ): void {
    // What the client sent cannot be trusted to have an end, so nothing after it is read as a request.
    head.keepAlive = false
    const exchange = this.#open(head, to)
    this.#stash = null
    this.sendOwn(answerOfError(error))
    this.#front.handler.refused(exchange)
  }

  #refuseBody(error: ExchangeError): void {
    const exchange = this.#exchange
    if (exchange === null) return
    if (exchange.answered) this.abort()
    else {
      exchange.head.keepAlive = false
      this.sendOwn(answerOfError(error))
    }
    exchange.owner?.clientGone(error)
  }

  abort(): void {
    this.#exchange = null
    this.reset()
  }

  protected peerEnded(): void {
    if (this.#exchange !== null) this.#leave('the client closed its connection')
    else this.socket.end()
  }

  protected broken(error: Error | null): void {
    if (this.#exchange !== null)
      this.#leave(error === null ? 'the client closed its connection' : error.message)
  }

  #leave(detail: string): void {
    const exchange = this.#exchange
    this.#exchange = null
    this.#phase = LINGER
    exchange?.owner?.clientGone(new ExchangeError('CLIENT_GONE', detail))
    this.reset()
  }

  expire(_now: number): void {
    switch (this.#phase) {
      case HEAD:
        if (this.#stash === null) this.#linger()
        else this.#refuseHead(new ExchangeError('HEAD_TIMEOUT', 'the head did not arrive in time'))
        break
      case BODY:
        this.#refuseBody(new ExchangeError('BODY_TIMEOUT', 'the body did not arrive in time'))
        break
      case ANSWER:
        this.#leave('the client does not read its answer')
        break
      default:
        this.reset()
    }
  }

  /** Nothing is under way, so closing cuts nothing. */
  get idle(): boolean {
    return this.#phase === HEAD && this.#stash === null
  }

  /** A drain began: an idle client may send one more request until then. */
  closeBy(deadlineAt: number): void {
    if (this.idle) this.deadlineAt = Math.min(this.deadlineAt, deadlineAt)
  }

  protected override left(): void {
    super.left()
    this.deadlineAt = clock.now
    this.#front.leave(this)
  }

  protected tunnelClosed(): void {
    this.#front.tunnels.delete(this)
    const exchange = this.#exchange
    this.#exchange = null
    exchange?.owner?.clientGone(new ExchangeError('CLIENT_GONE', 'the tunnel has ended'))
  }
}
