/**
 * Measures the load of a backend from the scoreboard. Requests in flight are sampled several times a second, since their mean is
 * wanted; what is only counted is read when a measure is taken. Only backends with `scale` have a meter.
 */
import type { Measure } from '../policy/scaling/measure.ts'
import { COUNT, DURATION_BOUNDS, NO_TRAFFIC, SHARED } from '../scoreboard/layout.ts'
import { sharedLoad, type Slot, sumOverThreads } from '../scoreboard/scoreboard.ts'

interface MeteredServer {
  readonly slot: Slot
  isDeclared: boolean
  /** It takes no new requests by its declaration. */
  drains: boolean
  /** Totals up to the last measure. */
  counted: Totals
}

interface Totals {
  readonly ended: number
  readonly errors: number
  readonly durations: readonly number[]
}

export interface MeterServer {
  readonly slot: Slot
  readonly drain: boolean
}

/** Exchanges that ended without a response, and with 5xx. */
const ERRORS = [COUNT.status, COUNT.status + 5]
const CLASSES = 6
/** Of a backend: requests that wait for its first server. */
const HELD = COUNT.held

export class LoadMeter {
  readonly #servers = new Map<number, MeteredServer>()
  #waiting: readonly Slot[] = []
  #backend: Slot
  #sampledAt: number
  #measuredAt: number
  #integral = 0
  #last: number

  constructor(backend: Slot, now: number) {
    this.#backend = backend
    this.#sampledAt = now
    this.#measuredAt = now
    this.#last = 0
  }

  /** The servers in the table. Those that are gone count until their requests in flight have ended. */
  update(backend: Slot, servers: readonly MeterServer[]): void {
    this.#backend = backend
    for (const server of this.#servers.values()) server.isDeclared = false
    for (const { slot, drain } of servers) {
      const known = this.#servers.get(slot.number)
      if (known === undefined) {
        const counted = totalsOf(slot)
        this.#servers.set(slot.number, { slot, isDeclared: true, drains: drain, counted })
      } else {
        known.isDeclared = true
        known.drains = drain
      }
    }
  }

  /** Slots of middlewares in which requests for this backend wait. */
  watchQueues(slots: readonly Slot[]): void {
    this.#waiting = slots
  }

  sample(now: number): void {
    this.#integral += this.#last * Math.max(0, now - this.#sampledAt)
    this.#sampledAt = now
    let inFlight = 0
    for (const { slot } of this.#servers.values()) inFlight += inFlightOf(slot)
    for (const slot of this.#waiting) inFlight += Math.max(0, sharedLoad(slot, SHARED.waiting))
    this.#last = inFlight + this.waiting()
  }

  /** Requests that wait for a first replica. */
  waiting(): number {
    return Math.max(0, sumOverThreads(this.#backend, HELD))
  }

  /** Servers that take requests. */
  ready(): number {
    let ready = 0
    for (const { slot, isDeclared, drains } of this.#servers.values()) {
      if (isDeclared && !drains && sharedLoad(slot, SHARED.trafficShare) !== NO_TRAFFIC) ready++
    }
    return ready
  }

  /** Since the last one; null: no time has passed. */
  take(now: number): { readonly from: number; readonly measure: Measure } | null {
    this.sample(now)
    const from = this.#measuredAt
    const ms = now - from
    if (ms <= 0) return null
    let ended = 0
    let errors = 0
    const durations: number[] = []
    for (const [number, server] of this.#servers) {
      const before = server.counted
      const counted = totalsOf(server.slot)
      server.counted = counted
      // Its slot is another object's 10 s later.
      if (!server.isDeclared && inFlightOf(server.slot) === 0) this.#servers.delete(number)
      ended += Math.max(0, counted.ended - before.ended)
      errors += Math.max(0, counted.errors - before.errors)
      for (const [bucket, count] of counted.durations.entries()) {
        const more = Math.max(0, count - (before.durations[bucket] ?? 0))
        durations[bucket] = (durations[bucket] ?? 0) + more
      }
    }
    const concurrency = this.#integral / ms
    this.#measuredAt = now
    this.#integral = 0
    const perSecond = 1000 / ms
    const measure = {
      concurrency,
      rps: ended * perSecond,
      errors: errors * perSecond,
      durations,
      waiting: this.waiting(),
    }
    return { from, measure }
  }
}

function inFlightOf(slot: Slot): number {
  return Math.max(0, sharedLoad(slot, SHARED.inFlight))
}

function totalsOf(slot: Slot): Totals {
  const sum = (counter: number): number => sumOverThreads(slot, counter)
  let ended = 0
  for (let status = 0; status < CLASSES; status++) ended += sum(COUNT.status + status)
  return {
    ended,
    errors: ERRORS.reduce((total, counter) => total + sum(counter), 0),
    durations: Array.from({ length: DURATION_BOUNDS.length + 1 }, (_, bucket) =>
      sum(COUNT.duration + bucket),
    ),
  }
}
