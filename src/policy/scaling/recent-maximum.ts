/** The largest of the values of a time that ends now. */
interface Entry {
  readonly at: number
  readonly value: number
}

export class RecentMaximum {
  /** By time, and with falling values: an older value that is not larger never counts again. */
  #entries: Entry[] = []

  /** Adds a value, and returns the largest of the last `ms`. */
  of(now: number, value: number, ms: number): number {
    const kept = this.#entries.filter((one) => one.at > now - ms && one.value > value)
    kept.push({ at: now, value })
    this.#entries = kept
    return kept[0]?.value ?? value
  }
}
