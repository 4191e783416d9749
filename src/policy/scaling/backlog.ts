/**
 * Tells load from backlog. While replicas are too few, requests queue up, and requests in flight grow far beyond what the load needs: it
 * would be scaled for a queue that is gone when the new replicas are there. By Little's law a load of so many requests a second, of
 * which each takes so long where none waits, needs that product in flight.
 */
import type { Measure } from './measure.ts'

interface Arrivals {
  readonly at: number
  /** Per second. */
  readonly rate: number
}

/** The time of a request is averaged over about this time without overload. */
const TIME_CONSTANT_MS = 60_000
/** Requests in flight may be so many times what the law says. */
const SLACK = 1.5

export class Backlog {
  /** Seconds that a request takes without a queue; null: not known yet. */
  #seconds: number | null = null
  /** The same by what full replicas get done, as long as they were never seen without a queue. */
  #guessed: number | null = null
  /** The last measures of arrivals. */
  #arrivals: Arrivals[] = []
  #concurrency: number | null = null

  /** `capacity`: requests that the replicas may have in flight without a queue. */
  record(from: number, to: number, measure: Measure, capacity: number, keepMs: number): void {
    const { concurrency, rps } = measure
    const ms = to - from
    if (ms <= 0) return
    // Those that ended, and those by which there are more.
    const before = this.#concurrency ?? concurrency
    const rate = Math.max(0, rps + ((concurrency - before) * 1000) / ms)
    this.#concurrency = concurrency
    this.#arrivals = this.#arrivals.filter(({ at }) => at > to - keepMs)
    this.#arrivals.push({ at: to, rate })
    if (rps === 0) return
    if (concurrency > capacity) {
      if (capacity > 0) this.#guessed = capacity / rps
      return
    }
    const seconds = concurrency / rps
    const weight = 1 - Math.exp(-ms / TIME_CONSTANT_MS)
    this.#seconds =
      this.#seconds === null ? seconds : this.#seconds + weight * (seconds - this.#seconds)
  }

  /** Requests in flight that the load of the last `keepMs` may need; Infinity: not known. */
  limit(): number {
    const seconds = this.#seconds ?? this.#guessed
    if (seconds === null) return Infinity
    const peak = Math.max(0, ...this.#arrivals.map(({ rate }) => rate))
    return peak * seconds * SLACK
  }
}
