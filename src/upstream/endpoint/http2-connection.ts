/**
 * A connection to a server that speaks HTTP/2, and carries many exchanges. It is closed when it was idle for too long; one that takes
 * no new exchanges (GOAWAY, age, a server or address that was removed) closes when its last one has ended.
 *
 * A server that is gone without closing the connection is found by a PING: once, some seconds after a request to which nothing at
 * all came, or when such a request was given up. Servers of gRPC end connections for more than that.
 */
import { clock } from '../../http/connection/clock.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import { ERROR } from '../../http2/frames.ts'
import { Http2Link } from '../../http2/link.ts'
import type { Http2Stream } from '../../http2/stream.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { closedError } from './connection-errors.ts'
import type { Http2Endpoint } from './http2-endpoint.ts'
import { notHttp2 } from './http2-errors.ts'
import type { Dialed } from './server-dial.ts'
import type { WaitingExchange } from './waiting-exchange.ts'

/** What servers of gRPC allow of a client, the lowest of all: a PING in 5 minutes. */
const SILENCE_MS = 5 * 60_000

/** The connections that it belongs to. */
export interface Http2ConnectionOwner {
  /** It may take another exchange. */
  hasRoom(connection: Http2Connection): void
  /** It takes no new exchanges any more. */
  closes(connection: Http2Connection): void
}

export class Http2Connection extends Http2Link {
  readonly endpoint: Http2Endpoint
  /** The server's address that it is connected to. */
  readonly address: string
  /** When its last exchange ended, 0 before the first. */
  usedAt = 0
  /** Why it ends, if that is known better than by the end of the socket: what the server sent is no HTTP/2, for example. */
  endingError: ExchangeError | null = null
  /** WebSockets that wait for the server's SETTINGS. */
  readonly upgrades: WaitingExchange[] = []
  readonly #owner: Http2ConnectionOwner
  readonly #retireAt: number
  #receivedAt: number = clock.now
  #sentAt = 0
  #pingedAt = 0
  #isPinging = false
  #isDraining = false
  #isClosed = false
  /** The endpoint counts it among its idle ones. */
  #isIdle = false

  constructor(
    endpoint: Http2Endpoint,
    { socket, address, reads }: Dialed,
    timeouts: Timeouts,
    owner: Http2ConnectionOwner,
  ) {
    super(socket, reads, endpoint.deadlines, endpoint.linkOptions(timeouts))
    this.endpoint = endpoint
    this.address = address
    this.#owner = owner
    const { maxAgeMs } = endpoint.http2
    this.#retireAt = maxAgeMs === 0 ? Infinity : clock.now + maxAgeMs
  }

  // For its owner.

  /** It takes one more exchange. */
  get hasRoom(): boolean {
    if (this.#isDraining || !this.canOpen) return false
    const { http2, expectedStreams } = this.endpoint
    if (this.streamCount >= (this.isReady ? http2.streams : expectedStreams)) return false
    return !this.#isOld
  }

  get #isOld(): boolean {
    return clock.now >= this.#retireAt
  }

  get isUnused(): boolean {
    return this.streamCount === 0
  }

  /** The server allows fewer streams than it has: they were opened before its SETTINGS came. */
  get isOverfull(): boolean {
    return this.isReady && this.streamCount > this.peer.maxConcurrentStreams
  }

  /** The server may be gone: a PING is under way. */
  get isDoubtful(): boolean {
    return this.#isPinging
  }

  /** No new exchanges; those under way finish. */
  drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.#owner.closes(this)
    if (this.isUnused) this.closeIdle()
  }

  /** Only if it is idle. */
  closeIdle(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isDraining = true
    this.#countIdle(false)
    this.#owner.closes(this)
    this.goAway(ERROR.NO_ERROR, 0)
    this.finish()
  }

  #countIdle(isIdle: boolean): void {
    if (isIdle === this.#isIdle) return
    this.#isIdle = isIdle
    this.endpoint.idleCount += isIdle ? 1 : -1
  }

  // For its streams.

  /** A request was sent. */
  sent(): void {
    this.#countIdle(false)
    const { pingMs } = this.endpoint.http2
    this.#sentAt = clock.now
    const pingAt = clock.now + (pingMs === 0 ? SILENCE_MS : pingMs)
    // Of several requests the first one's deadline stands; what is due is decided then.
    if (this.streamCount === 1 || this.ownDeadlineAt > pingAt) this.ownDeadlineAt = pingAt
  }

  /** A request that was sent then was given up. Without anything received since, the server may be gone. */
  doubt(sentAt: number): void {
    const { pingMs } = this.endpoint.http2
    if (pingMs === 0 || this.#receivedAt > sentAt || clock.now - sentAt < pingMs / 4) return
    this.#ping()
  }

  #ping(): void {
    if (this.#isPinging || !this.isReady) return
    this.#isPinging = true
    this.#pingedAt = clock.now
    this.ping(this.endpoint.http2.pingTimeoutMs, () => {
      this.#isPinging = false
      this.#owner.hasRoom(this)
    })
  }

  // Hooks of the link.

  override received(buffer: Buffer, length: number): void {
    this.#receivedAt = clock.now
    super.received(buffer, length)
  }

  protected headReceived(): null {
    return null
  }

  protected goAwayReceived(_lastId: number, code: number, debug: string): void {
    if (code !== ERROR.NO_ERROR) this.endpoint.blamed(code, debug)
    this.drain()
  }

  protected settingsChanged(): void {
    this.endpoint.speaks('h2')
    this.endpoint.connected()
    const { maxConcurrentStreams: most } = this.peer
    if (most > 0) this.endpoint.announcedStreams = most
    // A server that takes no streams at all is of no use; a later connection may find it changed.
    if (most === 0) this.drain()
    else this.#owner.hasRoom(this)
    // Exchanges that it was opened for may be gone.
    if (this.usedAt === 0) this.idle()
  }

  protected streamClosed(_stream: Http2Stream): void {
    if (this.#isDraining) return
    if (this.#isOld) this.drain()
    else this.#owner.hasRoom(this)
  }

  protected idle(): void {
    const { endpoint } = this
    if (!this.isUnused || this.upgrades.length > 0) return
    this.usedAt = clock.now
    if (!this.#isClosed) this.#countIdle(true)
    const isGone = endpoint.isRetired || !endpoint.addresses.has(this.address)
    if (this.#isDraining || this.closing || isGone || !endpoint.keepsIdle()) this.closeIdle()
    else this.ownDeadlineAt = Math.min(clock.now + endpoint.limits.idleMs, this.#retireAt)
  }

  protected timedOut(now: number): void {
    if (this.isUnused) return this.closeIdle()
    const { pingMs } = this.endpoint.http2
    const silentMs = now - this.#receivedAt
    const isUnanswered = this.#sentAt >= this.#receivedAt && this.#pingedAt < this.#sentAt
    const patienceMs = isUnanswered && pingMs > 0 ? pingMs : SILENCE_MS
    const pingAt = Math.max(this.#receivedAt, this.#pingedAt) + patienceMs
    if (silentMs >= patienceMs && pingAt <= now) this.#ping()
    this.ownDeadlineAt = pingAt > now ? pingAt : now + SILENCE_MS
  }

  protected abused(what: string): void {
    this.endingError = new ExchangeError('BAD_ANSWER', `too many frames without use: ${what}`)
  }

  protected malformed(streamId: number, fault: string): void {
    if (streamId !== 0) return
    this.endingError = this.isReady ? new ExchangeError('BAD_ANSWER', fault) : notHttp2(fault)
  }

  protected lost(error: Error | null): void {
    const { endpoint } = this
    const isOwnEnd = this.#isClosed
    this.#isClosed = true
    this.#isDraining = true
    this.#countIdle(false)
    this.endingError ??= closedError('response', error)
    if (!this.isReady && !isOwnEnd) endpoint.connectFailed(this.endingError.reason)
    endpoint.closed(null)
    this.#owner.closes(this)
  }

  fault(error: unknown): void {
    this.endpoint.onFault(error)
    this.destroy(error instanceof Error ? error : null)
  }
}
