/** The last decisions of a backend, and how many there were. */
import type { DecisionReport, ScaleCounts } from '../observe/reports/scale-report.ts'

const MOST = 50

export class DecisionHistory {
  #decisions: DecisionReport[] = []
  readonly #counts = new Map<string, ScaleCounts['decisions'][number]>()

  /** A decision that failed is tried again: only the last try of the same is kept, and none is counted. */
  add(decision: DecisionReport): void {
    const [last, ...older] = this.#decisions
    const isRetry =
      last?.outcome === 'failed' && last.to === decision.to && last.from === decision.from
    this.#decisions = [decision, ...(isRetry ? older : this.#decisions)].slice(0, MOST)
    if (decision.outcome === 'failed') return
    const { direction, reason } = decision
    const key = `${direction} ${reason}`
    const count = (this.#counts.get(key)?.count ?? 0) + 1
    this.#counts.set(key, { direction, reason, count })
  }

  /** The latest first. */
  latest(): readonly DecisionReport[] {
    return this.#decisions
  }

  counts(): ScaleCounts['decisions'] {
    return [...this.#counts.values()]
  }
}
