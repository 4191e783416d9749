/** A quantile of the last 256 values, computed again after every 32: accurate enough for the delay of a hedge. */
const KEPT = 256
const COMPUTE_EVERY = 32

export class RecentQuantile {
  readonly #quantile: number
  readonly #values = new Float64Array(KEPT)
  #count = 0
  #value = Infinity

  /** From 0 to 1. */
  constructor(quantile: number) {
    this.#quantile = quantile
  }

  /** Infinity before the first computation. */
  get value(): number {
    return this.#value
  }

  add(value: number): void {
    this.#values[this.#count++ % KEPT] = value
    if (this.#count % COMPUTE_EVERY !== 0) return
    const sorted = this.#values.slice(0, Math.min(this.#count, KEPT)).sort()
    const index = Math.min(sorted.length - 1, Math.floor(this.#quantile * sorted.length))
    this.#value = sorted[index] ?? Infinity
  }
}
