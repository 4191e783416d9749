/** What was measured of a backend in a span of time, over all threads or over all instances. */
import { DURATION_BOUNDS } from '../../scoreboard/layout.ts'

export interface Measure {
  /** Mean number of exchanges in flight and waiting: their integral over the span, divided by its length. */
  readonly concurrency: number
  /** Exchanges that ended in the span, and those of them with 5xx or without a response, per second. */
  readonly rps: number
  readonly errors: number
  /** Of those that ended: how many had which duration, in the buckets of DURATION_BOUNDS, not cumulative. */
  readonly durations: readonly number[]
  /** Requests that wait for a first replica, at the end of the span. */
  readonly waiting: number
}

export const NO_MEASURE: Measure = { concurrency: 0, rps: 0, errors: 0, durations: [], waiting: 0 }

/** Of the same span, measured by several instances. */
export function addMeasures(measures: readonly Measure[]): Measure {
  const [first = NO_MEASURE, ...more] = measures
  if (more.length === 0) return first
  const sum = (of: (measure: Measure) => number): number =>
    measures.reduce((total, measure) => total + of(measure), 0)
  return {
    concurrency: sum(({ concurrency }) => concurrency),
    rps: sum(({ rps }) => rps),
    errors: sum(({ errors }) => errors),
    durations: addDurations(measures.map(({ durations }) => durations)),
    waiting: sum(({ waiting }) => waiting),
  }
}

export function addDurations(all: readonly (readonly number[])[]): readonly number[] {
  const sums: number[] = []
  for (const durations of all) {
    for (const [bucket, count] of durations.entries()) sums[bucket] = (sums[bucket] ?? 0) + count
  }
  return sums
}

/** In ms, by interpolation within the bucket; null: nothing ended. What is above the last bound is taken as that bound. */
export function quantileMs(durations: readonly number[], quantile: number): number | null {
  const total = durations.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const rank = total * quantile
  let below = 0
  for (const [bucket, count] of durations.entries()) {
    const last = DURATION_BOUNDS.at(-1) ?? 0
    const upper = DURATION_BOUNDS[bucket] ?? last
    if (count > 0 && below + count >= rank) {
      const lower = bucket === 0 ? 0 : (DURATION_BOUNDS[bucket - 1] ?? last)
      return (lower + ((upper - lower) * (rank - below)) / count) * 1000
    }
    below += count
  }
  return (DURATION_BOUNDS.at(-1) ?? 0) * 1000
}
