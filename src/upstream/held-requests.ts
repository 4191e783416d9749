/**
 * Requests of a backend that scales from zero, which wait in this thread for a server that may be used.
 *
 *   OPEN ──no server may be used──► COLD ──one may──► WARM ──the last one is released──► OPEN
 *                                    ▲ └──late: 503    │
 *                                    └──none may───────┘
 *
 * COLD wakes what scales the backend. WARM releases them in order, so many at a time that no server has more than its target in
 * flight; that limit doubles every two seconds, so that slow servers do not hold requests for long. While requests wait, the pool
 * gives no server to others: they wait behind them. With more than `most` waiting over all threads, further ones are refused.
 *
 * A backend that does not scale to zero has none of this, and a request for which a server is picked never comes here.
 */
import { ExchangeError } from '../http/message/errors.ts'
import type { Backend } from '../model/snapshot.ts'
import { type Waiter, WaitQueue } from '../policy/limiting/wait-queue.ts'
import { COUNT, NO_TRAFFIC, SHARED } from '../scoreboard/layout.ts'
import { count, type Slot, sharedLoad, sumOverThreads } from '../scoreboard/scoreboard.ts'
import type { Endpoint } from './endpoint/endpoint.ts'

/** A request, or a stream, that may wait. Exactly one of these is called, unless it leaves. */
export interface HeldRequest {
  /** A server may be used: it picks one, before this returns. */
  admit(): void
  refuse(error: ExchangeError): void
  fault(error: unknown): void
}

export interface HeldPool {
  readonly id: string
  readonly slot: Slot
  /** Those that are not draining. */
  endpoints(): readonly Endpoint[]
  /** Whether its `pick` gives servers. */
  setOpen(isOpen: boolean): void
  /** The board's clock, ms. */
  readonly now: () => number
  /** Requests wait for a server of this backend. */
  readonly onWake: (backend: string) => void
}

export interface HoldOptions {
  readonly most: number
  readonly timeoutMs: number
  /** Requests in flight of one server, while requests are released. */
  readonly target: number
}

const POLL_MS = 10
/** The limit of requests in flight doubles in this time. */
const DOUBLES_MS = 2_000
/** If the backend has no target of requests in flight. */
const DEFAULT_TARGET = 16
/** As long as no server comes, what scales is woken again: the first message may have been too early for it. */
const WAKE_AGAIN_MS = 1_000
/** Clients that come and leave do not wake it more often. */
const WAKE_AT_MOST_MS = 100

/** Null: requests of the backend are not held. */
export function holdOptionsOf({ scale }: Backend): HoldOptions | null {
  if (scale === null || scale.zero === null) return null
  const { maxPending, timeoutMs } = scale.zero
  const target = Math.max(1, Math.ceil(scale.concurrency?.target ?? DEFAULT_TARGET))
  return { most: maxPending, timeoutMs, target }
}

export class HeldRequests {
  readonly #pool: HeldPool
  #options: HoldOptions
  #queue: WaitQueue<HeldRequest>
  #queueMs: number
  /** Runs while requests wait. */
  #timer: NodeJS.Timeout | null = null
  /** Since when a server may be used; null: none may. */
  #warmSince: number | null = null
  #wokenAt = -Infinity
  readonly #subjects = new WeakSet<object>()

  constructor(pool: HeldPool, options: HoldOptions) {
    this.#pool = pool
    this.#options = options
    this.#queueMs = options.timeoutMs
    this.#queue = new WaitQueue(options.timeoutMs)
  }

  /** For requests from now on. */
  update(options: HoldOptions): void {
    this.#options = options
  }

  /** How long a request waits at most. */
  get timeoutMs(): number {
    return this.#options.timeoutMs
  }

  /**
   * Null: it does not wait, because a server may be used and the queue is empty. An error: the queue is full. `subject`: the argument
   * of a later `wasHeld`.
   */
  join(request: HeldRequest, subject: object): HeldPlace | ExchangeError | null {
    const { id, slot, now } = this.#pool
    if (this.#queue.isEmpty && !this.#isCold()) return null
    const { most, timeoutMs } = this.#options
    if (sumOverThreads(slot, COUNT.held) >= most) {
      count(slot, COUNT.heldRefused, 1)
      return new ExchangeError('COLD_START_FULL', `${most} requests wait for a server of ${id}`)
    }
    if (this.#queue.isEmpty && this.#queueMs !== timeoutMs) {
      this.#queue = new WaitQueue(timeoutMs)
      this.#queueMs = timeoutMs
    }
    const waiter = this.#queue.add(request, now())
    count(slot, COUNT.held, 1)
    this.#subjects.add(subject)
    if (this.#timer === null) this.#begin()
    return new HeldPlace(this, waiter)
  }

  /** Whether it has waited. */
  wasHeld(subject: object): boolean {
    return this.#subjects.has(subject)
  }

  leave(waiter: Waiter<HeldRequest>): void {
    if (waiter.isWaiting) this.#remove(waiter)
  }

  /** The backend is removed, or does not scale to zero any longer: all try to find a server now, and do not come back here. */
  releaseAll(): void {
    for (let first = this.#queue.first; first !== null; first = this.#queue.first) {
      this.#release(first)
    }
  }

  #begin(): void {
    this.#pool.setOpen(false)
    this.#timer = setInterval(() => this.#poll(), POLL_MS).unref()
    this.#wake(WAKE_AT_MOST_MS)
  }

  #wake(everyMs: number): void {
    const now = this.#pool.now()
    if (now - this.#wokenAt < everyMs) return
    this.#wokenAt = now
    this.#pool.onWake(this.#pool.id)
  }

  #poll(): void {
    const now = this.#pool.now()
    for (let first = this.#queue.first; first !== null; first = this.#queue.first) {
      if (first.expiresAt > now) break
      this.#expire(first)
    }
    for (let room = this.#room(now); room > 0; room--) {
      const { first } = this.#queue
      if (first === null) return
      this.#release(first)
    }
    if (this.#warmSince === null && this.#timer !== null) this.#wake(WAKE_AGAIN_MS)
  }

  /** How many may be released now. */
  #room(now: number): number {
    const usable = this.#pool.endpoints().filter(mayBeUsed)
    if (usable.length === 0) {
      this.#warmSince = null
      return 0
    }
    this.#warmSince ??= now
    const doublings = Math.min(20, Math.floor((now - this.#warmSince) / DOUBLES_MS))
    const limit = this.#options.target * 2 ** doublings
    let room = 0
    for (const { inFlight, limits } of usable) {
      const most = limits.connections === 0 ? limit : Math.min(limit, limits.connections)
      room += Math.max(0, most - inFlight)
    }
    return room
  }

  /** No server may be used. Those whose breaker is tripped are there: their clients get an error at once, as the breaker wants. */
  #isCold(): boolean {
    return !this.#pool.endpoints().some((endpoint) => mayBeUsed(endpoint) || isTripped(endpoint))
  }

  #expire(waiter: Waiter<HeldRequest>): void {
    const { id, slot } = this.#pool
    this.#remove(waiter)
    count(slot, COUNT.heldLate, 1)
    const error = new ExchangeError(
      'COLD_START_TIMEOUT',
      `no server of ${id} was ready for it within ${this.#queueMs} ms`,
    )
    this.#guard(waiter.item, () => waiter.item.refuse(error))
  }

  #release(waiter: Waiter<HeldRequest>): void {
    const { slot, setOpen, now } = this.#pool
    this.#remove(waiter)
    count(slot, COUNT.heldReleased, 1)
    count(slot, COUNT.heldSeconds, (now() - waiter.expiresAt + this.#queueMs) / 1000)
    setOpen(true)
    this.#guard(waiter.item, () => waiter.item.admit())
    setOpen(this.#queue.isEmpty)
  }

  #remove(waiter: Waiter<HeldRequest>): void {
    this.#queue.remove(waiter)
    count(this.#pool.slot, COUNT.held, -1)
    if (!this.#queue.isEmpty || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    this.#warmSince = null
    this.#pool.setOpen(true)
  }

  /** An exception is a fault of the request whose turn it is. */
  #guard(request: HeldRequest, step: () => void): void {
    try {
      step()
    } catch (error) {
      request.fault(error)
    }
  }
}

/** The place of a request in the queue. */
export class HeldPlace {
  readonly #held: HeldRequests
  readonly #waiter: Waiter<HeldRequest>

  constructor(held: HeldRequests, waiter: Waiter<HeldRequest>) {
    this.#held = held
    this.#waiter = waiter
  }

  /** It waits no longer: its client has left, for example. */
  leave(): void {
    this.#held.leave(this.#waiter)
  }
}

function mayBeUsed(endpoint: Endpoint): boolean {
  return endpoint.trafficShare !== NO_TRAFFIC && !endpoint.isBackingOff
}

function isTripped({ breaker }: Endpoint): boolean {
  return breaker !== null && sharedLoad(breaker.slot, SHARED.trafficShare) === NO_TRAFFIC
}
