/**
 * One exchange on its route: middlewares, then attempts at servers until one answers, then the answer back.
 *
 *   ASKING ──goes on──► TRYING ──answer's head──► ANSWERING ──its end──► OVER
 *     │ a middleware answers │ ▲ another server                            ▲
 *     └──────────────────────┴─┴───────────── own answer, client gone ─────┘
 *
 * A request is sent again only while nothing of an answer has been passed on and all of its body that has flowed is kept.
 * Without a predicate of the route's own: whatever its method when it was never processed (no connection), and only if it is
 * idempotent when a server may have begun to (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
 */
import type { AnswerHead } from '../http/answer-head.ts'
import { answerOfError, type OwnAnswer } from '../http/answer.ts'
import { clock } from '../http/clock.ts'
import type { Expiring } from '../http/deadlines.ts'
import { ExchangeError } from '../http/errors.ts'
import type { Exchange, ExchangeOwner } from '../http/exchange.ts'
import type { TunnelEnd } from '../http/tunnel.ts'
import { isIdempotent, type RetryPolicy } from '../policy/retry.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count } from '../scoreboard/scoreboard.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { Pool } from '../upstream/pool.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import { outgoingRequest } from './outgoing.ts'
import { Replay } from './replay.ts'
import type { Route } from './route.ts'
import { countBegin, countEnd, endingOf, type Ending } from './tally.ts'
import { Way, type WayOwner } from './way.ts'

const NONE: readonly Endpoint[] = []

export type OnEnded = (exchange: Exchange, ending: Ending, durationMs: number) => void

export class Forward implements AttemptOwner, WayOwner, ExchangeOwner, Expiring {
  /** Of the whole request. */
  deadlineAt: number = Infinity
  deadlineIndex = -1
  readonly #exchange: Exchange
  readonly #route: Route
  readonly #onEnded: OnEnded
  /** Where it goes: the route's, or where a middleware sent it. */
  #pool: Pool | null
  #retry: RetryPolicy | null = null
  #attempt: Attempt | null = null
  /** A second one beside it, until either answers. */
  #hedge: Attempt | null = null
  #endpoint: Endpoint | null = null
  #tried: readonly Endpoint[] = NONE
  /** Sent to servers, in all. */
  #attempts = 0
  /** Sent again because an idle connection was gone: no failure of a server, and not of the budget. */
  #resent = 0
  #bodyFlows = false
  #replay: Replay | null = null
  #said100 = false
  #saidInterim = false
  /** Of the back-off, or of the hedge. */
  #timer: NodeJS.Timeout | null = null
  /** Null for routes without middlewares that look at requests. */
  #way: Way | null = null
  #isOver = false

  constructor(exchange: Exchange, route: Route, onEnded: OnEnded) {
    this.#exchange = exchange
    this.#route = route
    this.#onEnded = onEnded
    this.#pool = route.pool
    exchange.owner = this
    countBegin(route.slot)
  }

  start(): void {
    const { onRequest: chain, pool } = this.#route
    const requestMs = pool === null ? 0 : this.#route.timeoutsOf(pool).requestMs
    if (pool !== null && requestMs > 0) {
      this.deadlineAt = this.#exchange.startedAt + requestMs
      pool.deadlines.add(this)
    }
    if (chain === null) return this.forward(null, false)
    this.#way = new Way(chain, this.#exchange, this)
    this.#way.goIn()
  }

  answer(own: OwnAnswer): void {
    this.#exchange.client.sendOwn(own)
    this.#end()
  }

  headOf(own: OwnAnswer): AnswerHead {
    return this.#route.headOf(own, this.#exchange, this.#way)
  }

  // The attempts.

  forward(backend: string | null, hasWaited: boolean): void {
    const { diversions, id } = this.#route
    if (backend !== null) this.#pool = diversions?.get(backend) ?? null
    const pool = this.#pool
    if (pool === null) throw new Error(`route ${id} has no backend, or not ${backend}`)
    if (this.deadlineAt <= clock.now) return this.expire()
    pool.purse.note()
    const policy = this.#route.retry ?? pool.retry
    this.#retry = policy
    const { isWhole, head } = this.#exchange
    if (!isWhole && policy.attempts > 1 && head.length <= policy.bufferBytes)
      this.#replay = new Replay(policy.bufferBytes)
    this.#tryNext(pool, null, hasWaited ? performance.now() : this.#exchange.startedAt)
  }

  /**
   * On an endpoint that was not tried yet, else, where the route says so, once more on those that were. When there is none
   * left the client is told of the last error.
   */
  #tryNext(pool: Pool, error: ExchangeError | null, startedAt: number): void {
    let last = error
    const policy = this.#retry
    let comesBack = policy?.comesBack === true
    for (;;) {
      const endpoint = pool.pick(this.#exchange, this.#tried)
      if (endpoint === null) {
        if (!comesBack || this.#tried === NONE) break
        comesBack = false
        this.#tried = NONE
        continue
      }
      if (this.#send(pool, endpoint, false, startedAt)) {
        if (this.#attempts === 1 && policy?.hedge != null) this.#hedgeLater(pool, policy)
        return
      }
      this.#tried = [...this.#tried, endpoint]
      last ??= new ExchangeError(
        'SERVER_LIMIT',
        `every server of ${pool.id} has all the connections it may have`,
      )
    }
    last ??= new ExchangeError('NO_SERVER', pool.whyNone())
    this.answer(answerOfError(last))
  }

  /** False when the endpoint, whose in-flight count is taken, may have no further connection. */
  #send(pool: Pool, endpoint: Endpoint, fresh: boolean, startedAt: number): boolean {
    const timeouts = this.#route.timeoutsOf(pool)
    const attempt = new Attempt(this, this.#exchange, pool, endpoint, startedAt)
    const connection = endpoint.acquire(fresh, timeouts)
    if (connection === null) {
      attempt.release()
      return false
    }
    if (this.#attempts++ > 0) count(this.#route.slot, COUNT.retries, 1)
    if (this.#attempt === null) {
      this.#attempt = attempt
      this.#endpoint = endpoint
      this.#replay?.attach(connection)
      this.#exchange.sink = this.#replay ?? connection
    } else this.#hedge = attempt
    const { passHost } = this.#route
    attempt.send(connection, outgoingRequest(this.#exchange, endpoint, passHost), timeouts)
    return true
  }

  attemptFailed(attempt: Attempt, error: ExchangeError): void {
    const { endpoint, pool } = attempt
    this.#stopTimer()
    if (this.#drop(attempt)) {
      // The other one is still on its way.
      this.#tried = [...this.#tried, endpoint]
      return
    }
    this.#replay?.detach()
    if (this.#exchange.answered) {
      this.#giveUp(error)
      return
    }
    if (
      attempt.isStale &&
      this.#resent === 0 &&
      this.#canRepeat() &&
      isIdempotent(this.#exchange.method)
    ) {
      this.#resent++
      count(endpoint.slot, COUNT.retries, 1)
      pool.take(endpoint)
      if (this.#send(pool, endpoint, true, performance.now())) return
    }
    this.#tried = [...this.#tried, endpoint]
    if (!this.#mayRepeat(error.kind.status, error) || !pool.purse.take()) this.#giveUp(error)
    else {
      count(endpoint.slot, COUNT.retries, 1)
      this.#repeat(pool, error)
    }
  }

  /** Forgets a failed attempt; true when there is another one beside it. */
  #drop(attempt: Attempt): boolean {
    if (attempt === this.#attempt) {
      this.#attempt = this.#hedge
      this.#endpoint = this.#hedge?.endpoint ?? this.#endpoint
      // What comes of the body while no server takes it is kept.
      this.#exchange.sink = this.#hedge?.connection ?? this.#replay
    }
    this.#hedge = null
    return this.#attempt !== null
  }

  /** Nothing of an answer has been passed on, and the whole request is at hand. */
  #canRepeat(): boolean {
    if (this.#exchange.answered || this.#saidInterim) return false
    return !this.#bodyFlows || this.#replay?.isWhole === true
  }

  #mayRepeat(status: number, error: ExchangeError | null): boolean {
    const policy = this.#retry
    if (policy === null || !this.#canRepeat()) return false
    const { method } = this.#exchange
    const attempts = this.#attempts - this.#resent
    return policy.allows({ attempts, status, method }, error?.kind.retry ?? null)
  }

  /** After the back-off. */
  #repeat(pool: Pool, error: ExchangeError | null): void {
    const policy = this.#retry
    if (policy === null) return
    const next = this.#attempts - this.#resent + 1
    const waitMs = policy.backoffMs(next, pool.random())
    const go = (): void => {
      this.#timer = null
      this.#tryNext(pool, error, performance.now())
    }
    if (waitMs <= 0) go()
    else this.#timer = setTimeout(go, waitMs)
  }

  // A second copy, when the first takes long.

  #hedgeLater(pool: Pool, policy: RetryPolicy): void {
    const waitMs = this.#route.hedgeMs(policy, this.#exchange, pool)
    if (waitMs < Infinity) this.#timer = setTimeout(() => this.#sendHedge(pool), waitMs)
  }

  #sendHedge(pool: Pool): void {
    this.#timer = null
    const first = this.#attempt
    const other = first === null ? null : pool.pick(this.#exchange, [first.endpoint])
    if (first === null || other === null) return
    if (pool.purse.take()) {
      count(first.endpoint.slot, COUNT.retries, 1)
      this.#send(pool, other, false, performance.now())
    } else pool.done(other)
  }

  #stopTimer(): void {
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }

  // The answer comes.

  attemptTakesBody(attempt: Attempt): void {
    if (attempt !== this.#attempt) return
    this.#bodyFlows = true
    if (this.#replay === null || this.#replay.resume()) this.#exchange.client.resumeBody()
  }

  attemptInterim(attempt: Attempt, head: AnswerHead): void {
    if (attempt !== this.#attempt) return
    if (head.status === 100) {
      // The client has been asked for its body already.
      if (this.#said100) return
      this.#said100 = true
    } else this.#saidInterim = true
    this.#exchange.client.sendInterim(head)
  }

  attemptAnswered(
    attempt: Attempt,
    head: AnswerHead,
    data: Buffer | string | null,
    ended: boolean,
    headMs: number,
  ): boolean {
    if (this.#timer !== null || this.#hedge !== null) this.#choose(attempt)
    const policy = this.#retry
    if (policy?.judgesAnswers === true && this.#refuseAnswer(attempt, head.status)) return true
    if (policy?.hedge != null) this.#route.noteHeadMs(policy, headMs)
    this.#edit(attempt, head)
    const goOn = this.#exchange.client.sendHead(head, data, ended)
    if (ended) this.#end()
    return goOn
  }

  /** Before the head goes to the client. */
  #edit({ pool, endpoint }: Attempt, head: AnswerHead): void {
    const { onAnswer } = this.#route
    if (pool.isSticky) head.fields += pool.cookieFor(this.#exchange, endpoint)
    if (onAnswer !== null) onAnswer(this.#exchange, head)
    if (this.#way !== null) this.#way.answeredAt = clock.now
  }

  /** Whoever answers first is the one. */
  #choose(attempt: Attempt): void {
    this.#stopTimer()
    const other = attempt === this.#hedge ? this.#attempt : this.#hedge
    this.#hedge = null
    if (other === null) return
    this.#attempt = attempt
    this.#endpoint = attempt.endpoint
    this.#exchange.sink = attempt.connection
    other.beat()
  }

  /** The route's predicate wants another answer than this one, and there may be one. */
  #refuseAnswer(attempt: Attempt, status: number): boolean {
    const { pool, endpoint } = attempt
    if (!this.#mayRepeat(status, null) || !pool.purse.take()) return false
    count(endpoint.slot, COUNT.retries, 1)
    attempt.abandon()
    this.#attempt = null
    this.#replay?.detach()
    this.#exchange.sink = this.#replay
    this.#tried = [...this.#tried, endpoint]
    this.#repeat(pool, null)
    return true
  }

  attemptEnded(attempt: Attempt, trailers: string): void {
    if (attempt !== this.#attempt) return
    this.#exchange.client.sendEnd(trailers)
    this.#end()
  }

  attemptUpgraded(attempt: Attempt, head: AnswerHead, end: TunnelEnd, early: Buffer | null): void {
    this.#edit(attempt, head)
    this.#stopClock()
    this.#exchange.status = head.status
    this.#exchange.answered = true
    const client = this.#exchange.client.becomeTunnel(head, end, early)
    attempt.connection?.tunnelTo(client)
  }

  // The end.

  #giveUp(error: ExchangeError): void {
    if (!this.#exchange.answered) {
      this.answer(answerOfError(error))
      return
    }
    this.#exchange.reason = error.reason
    this.#exchange.detail = error.message
    this.#exchange.client.abort()
    this.#end()
  }

  /** The whole request takes too long. */
  expire(): void {
    const tookMs = Math.round(this.deadlineAt - this.#exchange.startedAt)
    this.#attempt?.abandonLate(tookMs)
    this.#abandon()
    this.#giveUp(new ExchangeError('REQUEST_TIMEOUT', `no whole answer within ${tookMs} ms`))
  }

  clientGone(error: ExchangeError): void {
    if (this.#isOver) return
    const isTunnel = this.#exchange.status === 101
    if (isTunnel) this.#attempt?.release()
    else {
      this.#exchange.reason = error.reason
      this.#exchange.detail = error.message
      this.#abandon()
    }
    this.#end()
  }

  #abandon(): void {
    this.#attempt?.abandon()
    this.#hedge?.abandon()
  }

  #stopClock(): void {
    if (this.deadlineIndex >= 0) this.#route.pool?.deadlines.remove(this)
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopTimer()
    this.#stopClock()
    this.#attempt = null
    this.#hedge = null
    const exchange = this.#exchange
    exchange.sink = null
    const { slot, id } = this.#route
    const durationMs = performance.now() - exchange.startedAt
    countEnd(slot, this.#endpoint?.slot ?? null, exchange, durationMs)
    this.#way?.end()
    const ending = endingOf(id, this.#pool, this.#endpoint, this.#attempts)
    this.#onEnded(exchange, ending, durationMs)
  }
}
