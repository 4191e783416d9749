/**
 * What probes say of one server, made steady: so many successes in a row make it up, so many failures in a row make it
 * down. Of a server that nobody knows yet the first success says enough: it is asked because it wants to be used.
 */
import type { HealthCheck } from '../../model/snapshot.ts'

export type ProbeState = 'unknown' | 'up' | 'down'

export type RiseAndFallSpec = Pick<HealthCheck, 'rise' | 'fall' | 'waitHealthy'>

export class RiseAndFall {
  #spec: RiseAndFallSpec
  #state: ProbeState = 'unknown'
  /** How often the last result came in a row. */
  #streak = 0
  #last: boolean | null = null

  constructor(spec: RiseAndFallSpec) {
    this.#spec = spec
  }

  get state(): ProbeState {
    return this.#state
  }

  /** It gets no requests before its first success. */
  get isWaiting(): boolean {
    return this.#spec.waitHealthy && this.#state === 'unknown'
  }

  /** Returns the state that it has just come to, or null. */
  record(ok: boolean): 'up' | 'down' | null {
    this.#streak = this.#last === ok ? this.#streak + 1 : 1
    this.#last = ok
    const next = ok ? 'up' : 'down'
    if (next === this.#state || this.#streak < this.#needed(ok)) return null
    this.#state = next
    return next
  }

  /** The state stays; the streak begins again. */
  update(spec: RiseAndFallSpec): void {
    this.#spec = spec
    this.#streak = 0
    this.#last = null
  }

  #needed(ok: boolean): number {
    if (!ok) return this.#spec.fall
    return this.#state === 'unknown' ? 1 : this.#spec.rise
  }
}
