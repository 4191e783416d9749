/**
 * How often a service may be registered and removed: a token bucket. A change takes one token; the rate is that of new tokens, and
 * may be 0. Pure.
 */
import { HOUR_MS } from '../../model/units.ts'
import type { RateSpec } from '../spec/agent-spec.ts'

/** A wait for a rate of 0 looks again, as long as it may. */
const LONGEST_WAIT_MS = HOUR_MS

export class TransitionLimit {
  readonly #spec: RateSpec
  #tokens: number
  #at: number

  /** `now`: ms, monotonic. */
  constructor(spec: RateSpec, now: number) {
    this.#spec = spec
    this.#tokens = spec.initial
    this.#at = now
  }

  /** Whether there was a token, which is then gone. */
  take(now: number): boolean {
    const { rate, burst } = this.#spec
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1000) * rate)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** After a refusal: until there is a token. */
  waitMs(): number {
    const ms = ((1 - this.#tokens) / this.#spec.rate) * 1000
    return Math.min(LONGEST_WAIT_MS, Math.max(1, Math.ceil(ms)))
  }
}
