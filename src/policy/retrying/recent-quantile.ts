/** A quantile of the latest values, good enough to time a hedge by: of the last 256, looked at anew every 32. */
const KEPT = 256
const EVERY = 32

export class RecentQuantile {
  readonly #quantile: number
  readonly #values = new Float64Array(KEPT)
  #count = 0
  #value = Infinity

  /** From 0 to 1. */
  constructor(quantile: number) {
    this.#quantile = quantile
  }

  /** Infinity until there are enough of them. */
  get value(): number {
    return this.#value
  }

  add(value: number): void {
    this.#values[this.#count++ % KEPT] = value
    if (this.#count % EVERY !== 0) return
    const sorted = this.#values.slice(0, Math.min(this.#count, KEPT)).sort()
    const index = Math.min(sorted.length - 1, Math.floor(this.#quantile * sorted.length))
    this.#value = sorted[index] ?? Infinity
  }
}
