/** Runs an exchange through the middlewares of its route, outermost first. Created only for routes that have any. */
import type { LocalResponse } from '../http/message/local-response.ts'
import { ERRORS, isOurs } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type {
  ExchangeOutcome,
  Middleware,
  MiddlewareContext,
  MiddlewareDecision,
} from '../middleware/middleware.ts'

export interface ChainOwner {
  /** All middlewares have passed it: to the backend of this id, or to the route's (null). `hasWaited`: one of them was pending. */
  forward(backend: string | null, hasWaited: boolean): void
  respond(local: LocalResponse): void
  fault(error: unknown): void
}

export class MiddlewareChain implements MiddlewareContext {
  isOver = false
  /** All middlewares have passed the request. */
  isComplete = false
  /** When the head of a server's response came, performance.now(). */
  responseAt: number | null = null
  readonly #chain: readonly NonNullable<Middleware['onRequest']>[]
  readonly #exchange: Exchange
  readonly #owner: ChainOwner
  #next = 0
  #hasWaited = false
  #useBackend: string | null = null
  #endListeners: ((outcome: ExchangeOutcome) => void)[] = []

  constructor(
    chain: readonly NonNullable<Middleware['onRequest']>[],
    exchange: Exchange,
    owner: ChainOwner,
  ) {
    this.#chain = chain
    this.#exchange = exchange
    this.#owner = owner
  }

  /** How many request middlewares have been run. */
  get visited(): number {
    return this.#next
  }

  run(): void {
    while (this.#next < this.#chain.length) {
      const decision = this.#chain[this.#next++]?.(this.#exchange, this) ?? null
      if (decision === 'pending' || !this.#continues(decision)) return
    }
    this.isComplete = true
    this.#owner.forward(this.#useBackend, this.#hasWaited)
  }

  #continues(decision: MiddlewareDecision): boolean {
    if (this.isOver) return false
    if (decision === null) return true
    if ('useBackend' in decision) this.#useBackend = decision.useBackend
    else this.#owner.respond(decision)
    return 'useBackend' in decision
  }

  resume(decision: MiddlewareDecision): void {
    this.#hasWaited = true
    try {
      if (this.#continues(decision)) this.run()
    } catch (error) {
      this.#owner.fault(error)
    }
  }

  fault(error: unknown): void {
    this.#owner.fault(error)
  }

  onEnd(listener: (outcome: ExchangeOutcome) => void): void {
    if (this.isOver) listener(this.#outcome())
    else this.#endListeners.push(listener)
  }

  /** The exchange has ended. */
  end(): void {
    this.isOver = true
    const outcome = this.#outcome()
    const listeners = this.#endListeners.reverse()
    this.#endListeners = []
    // Each releases something, so one that throws must not keep the others from it.
    for (const listener of listeners) {
      try {
        listener(outcome)
      } catch (error) {
        this.#owner.fault(error)
      }
    }
  }

  #outcome(): ExchangeOutcome {
    const { grpc, status, reason, hasResponded, startedAt, bodyAt } = this.#exchange
    const headAt = this.responseAt ?? performance.now()
    const kind = reason === null ? null : ERRORS[reason]
    return {
      // The status that was announced is not the outcome of a response that its server cut short.
      status:
        hasResponded && kind?.blame === 'server' ? kind.status : (grpc?.judgedAs(status) ?? status),
      isClientsFault: kind?.blame === 'client' || isOurs(reason),
      headAt,
      headMs: Math.max(0, headAt - Math.max(startedAt, bodyAt)),
    }
  }
}
