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

interface Held {
  readonly request: HeldRequest
  /** When it came this time. */
  readonly at: number
  /** No callback is called any more. */
  hasLeft: boolean
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
  readonly #queue: WaitQueue<Held>
  /** Runs while requests wait. */
  #timer: NodeJS.Timeout | null = null
  /** Since when a server may be used; null: none may. */
  #warmSince: number | null = null
  #wokenAt = -Infinity
  /** A request picks its server. */
  #isReleasing = false
  /** When each began to wait for the first time. */
  readonly #since = new WeakMap<object, number>()

  constructor(pool: HeldPool, options: HoldOptions) {
    this.#pool = pool
    this.#options = options
    this.#queue = new WaitQueue(options.timeoutMs)
  }

  /** For those that wait, too. */
  update(options: HoldOptions): void {
    this.#options = options
    this.#queue.waitMs = options.timeoutMs
  }

  /**
   * Null: it does not wait, because a server may be used and the queue is empty, or because its time is over. An error: the queue
   * is full. `subject`: one that comes again goes on waiting in its place; the argument of a later `wasHeld`.
   */
  join(request: HeldRequest, subject: object): HeldPlace | ExchangeError | null {
    const { id, slot } = this.#pool
    // One whose turn it is, and that no server takes, gets its error: a breaker is tripped, for example.
    if ((this.#queue.isEmpty || this.#isReleasing) && !this.#isCold()) return null
    const { most, timeoutMs } = this.#options
    const now = this.#pool.now()
    const since = this.#since.get(subject) ?? now
    if (now - since >= timeoutMs) return null
    if (sumOverThreads(slot, COUNT.held) >= most) {
      count(slot, COUNT.heldRefused, 1)
      return new ExchangeError('COLD_START_FULL', `${most} requests wait for a server of ${id}`)
    }
    const waiter = this.#queue.add({ request, at: now, hasLeft: false }, since)
    count(slot, COUNT.held, 1)
    this.#since.set(subject, since)
    if (this.#timer === null) this.#begin()
    return new HeldPlace(this, waiter)
  }

  /** Whether it has waited. */
  wasHeld(subject: object): boolean {
    return this.#since.has(subject)
  }

  /** Never throws: it is part of the end of a request. */
  leave(waiter: Waiter<Held>): void {
    if (!waiter.isWaiting) return
    waiter.item.hasLeft = true
    guard(waiter.item.request, () => this.#remove(waiter))
  }

  /** The backend is removed, or does not scale to zero any longer: all try to find a server now, and do not come back here. */
  releaseAll(): void {
    for (let first = this.#queue.first; first !== null; first = this.#queue.first) {
      this.#release(first)
    }
  }

  #begin(): void {
    this.#pool.setOpen(false)
    this.#timer = setInterval(() => this.#catching(() => this.#poll()), POLL_MS).unref()
    this.#wake(WAKE_AT_MOST_MS)
  }

  #wake(everyMs: number): void {
    const now = this.#pool.now()
    if (now - this.#wokenAt < everyMs) return
    this.#wokenAt = now
    this.#pool.onWake(this.#pool.id)
  }

  /** An exception is a fault of the request whose turn it is. */
  #catching(step: () => void): void {
    const { first } = this.#queue
    try {
      step()
    } catch (error) {
      ;(this.#queue.first ?? first)?.item.request.fault(error)
    }
  }

  #poll(): void {
    const now = this.#pool.now()
    for (let first = this.#queue.first; first !== null; first = this.#queue.first) {
      if (first.expiresAt > now) break
      this.#expire(first)
    }
    // Looked at anew for each, because other threads release theirs meanwhile.
    for (let most = this.#room(now); most > 0 && this.#room(now) > 0; most--) {
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

  #expire(waiter: Waiter<Held>): void {
    const { id, slot } = this.#pool
    this.#remove(waiter)
    if (waiter.item.hasLeft) return
    count(slot, COUNT.heldLate, 1)
    const error = new ExchangeError(
      'COLD_START_TIMEOUT',
      `no server of ${id} was ready for it within ${this.#queue.waitMs} ms`,
    )
    guard(waiter.item.request, (request) => request.refuse(error))
  }

  #release(waiter: Waiter<Held>): void {
    const { slot, setOpen, now } = this.#pool
    this.#remove(waiter)
    if (waiter.item.hasLeft) return
    count(slot, COUNT.heldReleased, 1)
    count(slot, COUNT.heldSeconds, (now() - waiter.item.at) / 1000)
    setOpen(true)
    this.#isReleasing = true
    guard(waiter.item.request, (request) => request.admit())
    this.#isReleasing = false
    setOpen(this.#queue.isEmpty)
  }

  #remove(waiter: Waiter<Held>): void {
    this.#queue.remove(waiter)
    count(this.#pool.slot, COUNT.held, -1)
    if (!this.#queue.isEmpty || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    this.#warmSince = null
    this.#pool.setOpen(true)
  }
}

/** An exception is a fault of this request, and of no other. */
function guard(request: HeldRequest, step: (request: HeldRequest) => void): void {
  try {
    step(request)
  } catch (error) {
    request.fault(error)
  }
}

/** The place of a request in the queue. */
export class HeldPlace {
  readonly #held: HeldRequests
  readonly #waiter: Waiter<Held>

  constructor(held: HeldRequests, waiter: Waiter<Held>) {
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
