/**
 * One exchange on its route: pick a server, send, judge, again on another server if that is safe, pass the answer back.
 *
 * A request is sent again only while nothing of an answer has been passed on and its body has not begun to flow, and
 * then: whatever its method when it was never processed (no connection), and only if it is idempotent when a server
 * may have begun to (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
 */
import type { AnswerHead } from '../http/answer-head.ts'
import { answerOfError, type OwnAnswer } from '../http/answer.ts'
import { ExchangeError } from '../http/errors.ts'
import type { AnswerSink, Exchange, ExchangeOwner } from '../http/exchange.ts'
import type { TunnelEnd } from '../http/tunnel.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, sharedAdd } from '../scoreboard/scoreboard.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { Pool } from '../upstream/pool.ts'
import type { ServerConnection } from '../upstream/server-connection.ts'
import { outgoingRequest } from './outgoing.ts'
import type { Route } from './route.ts'
import { countExchange, type Ending } from './tally.ts'

const MAX_ATTEMPTS = 3
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const NONE: readonly Endpoint[] = []

export type OnEnded = (exchange: Exchange, ending: Ending, durationMs: number) => void

export class Forward implements AnswerSink, ExchangeOwner {
  readonly #exchange: Exchange
  readonly #route: Route
  readonly #onEnded: OnEnded
  #endpoint: Endpoint | null = null
  /** The endpoint's in-flight count is ours to give back. */
  #counted = false
  #connection: ServerConnection | null = null
  #tried: readonly Endpoint[] = NONE
  #attempts = 0
  #bodyFlows = false
  #ended = false

  constructor(exchange: Exchange, route: Route, onEnded: OnEnded) {
    this.#exchange = exchange
    this.#route = route
    this.#onEnded = onEnded
    exchange.owner = this
    sharedAdd(route.slot, SHARED.inFlight, 1)
    count(route.slot, COUNT.inFlight, 1)
  }

  start(): void {
    const { onRequest, pool } = this.#route
    const own = onRequest === null ? null : onRequest(this.#exchange)
    if (own !== null) this.#answer(own)
    else if (pool === null)
      throw new Error(`route ${this.#route.id} has neither a backend nor an answer`)
    else this.#tryNext(pool, null)
  }

  /** On the next endpoint; when there is none left, the client is told of the last error. */
  #tryNext(pool: Pool, error: ExchangeError | null): void {
    let last = error
    while (this.#attempts < MAX_ATTEMPTS) {
      const endpoint = pool.pick(this.#tried)
      if (endpoint === null) break
      this.#endpoint = endpoint
      this.#counted = true
      if (this.#send(endpoint, false)) return
      this.#release()
      this.#tried = [...this.#tried, endpoint]
      last = new ExchangeError(
        'SERVER_LIMIT',
        `every server of ${pool.id} has all the connections it may have`,
      )
    }
    last ??= new ExchangeError('NO_SERVER', `backend ${pool.id} has no servers`)
    this.#answer(answerOfError(last))
  }

  /** False when the endpoint may have no further connection. */
  #send(endpoint: Endpoint, fresh: boolean): boolean {
    const connection = endpoint.acquire(fresh)
    if (connection === null) return false
    if (this.#attempts++ > 0) count(this.#route.slot, COUNT.retries, 1)
    this.#connection = connection
    this.#exchange.sink = connection
    connection.send(outgoingRequest(this.#exchange, endpoint, this.#route.passHost), this)
    return true
  }

  failed(error: ExchangeError): void {
    const { reused } = this.#connection ?? { reused: false }
    const endpoint = this.#endpoint
    const { pool } = this.#route
    this.#connection = null
    this.#exchange.sink = null
    if (!this.#mayRepeat(error) || endpoint === null || pool === null) {
      this.#release()
      this.#giveUp(error)
      return
    }
    count(endpoint.slot, COUNT.retries, 1)
    // An idle connection that its server had closed meanwhile says nothing about the server.
    if (reused && error.reason === 'SERVER_CLOSED' && this.#send(endpoint, true)) return
    this.#release()
    this.#tried = [...this.#tried, endpoint]
    this.#tryNext(pool, error)
  }

  #mayRepeat({ kind }: ExchangeError): boolean {
    const { answered, method } = this.#exchange
    if (answered || this.#bodyFlows || this.#attempts >= MAX_ATTEMPTS) return false
    return kind.retry === 'always' || (kind.retry === 'idempotent' && IDEMPOTENT.has(method))
  }

  #giveUp(error: ExchangeError): void {
    if (!this.#exchange.answered) {
      this.#answer(answerOfError(error))
      return
    }
    this.#exchange.reason = error.reason
    this.#exchange.detail = error.message
    this.#exchange.client.abort()
    this.#end()
  }

  #answer(own: OwnAnswer): void {
    this.#exchange.client.sendOwn(own)
    this.#end()
  }

  // The answer comes.

  resumeBody(): void {
    this.#bodyFlows = true
    this.#exchange.client.resumeBody()
  }

  interim(head: AnswerHead): void {
    this.#exchange.client.sendInterim(head)
  }

  answerHead(head: AnswerHead, data: Buffer | string | null, ended: boolean): boolean {
    const { onAnswer } = this.#route
    if (onAnswer !== null) onAnswer(this.#exchange, head)
    // Given back first: the client may have its next request at hand.
    if (ended) this.#release()
    const goOn = this.#exchange.client.sendHead(head, data, ended)
    if (ended) this.#end()
    return goOn
  }

  answerData(chunk: Buffer | string): boolean {
    return this.#exchange.client.sendData(chunk)
  }

  get holdsData(): boolean {
    return this.#exchange.client.holdsData
  }

  answerEnd(trailers: string): void {
    this.#release()
    this.#exchange.client.sendEnd(trailers)
    this.#end()
  }

  upgraded(head: AnswerHead, end: TunnelEnd, early: Buffer | null): void {
    const { onAnswer } = this.#route
    if (onAnswer !== null) onAnswer(this.#exchange, head)
    this.#exchange.status = head.status
    this.#exchange.answered = true
    const client = this.#exchange.client.becomeTunnel(head, end, early)
    this.#connection?.tunnelTo(client)
  }

  clientGone(error: ExchangeError): void {
    if (this.#ended) return
    if (this.#exchange.status !== 101) {
      this.#exchange.reason = error.reason
      this.#exchange.detail = error.message
      this.#connection?.abandon()
    }
    this.#release()
    this.#end()
  }

  #release(): void {
    if (!this.#counted || this.#endpoint === null) return
    this.#counted = false
    this.#route.pool?.done(this.#endpoint)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#connection = null
    const exchange = this.#exchange
    exchange.sink = null
    const { slot, id, pool } = this.#route
    sharedAdd(slot, SHARED.inFlight, -1)
    count(slot, COUNT.inFlight, -1)
    const durationMs = performance.now() - exchange.startedAt
    countExchange(slot, exchange, durationMs)
    if (this.#endpoint !== null) countExchange(this.#endpoint.slot, exchange, durationMs)
    const server = this.#endpoint?.url ?? ''
    this.#onEnded(
      exchange,
      { frontend: id, backend: pool?.id ?? '', server, attempts: this.#attempts },
      durationMs,
    )
  }
}
