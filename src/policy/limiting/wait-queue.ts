/**
 * A first-in, first-out queue with the same maximum wait for each item, so that the first item also expires first. An item can
 * be removed anywhere in the queue at constant cost.
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

  /** Adds an item at the end; `now` in ms. */
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

  /** Removes the item, if it is still in the queue. */
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

/** An item in the queue, or one that was removed. Only the queue changes the links. */
export interface Waiter<T> {
  readonly item: T
  readonly expiresAt: number
  isWaiting: boolean
  previous: Waiter<T> | null
  next: Waiter<T> | null
}
