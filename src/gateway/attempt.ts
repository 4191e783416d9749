/** One try of an exchange at one server: it ends with an answer, or as a failure that tells against the server. */
import type { AnswerHead } from '../http/answer-head.ts'
import { readClock } from '../http/clock.ts'
import type { Expiring } from '../http/deadlines.ts'
import { ExchangeError } from '../http/errors.ts'
import type { AnswerSink, ClientSide } from '../http/exchange.ts'
import type { TunnelEnd } from '../http/tunnel.ts'
import type { Timeouts } from '../model/snapshot.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { Outgoing } from '../upstream/outgoing.ts'
import type { Pool } from '../upstream/pool.ts'
import type { ServerConnection } from '../upstream/server-connection.ts'

/** Whose attempt it is: the exchange's way. */
export interface AttemptOwner {
  attemptTakesBody(attempt: Attempt): void
  attemptInterim(attempt: Attempt, head: AnswerHead): void
  /** As AnswerSink.answerHead; `headMs` after the attempt began. */
  attemptAnswered(
    attempt: Attempt,
    head: AnswerHead,
    data: Buffer | string | null,
    ended: boolean,
    headMs: number,
  ): boolean
  attemptEnded(attempt: Attempt, trailers: string): void
  attemptUpgraded(attempt: Attempt, head: AnswerHead, end: TunnelEnd, early: Buffer | null): void
  attemptFailed(attempt: Attempt, error: ExchangeError): void
}

export class Attempt implements AnswerSink, Expiring {
  deadlineAt: number = Infinity
  deadlineIndex = -1
  readonly pool: Pool
  readonly endpoint: Endpoint
  connection: ServerConnection | null = null
  readonly #owner: AttemptOwner
  readonly #client: ClientSide
  readonly #startedAt: number
  /** Of its answer; 0 before. */
  #status = 0
  /** The endpoint's in-flight count is ours to give back. */
  #isCounted = true

  /** The pool has taken the in-flight count as it picked. */
  constructor(
    owner: AttemptOwner,
    client: ClientSide,
    pool: Pool,
    endpoint: Endpoint,
    startedAt: number,
  ) {
    this.#owner = owner
    this.#client = client
    this.pool = pool
    this.endpoint = endpoint
    this.#startedAt = startedAt
  }

  send(connection: ServerConnection, request: Outgoing, timeouts: Timeouts): void {
    this.connection = connection
    if (timeouts.tryMs > 0) {
      this.deadlineAt = this.#startedAt + timeouts.tryMs
      this.endpoint.deadlines.add(this)
    }
    connection.send(request, this, timeouts)
  }

  // As its connection tells.

  resumeBody(): void {
    this.#owner.attemptTakesBody(this)
  }

  interim(head: AnswerHead): void {
    this.#owner.attemptInterim(this, head)
  }

  answerHead(head: AnswerHead, data: Buffer | string | null, ended: boolean): boolean {
    const headMs = readClock() - this.#startedAt
    this.#stopClock()
    this.#status = head.status
    this.endpoint.answered(head.status, headMs)
    // Given back first: the client may have its next request at hand.
    if (ended) this.#complete()
    return this.#owner.attemptAnswered(this, head, data, ended, headMs)
  }

  answerData(chunk: Buffer | string): boolean {
    return this.#client.sendData(chunk)
  }

  get holdsData(): boolean {
    return this.#client.holdsData
  }

  answerEnd(trailers: string): void {
    this.#complete()
    this.#owner.attemptEnded(this, trailers)
  }

  upgraded(head: AnswerHead, end: TunnelEnd, early: Buffer | null): void {
    this.#stopClock()
    this.endpoint.answered(head.status, readClock() - this.#startedAt)
    this.endpoint.completed(head.status)
    this.#owner.attemptUpgraded(this, head, end, early)
  }

  failed(error: ExchangeError): void {
    this.#stopClock()
    this.release()
    // An idle connection that its server had closed meanwhile says nothing about the server.
    const wasClosedIdle = error.reason === 'SERVER_CLOSED' && this.connection?.reused === true
    if (error.kind.blame === 'server' && !wasClosedIdle)
      this.endpoint.failed(error.kind.status, readClock() - this.#startedAt, this.#status !== 0)
    this.#owner.attemptFailed(this, error)
  }

  /** Its time is over. */
  expire(): void {
    const waitedMs = Math.round(this.deadlineAt - this.#startedAt)
    this.#stopClock()
    this.connection?.abandon()
    this.failed(new ExchangeError('TRY_TIMEOUT', `no answer to this attempt within ${waitedMs} ms`))
  }

  // As its owner decides.

  /** Nobody wants its answer: nothing against the server. */
  abandon(): void {
    this.#stopClock()
    this.connection?.abandon()
    this.release()
  }

  /** Gives back the in-flight count. */
  release(): void {
    if (!this.#isCounted) return
    this.#isCounted = false
    this.pool.done(this.endpoint)
  }

  #complete(): void {
    this.endpoint.completed(this.#status)
    this.release()
  }

  #stopClock(): void {
    if (this.deadlineIndex >= 0) this.endpoint.deadlines.remove(this)
  }
}
