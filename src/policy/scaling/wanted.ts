/** How many replicas a load needs, by each metric. */
import type { LatencyTarget, ScaleSpec, ScaleTarget } from '../../model/scale.ts'
import type { Measure } from './measure.ts'
import type { MeasureWindow } from './measure-window.ts'

export type Metric = 'concurrency' | 'rps' | 'latency'

/** What one metric wants. */
export interface Wanted {
  readonly metric: Metric
  /** Whole replicas. */
  readonly replicas: number
  /** What was measured: requests in flight, requests per second, or ms. */
  readonly value: number
  /** The replicas that it would keep as busy as they are meant to be, not rounded. */
  readonly load: number
}

export interface Span {
  readonly from: number
  readonly to: number
}

/** Scaling down leaves so much room, so that a load at the edge of two numbers does not alternate between them. */
const ROOM = 1.1
const QUANTILE = 0.95
/** With fewer responses the quantile is chance. */
const LEAST_RESPONSES = 20

/**
 * By requests in flight and per second in the span; empty while nothing was measured in it. `current`: the replicas there
 * are. `mostInFlight`: more of them are not counted.
 */
export function wantedByLoad(
  spec: Pick<ScaleSpec, 'concurrency' | 'rps'>,
  window: MeasureWindow,
  { from, to }: Span,
  current: number,
  mostInFlight: number,
): readonly Wanted[] {
  const all: Wanted[] = []
  for (const metric of ['concurrency', 'rps'] as const) {
    const target = spec[metric]
    if (target === null) continue
    const value = window.mean((measure: Measure) => measure[metric], from, to)
    if (value === null) continue
    const counted = metric === 'concurrency' ? Math.min(value, mostInFlight) : value
    all.push({ ...wantedBy(metric, counted, target, current), value })
  }
  return all
}

function wantedBy(
  metric: Metric,
  value: number,
  { target, utilisation }: ScaleTarget,
  current: number,
): Wanted {
  const load = value / (target * utilisation)
  const exact = roundUp(load)
  const replicas = exact < current ? Math.min(current, roundUp(load * ROOM)) : exact
  return { metric, value, load, replicas }
}

/** What is above a whole number by an error of arithmetic only is that number. */
function roundUp(load: number): number {
  return Math.max(0, Math.ceil(load - 1e-9))
}

/**
 * By the latency in the span, in proportion to its distance from the target, and within one step. Less latency than wanted does
 * not say how much less would do: that is one replica after the other. `isDown`: few responses are enough, since no load is
 * slow.
 */
export function wantedByLatency(
  { targetMs, deadBand, step }: LatencyTarget,
  window: MeasureWindow,
  { from, to }: Span,
  current: number,
  isDown: boolean,
): Wanted {
  const { ms, count } = window.durations(QUANTILE, from, to)
  const value = ms ?? 0
  const ratio = value / targetMs
  const wanted = { metric: 'latency', value, load: current * ratio } as const
  if (isDown) {
    return { ...wanted, replicas: ratio < 1 - deadBand ? Math.max(0, current - 1) : current }
  }
  if (ratio <= 1 + deadBand || count < LEAST_RESPONSES) return { ...wanted, replicas: current }
  const most = current + Math.max(1, Math.floor(current * step))
  return { ...wanted, replicas: Math.min(Math.ceil(current * ratio), most) }
}
