/**
 * Forwards one exchange of a route: middlewares, then attempts at servers until one responds, then the response to the client.
 *
 *   MIDDLEWARES ──pass──► ATTEMPTS ──response head──► RESPONSE ──end──► OVER
 *        │ local response  │ ▲ another server                            ▲
 *        └─────────────────┴─┴──────── local response, client gone ──────┘
 *
 * A request is sent again only while nothing of a response has been passed on and all of its body so far is buffered: without a
 * connection with any method, else only if it is idempotent (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1), unless the
 * route's predicate decides. Exceptions are caught by the callers, which call `fault`: it ends this exchange and no other.
 */
import type { ResponseHead } from '../http/message/response-head.ts'
import {
  errorResponse,
  headOfLocalResponse,
  type LocalResponse,
} from '../http/message/local-response.ts'
import { clock, readClock } from '../http/connection/clock.ts'
import type { Expiring } from '../http/connection/deadlines.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { Exchange, ExchangeOwner } from '../http/exchange.ts'
import { allOf } from '../http/connection/faults.ts'
import type { TunnelEnd } from '../http/connection/tunnel.ts'
import { isIdempotent, type RetryPolicy } from '../policy/retrying/retry.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count } from '../scoreboard/scoreboard.ts'
import type { Endpoint } from '../upstream/endpoint/endpoint.ts'
import type { Pool } from '../upstream/pool.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import { lateError, passTimeLeft, pushbackMs, takeTimeLimit } from './call.ts'
import type { Route } from './route.ts'
import { countBegin, countEnd, servedBy, type ServedBy } from './request-stats.ts'
import { RetryState } from './retry-state.ts'
import { MiddlewareChain, type ChainOwner } from './middleware-chain.ts'

/** A request survives so many shortages of descriptors or memory, and waits so long if this thread has nothing to free. */
const SHORTAGES = 2
const SHORTAGE_WAIT_MS = 100
/** Of a request that no server has processed: servers of HTTP/2 that end connections by their number of requests may do so in a row. */
const MOST_RESENT = 3

/** Callbacks of the gateway. */
export interface ForwarderContext {
  readonly onEnded: (exchange: Exchange, served: ServedBy, durationMs: number) => void
  readonly onFault: (error: unknown) => void
  /** This process is short of something. Returns how many idle connections were closed for it. */
  readonly onShortage: (error: unknown) => number
}

export class Forwarder
  extends RetryState
  implements AttemptOwner, ChainOwner, ExchangeOwner, Expiring
{
  /** Of the whole request. */
  deadlineAt: number = Infinity
  deadlineIndex = -1
  readonly #route: Route
  readonly #context: ForwarderContext
  /** The route's, or the one that a middleware chose. */
  #pool: Pool | null
  /** Null for routes without request middlewares. */
  #chain: MiddlewareChain | null = null
  /** So far. */
  #shortages = 0
  #isOver = false

  constructor(exchange: Exchange, route: Route, context: ForwarderContext) {
    super(exchange)
    this.#route = route
    this.#context = context
    this.#pool = route.pool
    exchange.owner = this
    countBegin(route.slot)
  }

  start(): void {
    const { onRequest: middlewares, pool } = this.#route
    const requestMs = pool === null ? 0 : this.#route.timeoutsOf(pool).requestMs
    if (pool !== null && requestMs > 0) this.#endBy(this.exchange.startedAt + requestMs, pool)
    if (middlewares === null) return this.forward(null, false)
    this.#chain = new MiddlewareChain(middlewares, this.exchange, this)
    this.#chain.run()
  }

  respond(local: LocalResponse): void {
    this.exchange.client.sendLocal(local)
    this.#end()
  }

  headOf(local: LocalResponse): ResponseHead {
    try {
      return this.#route.headOf(local, this.exchange, this.#chain)
    } catch (error) {
      // This fault may be the reason for the response.
      this.#context.onFault(error)
      return headOfLocalResponse(local)
    }
  }

  // The attempts.

  forward(backend: string | null, hasWaited: boolean): void {
    const { otherPools: otherPools, id } = this.#route
    if (backend !== null) this.#pool = otherPools?.get(backend) ?? null
    const pool = this.#pool
    if (pool === null) throw new Error(`route ${id} has no backend, or not ${backend}`)
    const { grpc } = this.exchange
    if (grpc !== null) {
      const malformed = takeTimeLimit(grpc, this.exchange)
      if (malformed !== null) return this.respond(errorResponse(malformed))
      this.#endBy(grpc.deadlineAt, pool)
    }
    if (this.deadlineAt <= clock.now) return this.expire()
    pool.retryBudget.countRequest()
    this.beginAttempts(this.#route.retry ?? pool.retry)
    this.#tryNext(pool, null, hasWaited ? performance.now() : this.exchange.startedAt)
  }

  #endBy(deadlineAt: number, { deadlines }: Pool): void {
    if (deadlineAt >= this.deadlineAt) return
    this.deadlineAt = deadlineAt
    if (this.deadlineIndex < 0) deadlines.add(this)
  }

  /**
   * On an endpoint that was not tried yet, or, if the retry policy says so, again on those that were. If none is left the
   * client gets the last error.
   */
  #tryNext(pool: Pool, error: ExchangeError | null, startedAt: number): void {
    let last = error
    const policy = this.retry
    let comesBack = policy?.canRepeatServer === true
    for (;;) {
      const endpoint = pool.pickFor(this.exchange, this.tried)
      if (endpoint === null) {
        if (!comesBack || !this.clearTried()) break
        comesBack = false
        continue
      }
      if (this.#send(this.#hold(pool, endpoint, startedAt), false)) {
        if (this.attempts === 1 && policy?.hedge != null) this.#hedgeLater(pool, policy)
        return
      }
      this.addTried(endpoint)
      last ??= new ExchangeError(
        'SERVER_LIMIT',
        `every server of ${pool.id} has all the connections it may have`,
      )
    }
    if (this.waitForServer(pool, last)) return
    this.respond(errorResponse(last ?? new ExchangeError('NO_SERVER', pool.whyNone())))
  }

  protected tryAgain(pool: Pool): void {
    this.#tryNext(pool, null, performance.now())
  }

  /** The endpoint's in-flight count has been taken. From here on it is given back even after a fault. */
  #hold(pool: Pool, endpoint: Endpoint, startedAt: number): Attempt {
    const attempt = new Attempt(this, this.exchange, pool, endpoint, startedAt)
    this.holdAttempt(attempt)
    return attempt
  }

  /** False if the endpoint may have no further connection. */
  #send(attempt: Attempt, fresh: boolean): boolean {
    const { pool, endpoint } = attempt
    const { grpc } = this.exchange
    const timeouts = grpc === null ? this.#route.timeoutsOf(pool) : this.#route.callTimeoutsOf(pool)
    attempt.connection = pool.acquire(this.exchange, endpoint, fresh, timeouts)
    if (attempt.connection === null) {
      this.releaseAttempt(attempt)
      return false
    }
    if (this.attempts > 0) count(this.#route.slot, COUNT.retries, 1)
    this.attemptSent(attempt, attempt.connection)
    if (grpc !== null) passTimeLeft(grpc, this.exchange, this.deadlineAt, readClock())
    attempt.send(attempt.connection, this.#route.passHost, timeouts)
    return true
  }

  attemptFailed(attempt: Attempt, error: ExchangeError): void {
    const { endpoint, pool } = attempt
    this.stopTimer()
    if (this.dropAttempt(attempt)) {
      // The other attempt is still under way.
      this.addTried(endpoint)
      return
    }
    this.replay?.detach()
    if (this.exchange.hasResponded) return this.#giveUp(error)
    const final = this.passOver(endpoint, error)
    if (final !== null) return this.#tryNext(pool, final, performance.now())
    const { method } = this.exchange
    const most = attempt.connection?.isUnsent === true ? MOST_RESENT : isIdempotent(method) ? 1 : 0
    if (attempt.isStale && this.resent < most && this.canRetry()) {
      this.resent++
      count(endpoint.slot, COUNT.retries, 1)
      pool.take(endpoint)
      if (this.#send(this.#hold(pool, endpoint, performance.now()), true)) return
    }
    if (error.reason === 'OUT_OF_RESOURCES' && this.#outlast(pool, error)) return
    if (error.kind.retry === 'always' && this.waitForServer(pool, error)) return void this.resent++
    this.addTried(endpoint)
    const isAllowed = this.mayRepeat(error.kind.status, error)
    if (!isAllowed || (!attempt.isFree && !pool.retryBudget.tryTake())) this.#giveUp(error)
    else {
      count(endpoint.slot, COUNT.retries, 1)
      this.#repeat(pool, error)
    }
  }

  /** Tries again with what closing idle connections has freed: immediately in this thread, a moment later in others. */
  #outlast(pool: Pool, error: ExchangeError): boolean {
    const given = this.#context.onShortage(error)
    if (this.#shortages++ === SHORTAGES || !this.canRetry()) return false
    this.resent++
    const again = (): void => this.#tryNext(pool, error, performance.now())
    if (given > 0) again()
    else this.schedule(again, SHORTAGE_WAIT_MS)
    return true
  }

  /** After the back-off, or after the time that the server wants. */
  #repeat(pool: Pool, error: ExchangeError | null, pushbackMs: number | null = null): void {
    const next = this.attempts - this.resent + 1
    const waitMs = pushbackMs ?? this.retry?.backoffMs(next, pool.random()) ?? 0
    const go = (): void => this.#tryNext(pool, error, performance.now())
    if (waitMs <= 0) go()
    else this.schedule(go, waitMs)
  }

  // Hedging: a second copy if the first takes long.

  #hedgeLater(pool: Pool, policy: RetryPolicy): void {
    const waitMs = this.#route.hedgeMs(policy, this.exchange, pool)
    if (waitMs < Infinity && !this.#isOver && this.timer === null)
      this.schedule(() => this.#sendHedge(pool), waitMs)
  }

  #sendHedge(pool: Pool): void {
    const first = this.attempt
    const other = first === null ? null : pool.pick(this.exchange, [...this.tried, first.endpoint])
    if (first === null || other === null) return
    const attempt = this.#hold(pool, other, performance.now())
    if (pool.retryBudget.tryTake()) {
      count(first.endpoint.slot, COUNT.retries, 1)
      this.#send(attempt, false)
    } else this.releaseAttempt(attempt)
  }

  // The response.

  attemptResponse(
    attempt: Attempt,
    head: ResponseHead,
    data: Buffer | string | null,
    ended: boolean,
    headMs: number,
  ): boolean {
    if (this.timer !== null || this.hedge !== null) {
      this.stopTimer()
      this.settleRace(attempt)
    }
    const policy = this.retry
    if (policy?.judgesResponses === true && this.#rejectResponse(attempt, head)) return true
    if (policy?.hedge != null) this.#route.noteHeadMs(policy, headMs)
    if (!ended) this.replay?.forget()
    this.#edit(attempt, head)
    const goOn = this.exchange.client.sendHead(head, data, ended)
    // The clock was read when the head came.
    if (ended) this.#end(clock.now)
    return goOn
  }

  /** Before the head goes to the client. */
  #edit({ pool, endpoint }: Attempt, head: ResponseHead): void {
    const { onResponse } = this.#route
    if (pool.addsLines) head.fields += pool.linesFor(this.exchange, endpoint)
    if (onResponse !== null) onResponse(this.exchange, head)
    if (this.#chain !== null) this.#chain.responseAt = clock.now
  }

  /** The retry predicate rejects this response, and another attempt is allowed. */
  #rejectResponse(attempt: Attempt, head: ResponseHead): boolean {
    const { pool, endpoint } = attempt
    const { grpc } = this.exchange
    const waitMs = grpc === null ? null : pushbackMs(head)
    if (waitMs !== null && clock.now + waitMs >= this.deadlineAt) return false
    if (!this.mayRepeat(head.status, null) || !pool.retryBudget.tryTake()) return false
    count(endpoint.slot, COUNT.retries, 1)
    this.discardAttempt(attempt)
    this.#repeat(pool, null, waitMs)
    return true
  }

  attemptEnded(attempt: Attempt, trailers: string): void {
    if (attempt !== this.attempt) return
    this.exchange.client.sendEnd(trailers)
    this.#end()
  }

  attemptUpgraded(
    attempt: Attempt,
    head: ResponseHead,
    end: TunnelEnd,
    early: Buffer | null,
  ): void {
    this.#edit(attempt, head)
    this.#stopClock()
    this.exchange.status = head.status
    this.exchange.hasResponded = true
    const client = this.exchange.client.becomeTunnel(head, end, early)
    attempt.connection?.tunnelTo(client)
  }

  // The end.

  #giveUp(error: ExchangeError): void {
    this.#report(error)
    this.#end()
  }

  /** Reports the error to the client: as a response, or by cutting off the one that has begun. */
  #report(error: ExchangeError): void {
    if (this.exchange.hasResponded) this.exchange.cut(error)
    else this.exchange.client.sendLocal(errorResponse(error))
  }

  /** The request timeout. */
  expire(): void {
    const error = lateError(this.exchange, this.deadlineAt)
    // The client's own limit says nothing about the server.
    if (error.reason === 'REQUEST_TIMEOUT')
      this.attempt?.abandonLate(this.deadlineAt - this.exchange.startedAt)
    this.abandonAttempts()
    this.#giveUp(error)
  }

  clientGone(error: ExchangeError): void {
    if (this.#isOver) return
    try {
      if (this.exchange.status === 101) this.attempt?.release()
      else {
        this.exchange.note(error)
        this.abandonAttempts()
      }
      this.#end()
    } catch (fault) {
      this.fault(fault)
    }
  }

  /** After an exception: ends with 500, or cuts off the response that has begun, and releases all that it holds. */
  fault(error: unknown): void {
    const { onFault } = this.#context
    onFault(error)
    if (this.#isOver) return
    const { client } = this.exchange
    const failure = new ExchangeError('INTERNAL', 'a fault of the proxy', { cause: error })
    let isReported = false
    allOf(
      onFault,
      () => this.attempt?.abandon(),
      () => this.hedge?.abandon(),
      () => {
        this.#report(failure)
        isReported = true
      },
      () => {
        if (!isReported) client.abort()
      },
      () => this.#end(),
    )
  }

  #stopClock(): void {
    const pool = this.#route.pool ?? this.#pool
    if (this.deadlineIndex >= 0) pool?.deadlines.remove(this)
  }

  #end(now: number = readClock()): void {
    if (this.#isOver) return
    this.#isOver = true
    this.stopTimer()
    this.#stopClock()
    this.attempt = null
    this.hedge = null
    const exchange = this.exchange
    exchange.sink = null
    const { slot, id } = this.#route
    const durationMs = now - exchange.startedAt
    countEnd(slot, this.endpoint?.slot ?? null, exchange, durationMs)
    this.#chain?.end()
    const served = servedBy(id, this.#pool, this.endpoint, this.attempts)
    this.#context.onEnded(exchange, served, durationMs)
  }
}
