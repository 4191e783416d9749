/** The retries that a pool's threads share, from one of them: counts requests, earns retries now and then, spends them. */
import { clock } from '../http/clock.ts'
import type { RetryBudget } from '../model/snapshot.ts'
import { earnRetries, takeRetry } from '../policy/retrying/retry-budget.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count, type Slot, sumOverThreads } from '../scoreboard/scoreboard.ts'

/** So that there is something in it when servers fail after a quiet time. */
const EARN_EVERY_MS = 500

export class PoolRetryBudget {
  declared: RetryBudget
  readonly #slot: Slot
  readonly #now: () => number
  #earnAt = 0
  #isRetired = false

  /** `slot`: of the backend; `now`: the board's clock. */
  constructor(slot: Slot, budget: RetryBudget, now: () => number) {
    this.#slot = slot
    this.declared = budget
    this.#now = now
  }

  /** A request has come. */
  countRequest(): void {
    if (this.#isRetired) return
    count(this.#slot, COUNT.requests, 1)
    if (clock.now >= this.#earnAt) this.#earn()
  }

  /** Whether a request may be sent again; then it is counted as sent. */
  tryTake(): boolean {
    if (this.#isRetired) return false
    this.#earn()
    if (takeRetry(this.#slot)) return true
    count(this.#slot, COUNT.retriesRefused, 1)
    return false
  }

  /** Its slot may be another's soon. */
  retire(): void {
    this.#isRetired = true
  }

  #earn(): void {
    this.#earnAt = clock.now + EARN_EVERY_MS
    earnRetries(this.#slot, sumOverThreads(this.#slot, COUNT.requests), this.declared, this.#now())
  }
}
