/**
 * The attempts of an exchange: the one under way, a hedge beside it, the servers that were tried, and how much of the request's
 * body has been sent. Knows whether the request can be sent again; forwarder.ts decides whether it is.
 */
import type { ResponseHead } from '../http/message/response-head.ts'
import type { Exchange } from '../http/exchange.ts'
import { grpcStatusOf, NO_GRPC_STATUS } from '../http/grpc/status.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import type { RetryPolicy } from '../policy/retrying/retry.ts'
import type { Endpoint } from '../upstream/endpoint/endpoint.ts'
import type { ServerExchange } from '../upstream/endpoint/server-exchange.ts'
import { HeldPlace, type HeldRequest } from '../upstream/held-requests.ts'
import type { Attempt } from './attempt.ts'
import type { Pool } from '../upstream/pool.ts'
import { ReplayBuffer } from './replay-buffer.ts'

const NONE: readonly Endpoint[] = []

export abstract class RetryState {
  protected readonly exchange: Exchange
  protected attempt: Attempt | null = null
  /** A second attempt beside it, until one of them has a response. */
  protected hedge: Attempt | null = null
  /** The server of the last attempt. */
  protected endpoint: Endpoint | null = null
  protected tried: readonly Endpoint[] = NONE
  /** Those of them that cannot carry the exchange at all. */
  #unfit: readonly Endpoint[] = NONE
  /** Why the last attempt failed at a server that can carry it. */
  #lastError: ExchangeError | null = null
  /** How many have been sent to servers. */
  protected attempts = 0
  /** How many were sent again without the budget, because no server had failed: an idle connection was closed, for example. */
  protected resent = 0
  protected replay: ReplayBuffer | null = null
  protected retry: RetryPolicy | null = null
  /** Of the back-off or the hedge; or it waits for a server. */
  protected timer: NodeJS.Timeout | HeldPlace | null = null
  #bodyFlows = false
  #said100 = false
  #saidInterim = false

  constructor(exchange: Exchange) {
    this.exchange = exchange
  }

  abstract fault(error: unknown): void
  abstract respond(local: LocalResponse): void
  protected abstract tryAgain(pool: Pool): void

  /** One at a time. */
  protected schedule(step: () => void, waitMs: number): void {
    this.timer = setTimeout(() => {
      this.timer = null
      try {
        step()
      } catch (error) {
        this.fault(error)
      }
    }, waitMs)
  }

  protected stopTimer(): void {
    if (this.timer === null) return
    if (this.timer instanceof HeldPlace) this.timer.leave()
    else clearTimeout(this.timer)
    this.timer = null
  }

  /**
   * Waits for a server of a backend that scales from zero, if none of them may be used, and the request can still be sent.
   * `error`: of its last attempt.
   */
  protected waitForServer(pool: Pool, error: ExchangeError | null): boolean {
    const { held } = pool
    if (held === null || error?.reason === 'SERVER_LIMIT' || !this.canRetry()) return false
    const place = held.join(this.#heldFor(pool), this.exchange)
    if (place instanceof ExchangeError) this.respond(errorResponse(place))
    else this.timer = place
    return place !== null
  }

  #heldFor(pool: Pool): HeldRequest {
    return {
      admit: () => {
        this.timer = null
        this.clearTried()
        this.tryAgain(pool)
      },
      refuse: (error) => {
        this.timer = null
        this.respond(errorResponse(error))
      },
      fault: (error) => this.fault(error),
    }
  }

  protected beginAttempts(policy: RetryPolicy): void {
    this.retry = policy
    const { isWhole, head } = this.exchange
    if (!isWhole && policy.attempts > 1 && head.length <= policy.bufferBytes)
      this.replay = new ReplayBuffer(policy.bufferBytes)
  }

  /** As the first attempt, or as the hedge beside it. */
  protected holdAttempt(attempt: Attempt): void {
    if (this.attempt === null) this.attempt = attempt
    else this.hedge = attempt
  }

  /** The attempt was not sent. */
  protected releaseAttempt(attempt: Attempt): void {
    if (attempt === this.hedge) this.hedge = null
    else this.attempt = null
    attempt.release()
  }

  /** The attempt is about to be sent. Only the first one takes the body: a hedge has none to take. */
  protected attemptSent(attempt: Attempt, connection: ServerExchange): void {
    this.attempts++
    if (attempt === this.hedge) return
    this.endpoint = attempt.endpoint
    this.replay?.attach(connection)
    this.exchange.sink = this.replay ?? connection
  }

  protected abandonAttempts(): void {
    this.attempt?.abandon()
    this.hedge?.abandon()
  }

  protected addTried(endpoint: Endpoint): void {
    this.tried = [...this.tried, endpoint]
  }

  /** Every server that can carry the exchange may be tried again. False if none of them was tried. */
  protected clearTried(): boolean {
    const hadSome = this.tried.length > this.#unfit.length
    this.tried = this.#unfit
    return hadSome
  }

  /**
   * The server speaks HTTP/1.1 only, so that nothing of this call was sent to it: another server can carry it, which is no
   * retry. Returns the error that the client gets if there is none; null if this is another case.
   */
  protected passOver(endpoint: Endpoint, error: ExchangeError): ExchangeError | null {
    if (error.reason !== 'HTTP2_REQUIRED') this.#lastError = error
    else if (this.canRetry()) {
      this.attempts--
      this.#unfit = [...this.#unfit, endpoint]
      this.addTried(endpoint)
      return this.#lastError ?? error
    }
    return null
  }

  /** Forgets a failed attempt. True if there is another one beside it. */
  protected dropAttempt(attempt: Attempt): boolean {
    if (attempt === this.attempt) {
      this.attempt = this.hedge
      this.endpoint = this.hedge?.endpoint ?? this.endpoint
      // While no server takes the body, what comes of it is buffered.
      this.exchange.sink = this.hedge?.connection ?? this.replay
    }
    this.hedge = null
    return this.attempt !== null
  }

  /** This attempt has the first response. */
  protected settleRace(attempt: Attempt): void {
    const other = attempt === this.hedge ? this.attempt : this.hedge
    this.hedge = null
    if (other === null) return
    this.attempt = attempt
    this.endpoint = attempt.endpoint
    this.exchange.sink = attempt.connection
    other.loseRace()
  }

  /** The response is not wanted; another server will be tried. */
  protected discardAttempt(attempt: Attempt): void {
    attempt.abandon()
    this.attempt = null
    this.replay?.detach()
    this.exchange.sink = this.replay
    this.addTried(attempt.endpoint)
  }

  /** Nothing of a response has been passed on, and the whole request is still available. */
  protected canRetry(): boolean {
    if (this.exchange.hasResponded || this.#saidInterim) return false
    return !this.#bodyFlows || this.replay?.isWhole === true
  }

  /** The policy allows another attempt after one with this status, of a response or of the error instead of one. */
  protected mayRepeat(status: number, error: ExchangeError | null): boolean {
    const policy = this.retry
    if (policy === null || !this.canRetry()) return false
    const { method, isPinned: isBound, grpc } = this.exchange
    // The server that its client logs in to has seen it.
    if (isBound && error?.kind.retry !== 'always') return false
    const attempts = this.attempts - this.resent
    const grpcStatus = grpc === null ? NO_GRPC_STATUS : grpcStatusAfter(grpc.status, error)
    return policy.allows({ attempts, status, method, grpcStatus }, error?.kind.retry ?? null)
  }

  attemptTakesBody(attempt: Attempt): void {
    if (attempt !== this.attempt) return
    this.#bodyFlows = true
    if (this.replay === null || this.replay.resume()) this.exchange.client.resumeBody()
  }

  attemptInterim(attempt: Attempt, head: ResponseHead): boolean {
    if (attempt !== this.attempt) return true
    if (head.status === 100) {
      // The client has already received a 100 Continue.
      if (this.#said100) return true
      this.#said100 = true
    } else this.#saidInterim = true
    return this.exchange.client.sendInterim(head)
  }
}

/** What the client would get. */
function grpcStatusAfter(status: number, error: ExchangeError | null): number {
  return error === null ? status : grpcStatusOf(error.reason, error.kind.status)
}
