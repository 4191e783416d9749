/**
 * A circuit breaker, as vulcand's: it looks at what came back lately and takes the load away from what is failing.
 *
 *   standby     all requests pass. The condition is looked at over the last ten seconds; when it holds -> tripped.
 *   tripped     none passes, for as long as the fallback takes. Then -> recovering.
 *   recovering  a share of them passes that grows from nothing to a half. When the condition holds for what these few had for
 *               an answer -> tripped; at the end of the recovery -> standby.
 *
 * Each state begins with nothing counted. It is never asked about a request: the control thread shows it time and counts, and
 * the serving threads read from SHARED.admit what it admits.
 */
import type { BreakerSpec } from '../../model/snapshot.ts'
import { ADMIT_NONE } from '../../scoreboard/layout.ts'
import type { Condition, CountOf } from './condition.ts'
import { RollingWindow } from './rolling-window.ts'

export type BreakerState = 'standby' | 'tripped' | 'recovering'

export type BreakerTimes = Pick<
  BreakerSpec,
  'condition' | 'requests' | 'checkMs' | 'fallbackMs' | 'recoveryMs'
>

const WINDOW = { lengthMs: 10_000, resolutionMs: 100 }

/** Of a thousand turns, at the end of a recovery. */
const MOST_ADMITTED = 500

/** A timer that is a little early is no reason to wait for its next tick. */
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

  /** When it came into its state; 0: it has never been in another. */
  get since(): number {
    return this.#since
  }

  /** How many times it tripped. */
  get trips(): number {
    return this.#trips
  }

  /**
   * To be called every 100 ms: `sum(i)` is what measure i has counted since ever, and what it was at the first call is
   * nobody's fault. The condition is looked at once per `checkMs`. Answers with the state that it has come into, or null.
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

  /** For SHARED.admit. */
  admits(now: number): number {
    switch (this.#state) {
      case 'standby':
        return 0
      case 'tripped':
        return ADMIT_NONE
      case 'recovering': {
        const part = (now - this.#since) / Math.max(1, this.#times.recoveryMs)
        // 0 would be all of them.
        return Math.max(1, Math.round(MOST_ADMITTED * Math.min(1, part)))
      }
    }
  }

  /** Other durations or another volume, for the state that it is in as well. Another condition is another breaker. */
  update(times: BreakerTimes): void {
    this.#times = times
  }

  #isFailing(now: number): boolean {
    if (now - this.#checkedAt < this.#times.checkMs * ON_TIME) return false
    this.#checkedAt = now
    const of: CountOf = (counter) => this.#window.of(counter)
    // Of nothing that came back nothing can be said.
    return of(0) >= Math.max(1, this.#times.requests) && this.#condition.holds(of)
  }

  /** A tick that comes late (the thread was held up) still ends one state at most: the next has its whole time from then on. */
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
