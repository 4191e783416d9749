/**
 * Whether a server fails, by the counters of its attempts, with or without probes and ejection:
 *
 *   connections to it fail                   failing immediately, until one is made
 *   no attempt of the last second went well  failing, until one does
 *
 * A successful probe clears the failures before it.
 */
import { REASON_NAMES } from '../http/message/errors.ts'
import { backoffLeftMs } from '../policy/health/connect-backoff.ts'
import { SHARED } from '../scoreboard/layout.ts'
import { sharedLoad, type Slot } from '../scoreboard/scoreboard.ts'

/** A single failure among many successes ends before. */
const STREAK_MS = 1_000

export class PassiveCheck {
  /** As of the last update. */
  isFailing = false
  readonly #slot: Slot
  /** The part of the streaks that a probe has cleared. */
  #knownConnects = 0
  #knownStreak = 0
  #streakSince: number | null = null

  readonly #boardNow: () => number

  /** `boardNow`: ms of the board's clock. */
  constructor(slot: Slot, boardNow: () => number) {
    this.#slot = slot
    this.#boardNow = boardNow
  }

  /** It must be updated at the next tick, without an alarm. */
  get isOpen(): boolean {
    return this.isFailing || this.#streakSince !== null
  }

  get #connects(): number {
    return sharedLoad(this.#slot, SHARED.connectFailureStreak)
  }

  get #streak(): number {
    return sharedLoad(this.#slot, SHARED.failureStreak)
  }

  /** Returns whether `isFailing` has changed. `now` in ms, monotonic. */
  update(now: number): boolean {
    this.#knownConnects = Math.min(this.#knownConnects, this.#connects)
    this.#knownStreak = Math.min(this.#knownStreak, this.#streak)
    const hasStreak = this.#streak > this.#knownStreak
    this.#streakSince = hasStreak ? (this.#streakSince ?? now) : null
    const before = this.isFailing
    this.isFailing =
      this.#connects > this.#knownConnects ||
      (this.#streakSince !== null && (before || now - this.#streakSince >= STREAK_MS))
    return this.isFailing !== before
  }

  /** For a successful probe, and for a server that may be another program by now. */
  clear(): void {
    this.#knownConnects = this.#connects
    this.#knownStreak = this.#streak
  }

  /** How long it is still passed over. */
  get backoffMs(): number {
    return backoffLeftMs(sharedLoad(this.#slot, SHARED.backoffUntil), this.#boardNow())
  }

  /** For people. */
  get reason(): string {
    const last = REASON_NAMES[sharedLoad(this.#slot, SHARED.lastFailure) - 1] ?? 'no reason'
    if (this.#connects === 0 && this.#streak === 1) return `the last attempt failed: ${last}`
    if (this.#connects === 0) return `the last ${this.#streak} attempts in a row failed: ${last}`
    const { backoffMs } = this
    const backoff =
      backoffMs === 0 ? 'the next request tries it' : `passed over for ${backoffMs / 1000} s`
    return `connections to it fail: ${last}; ${backoff}`
  }
}
