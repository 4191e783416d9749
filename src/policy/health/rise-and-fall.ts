/**
 * The state of one server by its probes: up after `rise` consecutive successes, down after `fall` consecutive failures. For a
 * server without a state, one success is enough.
 */
import type { HealthCheck } from '../../model/snapshot.ts'

export type ProbeState = 'unknown' | 'up' | 'down'

export type RiseAndFallSpec = Pick<HealthCheck, 'rise' | 'fall' | 'waitHealthy'>

export class RiseAndFall {
  #spec: RiseAndFallSpec
  #state: ProbeState = 'unknown'
  /** How many consecutive probes had the last result. */
  #streak = 0
  #last: boolean | null = null

  constructor(spec: RiseAndFallSpec) {
    this.#spec = spec
  }

  get state(): ProbeState {
    return this.#state
  }

  /** Whether it must get no requests before its first success. */
  get isWaiting(): boolean {
    return this.#spec.waitHealthy && this.#state === 'unknown'
  }

  /** Records the result of a probe. Returns the state that the server has entered, or null. */
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
