/**
 * What of an exchange has been sent to servers so far, and will be later: the attempt under way, a hedge beside it, the servers that were tried, and
 * how much of the request's body has flowed. It tells whether the request can be sent again; forwarder.ts decides whether it is.
 */
import type { ResponseHead } from '../http/response-head.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Endpoint } from '../upstream/endpoint/endpoint.ts'
import type { ServerConnection } from '../upstream/endpoint/server-connection.ts'
import type { Attempt } from './attempt.ts'
import type { ReplayBuffer } from './replay-buffer.ts'

const NONE: readonly Endpoint[] = []

export abstract class RetryState {
  protected readonly exchange: Exchange
  protected attempt: Attempt | null = null
  /** A second one beside it, until either answers. */
  protected hedge: Attempt | null = null
  /** Of the last attempt. */
  protected endpoint: Endpoint | null = null
  protected tried: readonly Endpoint[] = NONE
  /** Sent to servers, in all. */
  protected attempts = 0
  /** Sent again for a reason that is no failure of a server, and not of the budget: an idle connection was gone. */
  protected resent = 0
  protected replay: ReplayBuffer | null = null
  /** Of the back-off, or of the hedge. */
  protected timer: NodeJS.Timeout | null = null
  #bodyFlows = false
  #said100 = false
  #saidInterim = false

  constructor(exchange: Exchange) {
    this.exchange = exchange
  }

  abstract fault(error: unknown): void

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
    clearTimeout(this.timer)
    this.timer = null
  }

  /** The first one, or a hedge beside it. */
  protected holdAttempt(attempt: Attempt): void {
    if (this.attempt === null) this.attempt = attempt
    else this.hedge = attempt
  }

  /** It was not sent. */
  protected releaseAttempt(attempt: Attempt): void {
    if (attempt === this.hedge) this.hedge = null
    else this.attempt = null
    attempt.release()
  }

  /** The attempt goes out on this connection: the first one takes the body, another one is its hedge. */
  protected attemptSent(attempt: Attempt, connection: ServerConnection): void {
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

  /** Every server may be tried once more; false when none was tried. */
  protected clearTried(): boolean {
    const hadSome = this.tried !== NONE
    this.tried = NONE
    return hadSome
  }

  /** Forgets a failed attempt; true when there is another one beside it. */
  protected dropAttempt(attempt: Attempt): boolean {
    if (attempt === this.attempt) {
      this.attempt = this.hedge
      this.endpoint = this.hedge?.endpoint ?? this.endpoint
      // What comes of the body while no server takes it is kept.
      this.exchange.sink = this.hedge?.connection ?? this.replay
    }
    this.hedge = null
    return this.attempt !== null
  }

  /** The attempt that answers first is the one. */
  protected settleRace(attempt: Attempt): void {
    const other = attempt === this.hedge ? this.attempt : this.hedge
    this.hedge = null
    if (other === null) return
    this.attempt = attempt
    this.endpoint = attempt.endpoint
    this.exchange.sink = attempt.connection
    other.loseRace()
  }

  /** Its response is not wanted, and another server is to be tried. */
  protected discardAttempt(attempt: Attempt): void {
    attempt.abandon()
    this.attempt = null
    this.replay?.detach()
    this.exchange.sink = this.replay
    this.addTried(attempt.endpoint)
  }

  /** Nothing of a response has been passed on, and the whole request is at hand. */
  protected canRetry(): boolean {
    if (this.exchange.hasResponded || this.#saidInterim) return false
    return !this.#bodyFlows || this.replay?.isWhole === true
  }

  attemptTakesBody(attempt: Attempt): void {
    if (attempt !== this.attempt) return
    this.#bodyFlows = true
    if (this.replay === null || this.replay.resume()) this.exchange.client.resumeBody()
  }

  attemptInterim(attempt: Attempt, head: ResponseHead): boolean {
    if (attempt !== this.attempt) return true
    if (head.status === 100) {
      // The client has been asked for its body already.
      if (this.#said100) return true
      this.#said100 = true
    } else this.#saidInterim = true
    return this.exchange.client.sendInterim(head)
  }
}
