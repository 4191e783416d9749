/**
 * What counters that only grow have grown by, lately. Whoever owns the window shows it the sums every now and then; it keeps
 * what they were at the begin of each span of `resolutionMs`, so that what it answers is exact: a difference of two sums.
 *
 * Growth belongs to the span in which it is seen. After a gap longer than the window, all that grew in it is still there once:
 * when it happened nobody knows.
 */
export interface WindowLength {
  readonly lengthMs: number
  readonly resolutionMs: number
}

export class RollingWindow {
  readonly #counters: number
  readonly #resolutionMs: number
  readonly #spans: number
  /** A ring of spans that were seen: their numbers, rising, and what the totals were when each began. */
  readonly #numbers: Float64Array
  readonly #begins: Float64Array
  #oldest = 0
  #held = 0
  /** Growth since the first move, and the sums that were seen last. */
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

  /** It is `now`, and `sum(i)` is what counter `i` has come to since ever. What was there at the first move is not growth. */
  move(now: number, sum: (counter: number) => number): void {
    this.#begin(Math.floor(now / this.#resolutionMs))
    // Backwards: others count meanwhile, and what is counted first may be the whole that the rest is a part of.
    for (let counter = this.#counters - 1; counter >= 0; counter--) {
      const current = sum(counter)
      const before = this.#seen[counter] ?? 0
      // A sum goes back when a thread dies and what it held is taken from it: no growth.
      if (this.#hasSeen && current > before) {
        this.#totals[counter] = (this.#totals[counter] ?? 0) + current - before
      }
      this.#seen[counter] = current
    }
    this.#hasSeen = true
  }

  /** The growth of one counter within the window that ends with the last move. */
  of(counter: number): number {
    if (this.#held === 0) return 0
    const begin = this.#begins[this.#oldest * this.#counters + counter] ?? 0
    return (this.#totals[counter] ?? 0) - begin
  }

  /** Begins anew with what grows after the last move. */
  reset(): void {
    this.#held = 0
  }

  /** The span of this number has begun, unless it had before or the clock went back. */
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
