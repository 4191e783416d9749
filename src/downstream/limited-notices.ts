/** Warnings about connections, for the log: clients decide how many there would be. */
import { readClock } from '../http/connection/clock.ts'

const PERIOD_MS = 10_000

export class LimitedNotices {
  readonly #onNotice: (text: string) => void
  #loggedAt = -Infinity
  #untold = 0

  constructor(onNotice: (text: string) => void) {
    this.#onNotice = onNotice
  }

  /** At most one in 10 s is logged, with the number of those before it that were not. */
  add(text: string): void {
    const now = readClock()
    if (now - this.#loggedAt < PERIOD_MS) {
      this.#untold++
      return
    }
    const others = this.#untold === 0 ? '' : ` (and ${this.#untold} more connections were refused)`
    this.#loggedAt = now
    this.#untold = 0
    this.#onNotice(`${text}${others}`)
  }
}
