/**
 * Measures two ways to the same servers in turn: short windows, so that other work of the machine affects both. First as
 * fast as responses come, which says how many a way can take; latencies of a way that is full say little. They are measured
 * at a rate that both ways can keep, the same for both.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { BenchTarget } from './find-target.ts'
import type { LoadGenerator } from './load.ts'
import type { LoadPlan, LoadWindow } from './load-plan.ts'
import type { BenchOptions } from './words.ts'

export const WAYS = ['through', 'direct'] as const
export type Way = (typeof WAYS)[number]
export const QUANTILES = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const
export type Quantile = (typeof QUANTILES)[number]

export interface WayFigures {
  /** Over all rounds. */
  readonly requestsPerSecond: number
  /** Of each round. */
  readonly rounds: readonly number[]
  readonly latencyMs: Readonly<Record<Quantile, number>>
  readonly responses: number
  readonly statuses: Readonly<Record<string, number>>
  readonly non2xx: number
  readonly errors: Readonly<Record<string, number>>
  readonly unanswered: number
  readonly waiting: number
}

export interface Phase {
  /** Null: as fast as responses come. */
  readonly rate: number | null
  readonly through: WayFigures
  readonly direct: WayFigures
}

export interface Measured {
  /** Null with --rate. */
  readonly full: Phase | null
  readonly paced: Phase
}

/** Shares of the duration: to warm up, and to measure as fast as responses come. */
const WARM_UP = 0.1
const FULL = 0.35
/** Of what the slower way can take. */
const RATE = 0.5

export async function measureBoth(
  generator: LoadGenerator,
  target: BenchTarget,
  options: BenchOptions,
  body: Uint8Array | null,
): Promise<Measured> {
  const { method, headers, connections, durationMs, rounds } = options
  const plan = { method, headers, connections, body }

  async function phase(rate: number | null, ms: number, count: number): Promise<Phase> {
    const found: Record<Way, LoadWindow[]> = { through: [], direct: [] }
    for (let round = 0; round < count; round++) {
      // What changes steadily while both are measured is on both sides.
      for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
        const targets = way === 'through' ? [target.through] : target.direct
        const window: LoadPlan = { ...plan, targets, rate, ms: ms / (2 * count) }
        found[way].push(await generator.run(window))
      }
    }
    return { rate, through: figuresOf(found.through), direct: figuresOf(found.direct) }
  }

  await phase(options.rate, durationMs * WARM_UP, 1)
  if (options.rate !== null) {
    const paced = await phase(options.rate, durationMs * (1 - WARM_UP), rounds)
    return { full: null, paced: withResponses(paced) }
  }
  const full = withResponses(await phase(null, durationMs * FULL, rounds))
  const slower = Math.min(full.through.requestsPerSecond, full.direct.requestsPerSecond)
  const rate = Math.max(1, twoDigits(slower * RATE))
  const paced = await phase(rate, durationMs * (1 - WARM_UP - FULL), rounds)
  return { full, paced: withResponses(paced) }
}

/** Throws if a way has not responded: it has no figures. */
function withResponses(phase: Phase): Phase {
  for (const way of WAYS) {
    const { responses, errors, unanswered, waiting } = phase[way]
    if (responses > 0) continue
    const found = [
      ...Object.entries(errors).map(([what, count]) => `${what} ${count} times`),
      ...(unanswered > 0 ? [`${unanswered} requests lost`] : []),
      ...(waiting > 0 ? [`${waiting} connections waited to the end`] : []),
    ]
    const where = way === 'through' ? 'through Sluice' : 'from the server directly'
    const why = found.length === 0 ? 'the windows may be too short (--duration)' : found.join(', ')
    throw new Error(`no response came ${where}: ${why}`)
  }
  return phase
}

function twoDigits(value: number): number {
  return Math.floor(Number(value.toPrecision(2)))
}

function figuresOf(windows: readonly LoadWindow[]): WayFigures {
  const seconds = sum(windows, (window) => window.seconds)
  const responses = sum(windows, (window) => window.responses)
  const statuses = addAll(windows.map((window) => window.statuses))
  const latencies = createHistogram({ lowest: 1, highest: 3_600_000_000, figures: 3 })
  for (const window of windows) latencies.add(window.latencies)
  return {
    requestsPerSecond: responses / seconds,
    rounds: windows.map((window) => window.responses / window.seconds),
    latencyMs: quantilesOf(latencies, responses),
    responses,
    statuses,
    non2xx:
      responses - sum(Object.entries(statuses), ([code, n]) => (code.startsWith('2') ? n : 0)),
    errors: addAll(windows.map((window) => window.errors)),
    unanswered: sum(windows, (window) => window.unanswered),
    waiting: sum(windows, (window) => window.waiting),
  }
}

function quantilesOf(
  latencies: RecordableHistogram,
  responses: number,
): Readonly<Record<Quantile, number>> {
  const at = (percent: number): number =>
    responses === 0 ? NaN : latencies.percentile(percent) / 1000
  return { p50: at(50), p90: at(90), p99: at(99), 'p99.9': at(99.9), max: at(100) }
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0)
}

function addAll(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const all: Record<string, number> = {}
  for (const [name, count] of counts.flatMap((one) => Object.entries(one))) {
    all[name] = (all[name] ?? 0) + count
  }
  return all
}
