/**
 * A first-in, first-out queue with the same maximum wait for each item, so that the first item also expires first. An item can
 * be removed anywhere in the queue at constant cost. One that comes back is in the place that it would have kept.
 */
export class WaitQueue<T> {
  #waitMs: number
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

  get waitMs(): number {
    return this.#waitMs
  }

  /** Those that wait, too, wait so long at most. */
  set waitMs(ms: number) {
    for (let waiter = this.#first; waiter !== null; waiter = waiter.next) {
      waiter.expiresAt += ms - this.#waitMs
    }
    this.#waitMs = ms
  }

  /** `since`: when its wait began, ms: now, or earlier if it was here before. The cost is that of those that wait for longer. */
  add(item: T, since: number): Waiter<T> {
    const expiresAt = since + this.#waitMs
    let previous = this.#last
    if (previous !== null && previous.expiresAt > expiresAt) previous = this.#lastBefore(expiresAt)
    const next = previous === null ? this.#first : previous.next
    const waiter: Waiter<T> = { item, expiresAt, isWaiting: true, previous, next }
    if (previous === null) this.#first = waiter
    else previous.next = waiter
    if (next === null) this.#last = waiter
    else next.previous = waiter
    return waiter
  }

  #lastBefore(time: number): Waiter<T> | null {
    let last: Waiter<T> | null = null
    for (let one = this.#first; one !== null && one.expiresAt <= time; one = one.next) last = one
    return last
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

/** An item in the queue, or one that was removed. Only the queue changes it. */
export interface Waiter<T> {
  readonly item: T
  expiresAt: number
  isWaiting: boolean
  previous: Waiter<T> | null
  next: Waiter<T> | null
}
