/** The few statistics that the bench reports: all of them can be read off the raw samples in the JSON. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** NaN for no values, so that a missing figure is never taken for a good one. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const index = Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)
  return sorted[Math.max(0, index)] ?? NaN
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** Two figures agree when they differ by no more than this. */
const AGREE = 0.03

/** No figure agrees with NaN. */
export function agree(one: number, other: number): boolean {
  return Math.abs(one - other) <= AGREE * Math.min(one, other)
}

export function readable(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
