/**
 * What probes say of one server, made steady: so many successes in a row make it up, so many failures in a row make it
 * down. Of a server that nobody knows yet the first success says enough: it is asked because it wants to be used.
 */
import type { HealthCheck } from '../model/snapshot.ts'

export type Verdict = 'unknown' | 'up' | 'down'

export type RiseAndFallSpec = Pick<HealthCheck, 'rise' | 'fall' | 'waitHealthy'>

export class RiseAndFall {
  #spec: RiseAndFallSpec
  #verdict: Verdict = 'unknown'
  /** How often the last result came in a row. */
  #row = 0
  #last: boolean | null = null

  constructor(spec: RiseAndFallSpec) {
    this.#spec = spec
  }

  get verdict(): Verdict {
    return this.#verdict
  }

  /** It gets no requests before its first success. */
  get isWaiting(): boolean {
    return this.#spec.waitHealthy && this.#verdict === 'unknown'
  }

  /** Answers the verdict that it has just come to, or null. */
  record(ok: boolean): 'up' | 'down' | null {
    this.#row = this.#last === ok ? this.#row + 1 : 1
    this.#last = ok
    const next = ok ? 'up' : 'down'
    if (next === this.#verdict || this.#row < this.#needed(ok)) return null
    this.#verdict = next
    return next
  }

  /** The verdict stays; what was on its way to another one begins anew. */
  update(spec: RiseAndFallSpec): void {
    this.#spec = spec
    this.#row = 0
    this.#last = null
  }

  #needed(ok: boolean): number {
    if (!ok) return this.#spec.fall
    return this.#verdict === 'unknown' ? 1 : this.#spec.rise
  }
}
