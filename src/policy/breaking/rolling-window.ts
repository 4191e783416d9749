/**
 * The recent growth of counters. The owner passes the sums at intervals; the window keeps the sums at the start of each span
 * of `resolutionMs`, so that the growth is exact: a difference of two sums.
 *
 * Growth belongs to the span in which it is seen. After a gap longer than the window, the growth during the gap counts once,
 * because it is not known when it happened.
 */
export interface WindowLength {
  readonly lengthMs: number
  readonly resolutionMs: number
}

export class RollingWindow {
  readonly #counters: number
  readonly #resolutionMs: number
  readonly #spans: number
  /** A ring of spans: their numbers, ascending, and the totals at the start of each. */
  readonly #numbers: Float64Array
  readonly #begins: Float64Array
  #oldest = 0
  #held = 0
  /** Growth since the first `move`, and the last sums. */
  readonly #totals: Float64Array
  readonly #seen: Float64Array
  #hasSeen = false

  constructor(counters: number, { lengthMs, resolutionMs }: WindowLength) {
    this.#counters = counters
    this.#resolutionMs = resolutionMs
    this.#spans = Math.max(1, Math.ceil(lengthMs / resolutionMs))
    this.#numbers = new Float64Array(this.#spans)
    this.#begins = new Float64Array(this.#spans * counters)
    this.#totals = new Float64Array(counters)
    this.#seen = new Float64Array(counters)
  }

  /** Takes the sums at `now`; `sum(i)` is the total of counter i. The totals of the first call are no growth. */
  move(now: number, sum: (counter: number) => number): void {
    this.#begin(Math.floor(now / this.#resolutionMs))
    // Backwards, because threads count meanwhile: counter 0 is the whole, and its parts must not exceed it.
    for (let counter = this.#counters - 1; counter >= 0; counter--) {
      const current = sum(counter)
      const before = this.#seen[counter] ?? 0
      // A sum falls if a thread dies and its share is subtracted: no growth.
      if (this.#hasSeen && current > before) {
        this.#totals[counter] = (this.#totals[counter] ?? 0) + current - before
      }
      this.#seen[counter] = current
    }
    this.#hasSeen = true
  }

  /** The growth of one counter within the window that ends with the last `move`. */
  of(counter: number): number {
    if (this.#held === 0) return 0
    const begin = this.#begins[this.#oldest * this.#counters + counter] ?? 0
    return (this.#totals[counter] ?? 0) - begin
  }

  /** Starts over: only growth after the last `move` counts. */
  reset(): void {
    this.#held = 0
  }

  /** Starts the span of this number, unless it has started or the clock went back. */
  #begin(number: number): void {
    while (this.#held > 0 && (this.#numbers[this.#oldest] ?? 0) <= number - this.#spans) {
      this.#oldest = (this.#oldest + 1) % this.#spans
      this.#held -= 1
    }
    const newest = (this.#oldest + this.#held - 1 + this.#spans) % this.#spans
    if (this.#held > 0 && (this.#numbers[newest] ?? 0) >= number) return
    const place = (this.#oldest + this.#held) % this.#spans
    this.#numbers[place] = number
    this.#begins.set(this.#totals, place * this.#counters)
    this.#held += 1
  }
}
