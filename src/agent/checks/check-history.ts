/**
 * The state of one check by its last results, as nerve has it: the first result fills the whole history, so that one run is
 * enough after a start. Later, `fall` failures in a row make it down and `rise` successes in a row make it up. Pure.
 */
import type { RiseAndFallCounts } from '../spec/agent-spec.ts'

export class CheckHistory {
  readonly #counts: RiseAndFallCounts
  #state: 'unknown' | 'up' | 'down' = 'unknown'
  /** How many results in a row were the last one. */
  #streak = 0
  #last: boolean | null = null

  constructor(counts: RiseAndFallCounts) {
    this.#counts = counts
  }

  get state(): 'unknown' | 'up' | 'down' {
    return this.#state
  }

  /** Returns whether the state has changed. */
  record(ok: boolean): boolean {
    const before = this.#state
    this.#streak = this.#last === ok ? this.#streak + 1 : 1
    this.#last = ok
    if (before === 'unknown') {
      this.#state = ok ? 'up' : 'down'
      // The history is full of the first result.
      this.#streak = Infinity
    } else if (this.#streak >= (ok ? this.#counts.rise : this.#counts.fall)) {
      this.#state = ok ? 'up' : 'down'
    }
    return this.#state !== before
  }
}
