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
      expiresAt: now + this.#waitMs,
      isWaiting: true,
      previous: this.#last,
      next: null,
    }
    if (this.#last === null) this.#first = waiter
    else this.#last.next = waiter
    this.#last = waiter
    return waiter
  }

  /** Takes it out, if it still waits. */
  remove(waiter: Waiter<T>): void {
    if (!waiter.isWaiting) return
    waiter.isWaiting = false
    const { previous: before, next: after } = waiter
    if (before === null) this.#first = after
    else before.next = after
    if (after === null) this.#last = before
    else after.previous = before
    waiter.previous = null
    waiter.next = null
  }
}

/** One that waits, or has waited. The links are the queue's own. */
export interface Waiter<T> {
  readonly item: T
  readonly expiresAt: number
  isWaiting: boolean
  previous: Waiter<T> | null
  next: Waiter<T> | null
}
