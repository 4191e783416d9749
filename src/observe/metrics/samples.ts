/** How the counters of one object become samples of a metric. */
import { COUNT, DURATION_BOUNDS } from '../../scoreboard/layout.ts'
import type { Labels, Row } from './series.ts'

/** As prom-client prints it: `labels` are the sample's own, `sharedLabels` those of its object. */
export interface Sample {
  readonly value: number
  readonly metricName?: string
  readonly labels?: Labels
  readonly sharedLabels?: Labels
}

export type ValueOf = (row: Row) => number | undefined

// A class that was not seen yet reads 0 where a rate over it is alarmed on: a rate cannot see a series' first step.
const CODES = [2, 3, 4, 5, 1, 0].map((status) => ({
  counter: COUNT.status + status,
  labels: { code: status === 0 ? 'none' : `${status}xx` },
  always: status >= 2,
}))

const BUCKETS = [...DURATION_BOUNDS.map(String), '+Inf'].map((le, index) => ({
  counter: COUNT.duration + index,
  labels: { le },
}))

export function toSample(row: Row, value: ValueOf): Sample {
  return { value: value(row) ?? 0, sharedLabels: row.labels }
}

export function toCodes(row: Row): Sample[] {
  const samples: Sample[] = []
  for (const { counter, labels, always } of CODES) {
    const value = row.counts[counter] ?? 0
    if (always || value > 0) samples.push({ value, labels, sharedLabels: row.labels })
  }
  return samples
}

/** The scoreboard's buckets are each for itself, those of the format hold all below them. */
export function toHistogram(name: string, row: Row): Sample[] {
  let below = 0
  const samples: Sample[] = BUCKETS.map(({ counter, labels }) => {
    below += row.counts[counter] ?? 0
    return { metricName: `${name}_bucket`, value: below, labels, sharedLabels: row.labels }
  })
  return [...samples, ...sumAndCount(name, row, below)]
}

export function toSummary(name: string, row: Row): Sample[] {
  const count = BUCKETS.reduce((sum, { counter }) => sum + (row.counts[counter] ?? 0), 0)
  return sumAndCount(name, row, count)
}

/** The scoreboard's sum is in seconds, as its bounds are. */
function sumAndCount(name: string, row: Row, count: number): Sample[] {
  return [
    {
      metricName: `${name}_sum`,
      value: row.counts[COUNT.durationSum] ?? 0,
      sharedLabels: row.labels,
    },
    { metricName: `${name}_count`, value: count, sharedLabels: row.labels },
  ]
}
