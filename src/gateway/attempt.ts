/**
 * One attempt of an exchange at one server. It ends with a response, or as a failure that counts against the server.
 *
 * Exceptions of the exchange's side in a callback of the connection are caught here and end the exchange: the connection never
 * sees them, and may already carry another exchange.
 */
import type { ResponseHead } from '../http/message/response-head.ts'
import { clock, mayBeLate, readClock } from '../http/connection/clock.ts'
import type { Expiring } from '../http/connection/deadlines.ts'
import { ExchangeError, isFaultOfForm, NotHttp } from '../http/message/errors.ts'
import type { ResponseSink, Exchange } from '../http/exchange.ts'
import type { GrpcCall } from '../http/grpc/call.ts'
import { grpcStatusOfHttp } from '../http/grpc/status.ts'
import type { TunnelEnd } from '../http/connection/tunnel.ts'
import type { Timeouts } from '../model/snapshot.ts'
import { isIdempotent } from '../policy/retrying/retry.ts'
import type { Endpoint } from '../upstream/endpoint/endpoint.ts'
import type { ServerExchange } from '../upstream/endpoint/server-exchange.ts'
import type { Pool } from '../upstream/pool.ts'

/** The forwarder of the exchange. */
export interface AttemptOwner {
  attemptTakesBody(attempt: Attempt): void
  attemptInterim(attempt: Attempt, head: ResponseHead): boolean
  /** As ResponseSink.responseHead; `headMs` after the attempt began. */
  attemptResponse(
    attempt: Attempt,
    head: ResponseHead,
    data: Buffer | string | null,
    ended: boolean,
    headMs: number,
  ): boolean
  attemptEnded(attempt: Attempt, trailers: string): void
  attemptUpgraded(attempt: Attempt, head: ResponseHead, end: TunnelEnd, early: Buffer | null): void
  attemptFailed(attempt: Attempt, error: ExchangeError): void
  /** A callback of the connection threw. */
  fault(error: unknown): void
}

/**
 * A server may well have closed a connection that was idle for so long, and a busy event loop may not have seen it yet although
 * the clock is up to date. The pool reuses the last used connection first, so that few requests wait for this check.
 */
const LONG_IDLE_MS = 500

export class Attempt implements ResponseSink, Expiring {
  deadlineAt: number = Infinity
  deadlineIndex = -1
  readonly pool: Pool
  readonly endpoint: Endpoint
  connection: ServerExchange | null = null
  /** It failed on an idle connection that the server had closed meanwhile, or announced to close, which is no failure of the server. */
  isStale = false
  readonly #owner: AttemptOwner
  readonly #exchange: Exchange
  readonly #startedAt: number
  #tryMs = 0
  /** Of the response, as it is judged; 0 before its head has come. */
  #status = 0
  /** Of a gRPC call, which is judged by its end. */
  #headMs = 0
  /** The endpoint's in-flight count must be given back. */
  #isCounted = true

  /** The pool has added to the in-flight count when it picked the endpoint. */
  constructor(
    owner: AttemptOwner,
    exchange: Exchange,
    pool: Pool,
    endpoint: Endpoint,
    startedAt: number,
  ) {
    this.#owner = owner
    this.#exchange = exchange
    this.pool = pool
    this.endpoint = endpoint
    this.#startedAt = startedAt
  }

  send(connection: ServerExchange, passHost: boolean, timeouts: Timeouts): void {
    if (timeouts.tryMs > 0) {
      this.#tryMs = timeouts.tryMs
      this.deadlineAt = this.#startedAt + timeouts.tryMs
      this.endpoint.deadlines.add(this)
    }
    if (this.#exchange.isPinned) this.pin()
    connection.send(this.#exchange, passHost, this, timeouts, this.#looksFirst(connection))
  }

  /** Whether to check for a closed connection first: for requests that cannot be sent again. */
  #looksFirst({ usedAt }: ServerExchange): boolean {
    const exchange = this.#exchange
    if (usedAt === 0 || (exchange.isWhole && isIdempotent(exchange.method))) return false
    return mayBeLate() || clock.now - usedAt > LONG_IDLE_MS
  }

  pin(): void {
    this.#exchange.isPinned = true
    const own = this.connection?.own ?? null
    if (own !== null) this.pool.pinned.pin(this.#exchange.client.clientPeer, own)
  }

  // Callbacks of the connection.

  resumeBody(): void {
    try {
      this.#owner.attemptTakesBody(this)
    } catch (error) {
      this.fault(error)
    }
  }

  interim(head: ResponseHead): boolean {
    try {
      return this.#owner.attemptInterim(this, head)
    } catch (error) {
      this.fault(error)
      return true
    }
  }

  responseHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean {
    try {
      const headMs = this.#elapsedMs()
      this.#stopClock()
      const { grpc } = this.#exchange
      if (grpc === null) this.endpoint.responded((this.#status = head.status), headMs)
      else this.#callResponds(grpc, head, ended, headMs)
      // First, because the client may have sent its next request already.
      if (ended) this.#complete()
      return this.#owner.attemptResponse(this, head, data, ended, headMs)
    } catch (error) {
      this.fault(error)
      return true
    }
  }

  /** The result of a call is in its trailers, which may be the head; a status other than 200 comes from something else than gRPC. */
  #callResponds(
    call: GrpcCall,
    { status, fields }: ResponseHead,
    ended: boolean,
    headMs: number,
  ): void {
    this.#headMs = headMs
    this.#status = status
    if (status !== 200) call.status = grpcStatusOfHttp(status)
    else if (ended) call.ended(fields)
    else {
      call.begun(fields)
      this.endpoint.responding(headMs)
      return
    }
    this.#status = call.judgedAs(status)
    this.endpoint.responded(this.#status, headMs)
  }

  responseData(chunk: Buffer | string): boolean {
    try {
      return this.#exchange.client.sendData(chunk)
    } catch (error) {
      this.fault(error)
      return true
    }
  }

  get holdsData(): boolean {
    return this.#exchange.client.holdsData
  }

  get copiesData(): boolean {
    return this.#exchange.client.copiesData === true
  }

  responseEnd(trailers: string): void {
    try {
      const { grpc } = this.#exchange
      if (grpc !== null && this.#status === 200) {
        grpc.ended(trailers)
        this.#status = grpc.judgedAs(200)
        this.endpoint.judged(this.#status, this.#headMs)
      }
      this.#complete()
      this.#owner.attemptEnded(this, trailers)
    } catch (error) {
      this.fault(error)
    }
  }

  upgraded(head: ResponseHead, end: TunnelEnd, early: Buffer | null): void {
    try {
      this.#stopClock()
      this.endpoint.responded(head.status, this.#elapsedMs())
      this.endpoint.completed(head.status)
      this.#owner.attemptUpgraded(this, head, end, early)
    } catch (error) {
      this.fault(error)
    }
  }

  failed(error: ExchangeError): void {
    try {
      this.#stopClock()
      this.release()
      const { isUnsent = false, isConnecting = false, usedAt = 0 } = this.connection ?? {}
      // A server that cannot be connected to is a failing one.
      this.isStale = (isUnsent && !isConnecting) || (error.reason === 'SERVER_CLOSED' && usedAt > 0)
      const hadResponse = this.#status !== 0
      if (isFaultOfForm(error.reason))
        this.endpoint.malformed(
          !(error instanceof NotHttp),
          this.#elapsedMs(),
          hadResponse,
          error.reason,
        )
      else if (error.kind.blame === 'server' && !this.isStale)
        this.endpoint.failed(error.reason, this.#elapsedMs(), hadResponse)
      this.#owner.attemptFailed(this, error)
    } catch (fault) {
      this.fault(fault)
    }
  }

  fault(error: unknown): void {
    this.#owner.fault(error)
  }

  /**
   * Nothing was sent, and it had no connection to itself: it waited with others for one that could not be opened. To try again
   * costs servers nothing, and if all of these had to take from the retry budget, it would be empty at once.
   */
  get isFree(): boolean {
    const { connection } = this
    return connection !== null && connection.own === null && connection.isUnsent
  }

  /** Time does not count while the server waits for the client's body, nor until the body's last bytes have come. */
  expire(now: number): void {
    const { bodyEnded, bodyAt } = this.#exchange
    const { isConnecting = false, awaitsBody = false } = this.connection ?? {}
    if (awaitsBody || (!isConnecting && bodyEnded && bodyAt + this.#tryMs > now)) {
      this.deadlineAt = (bodyEnded ? bodyAt : now) + this.#tryMs
      return
    }
    this.#stopClock()
    this.connection?.abandon()
    if (isConnecting) {
      this.endpoint.connectFailed('CONNECT_TIMEOUT')
      this.failed(new ExchangeError('CONNECT_TIMEOUT', `not connected within ${this.#tryMs} ms`))
    } else {
      const waited = `no response to this attempt within ${this.#tryMs} ms`
      this.failed(new ExchangeError('TRY_TIMEOUT', waited))
    }
  }

  /** The server's time: without the time that the client took for its body. */
  #elapsedMs(): number {
    return Math.max(0, readClock() - Math.max(this.#startedAt, this.#exchange.bodyAt))
  }

  // Calls of the forwarder.

  /** The response is not wanted. Does not count against the server. */
  abandon(): void {
    try {
      this.#stopClock()
      this.connection?.abandon()
    } finally {
      this.release()
    }
  }

  /** Another attempt was faster. That is no failure, but a measurement of the server's latency. */
  loseRace(): void {
    if (this.#status === 0) this.endpoint.lostRace(this.#elapsedMs())
    this.abandon()
  }

  /**
   * The request has timed out. That counts against this server only if it had the whole request for at least half of the time
   * and no response has begun: otherwise the client, the queue of Sluice or another server used up the time.
   */
  abandonLate(limitMs: number): void {
    const elapsedMs = this.#elapsedMs()
    if (this.#status === 0 && this.#exchange.bodyEnded && elapsedMs >= limitMs / 2)
      this.endpoint.failed('REQUEST_TIMEOUT', elapsedMs, false)
    this.abandon()
  }

  /** Gives back the in-flight count. */
  release(): void {
    if (!this.#isCounted) return
    this.#isCounted = false
    this.pool.done(this.endpoint)
  }

  #complete(): void {
    // The connection is idle or closed by now, and must not be abandoned from here.
    this.connection = null
    this.release()
    this.endpoint.completed(this.#status)
  }

  #stopClock(): void {
    if (this.deadlineIndex >= 0) this.endpoint.deadlines.remove(this)
  }
}
