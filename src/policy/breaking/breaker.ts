/**
 * A circuit breaker like vulcand's: it watches recent responses and takes the load away from what fails.
 *
 *   standby     all requests pass. If the condition holds for the last ten seconds -> tripped.
 *   tripped     no request passes, for `fallbackMs`. Then -> recovering.
 *   recovering  a share of requests passes that grows from nothing to a half. If the condition holds for their responses
 *               -> tripped; after `recoveryMs` -> standby.
 *
 * Each state begins with counts of 0. No request calls it: the health monitor passes it time and counts, and the serving
 * threads read the share of requests that it lets through from SHARED.trafficShare.
 */
import type { BreakerSpec } from '../../model/snapshot.ts'
import { NO_TRAFFIC } from '../../scoreboard/layout.ts'
import type { Condition, CountOf } from './condition.ts'
import { RollingWindow } from './rolling-window.ts'

export const BREAKER_STATES = ['standby', 'tripped', 'recovering'] as const

export type BreakerState = (typeof BREAKER_STATES)[number]

export type BreakerTimes = Pick<
  BreakerSpec,
  'condition' | 'requests' | 'checkMs' | 'fallbackMs' | 'recoveryMs'
>

const WINDOW = { lengthMs: 10_000, resolutionMs: 100 }

/** At the end of a recovery, of a thousand requests. */
const MAX_TRAFFIC_SHARE = 500

/** Tolerates a tick that is a little early. */
const ON_TIME = 0.9

export class Breaker {
  readonly #condition: Condition
  readonly #window: RollingWindow
  #times: BreakerTimes
  #state: BreakerState = 'standby'
  #since = 0
  #checkedAt = -Infinity
  #trips = 0

  constructor(times: BreakerTimes, condition: Condition) {
    this.#times = times
    this.#condition = condition
    this.#window = new RollingWindow(condition.counters.length, WINDOW)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** When it entered its state; 0: it has never been in another. */
  get since(): number {
    return this.#since
  }

  /** How many times it tripped. */
  get trips(): number {
    return this.#trips
  }

  /**
   * To be called every 100 ms. `sum(i)` is the total of counter i; the totals of the first call are the zero. The condition is
   * evaluated once per `checkMs`. Returns the state that it has entered, or null.
   */
  tick(now: number, sum: CountOf): BreakerState | null {
    this.#window.move(now, sum)
    switch (this.#state) {
      case 'standby':
        return this.#isFailing(now) ? this.#enter('tripped', now) : null
      case 'tripped':
        return this.#isOver(this.#times.fallbackMs, now) ? this.#enter('recovering', now) : null
      case 'recovering':
        if (this.#isFailing(now)) return this.#enter('tripped', now)
        return this.#isOver(this.#times.recoveryMs, now) ? this.#enter('standby', now) : null
    }
  }

  /** The share of requests that it lets through, as in SHARED.trafficShare. */
  trafficShare(now: number): number {
    switch (this.#state) {
      case 'standby':
        return 0
      case 'tripped':
        return NO_TRAFFIC
      case 'recovering': {
        const part = (now - this.#since) / Math.max(1, this.#times.recoveryMs)
        // 0 would let all through.
        return Math.max(1, Math.round(MAX_TRAFFIC_SHARE * Math.min(1, part)))
      }
    }
  }

  /** Changes durations or volume, also for the current state. Another condition needs another breaker. */
  update(times: BreakerTimes): void {
    this.#times = times
  }

  #isFailing(now: number): boolean {
    if (now - this.#checkedAt < this.#times.checkMs * ON_TIME) return false
    this.#checkedAt = now
    const of: CountOf = (counter) => this.#window.of(counter)
    // Without a response there is nothing to check.
    return of(0) >= Math.max(1, this.#times.requests) && this.#condition.holds(of)
  }

  /** A late tick ends one state at most: the next one has its whole time from then on. */
  #isOver(durationMs: number, now: number): boolean {
    return now - this.#since >= durationMs
  }

  #enter(state: BreakerState, now: number): BreakerState {
    this.#state = state
    this.#since = now
    this.#window.reset()
    if (state === 'tripped') this.#trips += 1
    return state
  }
}
