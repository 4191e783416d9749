/** Warnings about connections, for the log: clients decide how many there would be. */
import { readClock } from '../http/connection/clock.ts'

const PERIOD_MS = 10_000

export class LimitedNotices {
  readonly #onNotice: (text: string) => void
  readonly #now: () => number
  #loggedAt = -Infinity
  #unlogged = 0

  /** `now`: monotonic, ms. */
  constructor(onNotice: (text: string) => void, now: () => number = readClock) {
    this.#onNotice = onNotice
    this.#now = now
  }

  /** At most one in 10 s is logged, with the number of those before it that were not. */
  add(text: string): void {
    const now = this.#now()
    if (now - this.#loggedAt < PERIOD_MS) {
      this.#unlogged++
      return
    }
    const others =
      this.#unlogged === 0 ? '' : ` (and ${this.#unlogged} more connections were refused)`
    this.#loggedAt = now
    this.#unlogged = 0
    this.#onNotice(`${text}${others}`)
  }
}
