/**
 * What frontends and servers did during the last ten seconds, from samples of the scoreboard's counters. Its reader takes the
 * samples, once a second, so that nothing is collected without a reader.
 */
import { COUNT, COUNTERS, DURATION_BOUNDS } from '../../scoreboard/layout.ts'

export const SAMPLE_MS = 1_000
const WINDOW_SAMPLES = 10

/** Fills COUNTERS cells, over all threads. */
export type ReadCounts = (slot: number, into: Float64Array) => void

/** The counters of a window, and its length. */
export interface TrafficWindow {
  readonly counts: Float64Array
  readonly periodMs: number
}

interface Sample {
  readonly at: number
  readonly counts: ReadonlyMap<number, Float64Array>
}

export class TrafficWindows {
  readonly #readCounts: ReadCounts
  readonly #now: () => number
  #samples: Sample[] = []
  readonly #cells = new Float64Array(COUNTERS)

  /** `now`: ms of a monotonic clock; 0 when the scoreboard began. */
  constructor(readCounts: ReadCounts, now: () => number) {
    this.#readCounts = readCounts
    this.#now = now
  }

  clear(): void {
    this.#samples = []
  }

  /** Only of what has had traffic: 10,000 routes are mostly idle. */
  take(slots: Iterable<number>): void {
    const counts = new Map<number, Float64Array>()
    for (const slot of slots) {
      this.#readCounts(slot, this.#cells)
      if (totalOf(this.#cells) > 0) counts.set(slot, this.#cells.slice())
    }
    this.#samples = [...this.#samples, { at: this.#now(), counts }].slice(-WINDOW_SAMPLES - 1)
  }

  /** Since the start if there is no sample of a second ago. */
  of(slot: number): TrafficWindow {
    this.#readCounts(slot, this.#cells)
    const now = this.#now()
    const [oldest] = this.#samples
    if (oldest === undefined || now - oldest.at < SAMPLE_MS)
      return { counts: this.#cells.slice(), periodMs: now }
    const before = oldest.counts.get(slot)
    // Less than before: the slot was zeroed for another object.
    const counts = this.#cells.map((count, cell) => {
      const earlier = before?.[cell] ?? 0
      return count >= earlier ? count - earlier : count
    })
    return { counts, periodMs: now - oldest.at }
  }
}

/** Exchanges that have ended. */
export function totalOf(counts: Float64Array): number {
  let total = 0
  for (let code = 0; code <= 5; code++) total += counts[COUNT.status + code] ?? 0
  return total
}

/** In us: a straight line within the bucket of the quantile. 0 without exchanges. */
export function latencyAt(counts: Float64Array, quantile: number): number {
  const buckets = [...DURATION_BOUNDS, Infinity].map((_, at) => counts[COUNT.duration + at] ?? 0)
  const total = buckets.reduce((sum, count) => sum + count, 0)
  let left = total * quantile
  for (const [at, count] of buckets.entries()) {
    if (count > 0 && left <= count) {
      const low = at === 0 ? 0 : (DURATION_BOUNDS[at - 1] ?? 0)
      const high = DURATION_BOUNDS[at] ?? low
      return Math.round((low + (high - low) * (left / count)) * 1e6)
    }
    left -= count
  }
  return 0
}
