/** An exchange's way through the middlewares of its route, outermost first. Only routes that have any make one. */
import type { OwnAnswer } from '../http/answer.ts'
import { ERRORS, isOurs } from '../http/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Divert, Middleware, Passage, PassageEnd } from '../middleware/middleware.ts'

/** What is behind the middlewares. */
export interface WayOwner {
  /** Through: to the route's backend (null), or to the one of this id. Time began when its head was read, or now. */
  forward(backend: string | null, hasWaited: boolean): void
  answer(own: OwnAnswer): void
  /** Something threw. */
  fault(error: unknown): void
}

export class Way implements Passage {
  isOver = false
  /** All middlewares have let it pass. */
  isThrough = false
  /** Of performance.now(), when the head of a server's answer has come. */
  answeredAt: number | null = null
  readonly #chain: readonly NonNullable<Middleware['onRequest']>[]
  readonly #exchange: Exchange
  readonly #owner: WayOwner
  #next = 0
  #hasWaited = false
  /** Where a middleware has sent it. */
  #divertTo: string | null = null
  #atEnd: ((end: PassageEnd) => void)[] = []

  constructor(
    chain: readonly NonNullable<Middleware['onRequest']>[],
    exchange: Exchange,
    owner: WayOwner,
  ) {
    this.#chain = chain
    this.#exchange = exchange
    this.#owner = owner
  }

  /** How many middlewares that look at requests have been asked. */
  get asked(): number {
    return this.#next
  }

  goIn(): void {
    while (this.#next < this.#chain.length) {
      const verdict = this.#chain[this.#next++]?.(this.#exchange, this) ?? null
      if (verdict === 'later' || !this.#goesOn(verdict)) return
    }
    this.isThrough = true
    this.#owner.forward(this.#divertTo, this.#hasWaited)
  }

  #goesOn(verdict: OwnAnswer | Divert | null): boolean {
    if (this.isOver) return false
    if (verdict === null) return true
    if ('divertTo' in verdict) this.#divertTo = verdict.divertTo
    else this.#owner.answer(verdict)
    return 'divertTo' in verdict
  }

  goOn(verdict: OwnAnswer | Divert | null): void {
    this.#hasWaited = true
    try {
      if (this.#goesOn(verdict)) this.goIn()
    } catch (error) {
      this.#owner.fault(error)
    }
  }

  fault(error: unknown): void {
    this.#owner.fault(error)
  }

  atEnd(call: (end: PassageEnd) => void): void {
    if (this.isOver) call(this.#toEnd())
    else this.#atEnd.push(call)
  }

  /** The exchange has ended. */
  end(): void {
    this.isOver = true
    const end = this.#toEnd()
    const calls = this.#atEnd.reverse()
    this.#atEnd = []
    // Each gives something back.
    for (const call of calls) {
      try {
        call(end)
      } catch (error) {
        this.#owner.fault(error)
      }
    }
  }

  #toEnd(): PassageEnd {
    const { status, reason, answered, startedAt, bodyAt } = this.#exchange
    const headAt = this.answeredAt ?? performance.now()
    const kind = reason === null ? null : ERRORS[reason]
    return {
      // An answer that its server cut short was announced as another one.
      status: answered && kind?.blame === 'server' ? kind.status : status,
      isClientsFault: kind?.blame === 'client' || isOurs(reason),
      headAt,
      headMs: Math.max(0, headAt - Math.max(startedAt, bodyAt)),
    }
  }
}
