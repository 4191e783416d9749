/** What the scaler knows and decides, as /api/scale shows it and /metrics counts it. Times are ms since the epoch. */
import type { DecisionReason, Restraint } from '../../policy/scaling/autoscaler.ts'

export interface ScaleReport {
  /** This instance may change numbers of replicas. */
  readonly acting: boolean
  /** The instance that acts, if a lock decides; null: none is known, or this one is alone. */
  readonly holder: string | null
  /** Why it is not known which instance acts. */
  readonly problem: string | null
  readonly backends: readonly BackendScaleReport[]
}

export interface BackendScaleReport {
  readonly backend: string
  /** Of the actuator. */
  readonly kind: string
  readonly min: number
  readonly max: number
  /** By the last decision; null: nothing could be decided yet. */
  readonly desired: number | null
  /** As the provider says; null: unknown. */
  readonly observed: number | null
  /** Replicas that take requests. */
  readonly ready: number
  /** Requests that wait for a first replica. */
  readonly waiting: number
  readonly panic: boolean
  readonly dryRun: boolean
  readonly asked: {
    readonly replicas: number
    readonly reason: string
    /** Null: until something else is asked for. */
    readonly until: number | null
  } | null
  /** What every metric wants by the last decision; `window`: the long one, or the short one. */
  readonly metrics: readonly MetricReport[]
  /** Why nothing is decided, or why the provider does not do it; null: all is well. */
  readonly problem: string | null
  /** Its query; null: it has none. */
  readonly prometheus: PrometheusReport | null
  readonly counts: ScaleCounts
  /** The last ones, the latest first. */
  readonly decisions: readonly DecisionReport[]
}

export interface PrometheusReport {
  /** The last result; null: there is none. */
  readonly value: number | null
  /** Why there is none, or why nothing is asked for by it. */
  readonly problem: string | null
  /** Queries without a result that could be used. */
  readonly failures: number
}

export interface MetricReport {
  readonly metric: string
  readonly window: 'stable' | 'panic'
  /** Requests in flight, requests per second, or seconds. */
  readonly value: number
  readonly replicas: number
}

/** Since the start of the program, or since the backend was declared. */
export interface ScaleCounts {
  /** Decisions that the provider has taken, and that a dry run has not given it. */
  readonly decisions: readonly {
    readonly direction: 'up' | 'down'
    readonly reason: DecisionReason
    readonly count: number
  }[]
  readonly failures: { readonly set: number; readonly observe: number }
}

export type DecisionOutcome = 'done' | 'failed' | 'dry-run'

export interface DecisionReport {
  readonly at: number
  readonly from: number
  readonly to: number
  readonly direction: 'up' | 'down'
  readonly reason: DecisionReason
  readonly restraints: readonly Restraint[]
  readonly outcome: DecisionOutcome
  /** Why it failed. */
  readonly error: string | null
  /** What it was decided by. */
  readonly inputs: {
    readonly ready: number
    readonly waiting: number
    readonly asked: number | null
    readonly wanted: number
    readonly panic: boolean
    readonly metrics: readonly MetricReport[]
  }
}

/** For a program without any backend with `scale`. */
export const NO_SCALE: ScaleReport = { acting: false, holder: null, problem: null, backends: [] }
