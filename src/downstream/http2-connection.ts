/**
 * A client's HTTP/2 connection: its streams, its age, its end.
 *
 *   OPEN ──drain, maxAge──► ANNOUNCED ──PING answered, or 5 s──► CLOSING ──last stream has ended──► closed
 *     └──idle───────────────────────────────────────────────────────┘
 *
 * ANNOUNCED: a GOAWAY has said that the end is near, and requests that were on their way by then are served. CLOSING: a second one has
 * said which request was the last (RFC 9113 section 6.8).
 */
import type { Socket } from 'node:net'
import { clock } from '../http/connection/clock.ts'
import type { SocketReads } from '../http/connection/socket-reads.ts'
import { ERRORS, type ExchangeError } from '../http/message/errors.ts'
import { RequestHead } from '../http/message/request-head.ts'
import { NOWHERE } from '../http/message/target.ts'
import { COST } from '../http2/budget.ts'
import { ERROR, errorName, MAX_STREAM_ID } from '../http2/frames.ts'
import type { DecodeResult, HeadDecoder } from '../http2/hpack/head-decoder.ts'
import { Http2Link } from '../http2/link.ts'
import type { Http2Options } from '../model/snapshot.ts'
import type { ClientPeer } from './client-peer.ts'
import type { HttpListener } from './http-listener.ts'
import { Http2ClientStream } from './http2-stream.ts'
import { type Standing, toLinkOptions } from './http2-settings.ts'
import type { ListenedConnection } from './live-listener.ts'
import { NO_CLIENT } from './no-client.ts'

const OPEN = 0
const ANNOUNCED = 1
const CLOSING = 2

/** For the answer to a PING. */
const PING_MS = 15_000
/** From the first GOAWAY to the second, if no PING can say when a round trip has passed. */
const ANNOUNCED_MS = 5_000
/** Clients answer a PING ahead of requests that wait to be sent (nghttp2 does): these follow a moment later. */
const IN_ORDER_MS = 100
const LEAST_WAIT_MS = 1_000
/** maxAge is longer or shorter by up to this share, so that connections that began together do not end together. */
const AGE_JITTER = 0.1

export class Http2Connection extends Http2Link implements ListenedConnection {
  readonly clientPeer: ClientPeer
  readonly live: HttpListener
  readonly peerIp: string
  #phase = OPEN
  /** When a byte was received last; by the coarse clock, as all times here. */
  #heardAt: number = clock.now
  /** Since when no request is in flight. */
  #idleSince: number = clock.now
  #agesAt: number
  #closesAt = Infinity
  /** The stream of the last head. */
  #lastRequest = 0
  #pings = false

  constructor(
    socket: Socket,
    reads: SocketReads | null,
    peer: ClientPeer,
    live: HttpListener,
    options: Http2Options,
  ) {
    super(
      socket,
      reads,
      live.deadlines,
      toLinkOptions(live.listener, options, standingOf(peer, live)),
    )
    this.live = live
    live.countHttp2(1)
    this.clientPeer = peer
    this.peerIp = peer.peerIp
    this.#agesAt = options.maxAgeMs === 0 ? Infinity : clock.now + jittered(options.maxAgeMs)
    this.#plan(clock.now)
  }

  override received(buffer: Buffer, length: number): void {
    this.#heardAt = clock.now
    super.received(buffer, length)
  }

  protected headReceived(
    streamId: number,
    _decoder: HeadDecoder,
    _ended: boolean,
    result: DecodeResult,
  ): Http2ClientStream {
    this.#lastRequest = streamId
    return new Http2ClientStream(this, result)
  }

  protected streamClosed(): void {}

  protected idle(): void {
    this.#idleSince = clock.now
    if (this.#phase === CLOSING || this.closing) this.finish()
  }

  // Time. It is looked at when the first of these can be due, so that no request sets a deadline for it.

  #plan(now: number): void {
    const { idleMs } = this.live.listener.timeouts
    const idleAt = (this.streamCount === 0 ? this.#idleSince : now) + idleMs
    const silentAt = Math.max(this.#heardAt + this.#pingMs(), now + LEAST_WAIT_MS)
    this.ownDeadlineAt = Math.min(idleAt, silentAt, this.#agesAt, this.#closesAt)
  }

  #pingMs(): number {
    return this.live.listener.http2?.pingMs || Infinity
  }

  protected timedOut(now: number): void {
    if (this.#closesAt <= now) this.#announceLast()
    if (this.#agesAt <= now) this.#announceEnd()
    if (this.streamCount > 0) this.#checkPeer(now)
    else if (this.#idleSince + this.live.listener.timeouts.idleMs <= now) this.#announceLast()
    this.#plan(now)
  }

  #checkPeer(now: number): void {
    if (this.#pings || this.#heardAt + this.#pingMs() > now) return
    this.#pings = true
    this.ping(PING_MS, () => {
      this.#pings = false
    })
  }

  // The end.

  /** A drain has begun. */
  closeBy(): void {
    this.#announceEnd()
    this.#plan(clock.now)
  }

  #announceEnd(): void {
    this.#agesAt = Infinity
    if (this.#phase !== OPEN || this.closing) return
    this.#phase = ANNOUNCED
    this.#closesAt = clock.now + ANNOUNCED_MS
    this.goAway(ERROR.NO_ERROR, MAX_STREAM_ID)
    if (this.#pings) return
    this.#pings = true
    this.ping(PING_MS, () => {
      this.#pings = false
      this.#closesAt = clock.now + IN_ORDER_MS
      this.#plan(clock.now)
    })
  }

  #announceLast(): void {
    this.#closesAt = Infinity
    if (this.#phase === CLOSING || this.closing) return
    this.#phase = CLOSING
    this.goAway(ERROR.NO_ERROR, this.lastStreamId)
  }

  protected goAwayReceived(_lastId: number, code: number, debug: string): void {
    if (code === ERROR.NO_ERROR) return
    const why = debug === '' ? errorName(code) : `${errorName(code)}, "${debug}"`
    this.live.warn(`${this.#name()} was ended by its client with an error: ${why}`)
  }

  protected settingsChanged(): void {}

  endExchange(error: ExchangeError): void {
    for (const stream of [...this.open.values()]) (stream as Http2ClientStream).endExchange(error)
  }

  reset(): void {
    this.destroy(null)
  }

  // Misuse.

  protected abused(what: string): void {
    this.live.countMisuse()
    if (!this.clientPeer.trusted) this.live.recentMisuse.note(this.peerIp, clock.now)
    this.live.warnOfMisuse(`${this.#name()} was cut off for misuse of HTTP/2: ${what}`)
  }

  /** One may be a slow network; a client that lets many bodies wait occupies servers. */
  bodyWasLate(): void {
    this.charge(COST.PROVOKED_ERROR, 'request bodies that do not go on')
  }

  protected malformed(streamId: number, fault: string): void {
    if (streamId === 0) this.live.warn(`${this.#name()} was closed: ${fault}`)
    // Otherwise the fault is in a request that is there already, or over.
    else if (streamId > this.#lastRequest) {
      this.#lastRequest = streamId
      this.#log(fault)
    }
  }

  #name(): string {
    const { peerIp, peerPort } = this.clientPeer
    const host = peerIp.includes(':') ? `[${peerIp}]` : peerIp
    return `listener "${this.live.listener.id}": an HTTP/2 connection of ${host}:${peerPort}`
  }

  /** A request that was reset before it could be one, with the status that HTTP/1 has for it. */
  #log(fault: string): void {
    const { live, clientPeer } = this
    const head = new RequestHead()
    head.majorVersion = 2
    const exchange = clientPeer.createExchange(NO_CLIENT, live.listener.id, head, NOWHERE)
    exchange.status = ERRORS.BAD_FIELD.status
    exchange.reason = 'BAD_FIELD'
    exchange.detail = fault
    live.handler.refused(exchange)
  }

  fault(error: unknown): void {
    this.live.handler.fault(error, null)
    this.destroy(null)
  }

  protected lost(): void {
    this.clientPeer.closePinned()
    this.live.countHttp2(-1)
    this.live.leave(this)
  }
}

function standingOf({ trusted, peerIp }: ClientPeer, { recentMisuse }: HttpListener): Standing {
  if (trusted) return 'trusted'
  return recentMisuse.has(peerIp, clock.now) ? 'suspect' : 'unknown'
}

function jittered(ms: number): number {
  return ms * (1 + (Math.random() * 2 - 1) * AGE_JITTER)
}
