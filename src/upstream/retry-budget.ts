/** The live half of a backend's retry budget in one thread: counts requests, earns retries, and spends them. Threads share it. */
import { clock } from '../http/connection/clock.ts'
import type { RetryBudget } from '../model/snapshot.ts'
import { earnRetries, takeRetry } from '../policy/retrying/retry-budget.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count, type Slot, sumOverThreads } from '../scoreboard/scoreboard.ts'

/** How often requests earn retries, so that some are saved when servers fail. */
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

  /** Counts a request, which may earn retries. */
  countRequest(): void {
    if (this.#isRetired) return
    count(this.#slot, COUNT.requests, 1)
    if (clock.now >= this.#earnAt) this.#earn()
  }

  /** Whether a request may be sent again; if so, the retry is spent. */
  tryTake(): boolean {
    if (this.#isRetired) return false
    this.#earn()
    if (takeRetry(this.#slot)) return true
    count(this.#slot, COUNT.retriesRefused, 1)
    return false
  }

  /** The backend is removed: its slot may be reused soon. */
  retire(): void {
    this.#isRetired = true
  }

  #earn(): void {
    this.#earnAt = clock.now + EARN_EVERY_MS
    earnRetries(this.#slot, sumOverThreads(this.#slot, COUNT.requests), this.declared, this.#now())
  }
}
