/**
 * First come, first served, each for the same time at most: so whoever came first is also late first. Who leaves is taken out
 * wherever it stands; nothing here grows with how long the queue has been in use.
 */
export class WaitQueue<T> {
  readonly #waitMs: number
  #first: Waiter<T> | null = null
  #last: Waiter<T> | null = null

  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  get isEmpty(): boolean {
    return this.#first === null
  }

  get first(): Waiter<T> | null {
    return this.#first
  }

  /** Waits from now on; `now` in ms. */
  add(item: T, now: number): Waiter<T> {
    const waiter: Waiter<T> = {
      item,
      lateAt: now + this.#waitMs,
      waits: true,
      before: this.#last,
      after: null,
    }
    if (this.#last === null) this.#first = waiter
    else this.#last.after = waiter
    this.#last = waiter
    return waiter
  }

  /** Takes it out, if it still waits. */
  remove(waiter: Waiter<T>): void {
    if (!waiter.waits) return
    waiter.waits = false
    const { before, after } = waiter
    if (before === null) this.#first = after
    else before.after = after
    if (after === null) this.#last = before
    else after.before = before
    waiter.before = null
    waiter.after = null
  }
}

/** One that waits, or has waited. The links are the queue's own. */
export interface Waiter<T> {
  readonly item: T
  readonly lateAt: number
  waits: boolean
  before: Waiter<T> | null
  after: Waiter<T> | null
}
