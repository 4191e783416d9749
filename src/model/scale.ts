/** `scale` of a backend after parsing: how many replicas it has, and who changes their number. See docs/scaling.md. */
import type { ActuatorSpec } from './actuator-spec.ts'

/** More replicas than a load balancer should start. */
export const MAX_REPLICAS = 10_000

export interface ScaleSpec {
  readonly actuator: ActuatorSpec
  /** 0: it may scale to zero, and `zero` is not null. */
  readonly min: number
  readonly max: number
  /** Null, here and below: it is not scaled by this. Several: the larger number of replicas wins. */
  readonly concurrency: ScaleTarget | null
  readonly rps: ScaleTarget | null
  readonly latency: LatencyTarget | null
  /** What is averaged, and how long it must be quiet before panic ends. */
  readonly stableMs: number
  readonly panic: {
    /** Shorter than `stableMs`. */
    readonly windowMs: number
    /** It begins when the panic window wants so many times the replicas that are ready. */
    readonly threshold: number
  }
  /** At one decision at most so many times the replicas that are ready, and at least one more. */
  readonly upRate: number
  /** At one decision at least the replicas that are ready divided by this. */
  readonly downRate: number
  /** It scales down to the largest number that was wanted within this time. */
  readonly downDelayMs: number
  /** Between two changes in the same direction. */
  readonly cooldown: { readonly upMs: number; readonly downMs: number }
  /** Not null if `min` is 0. */
  readonly zero: ZeroSpec | null
  readonly inputs: ScaleInputs
  /** Decisions are logged and shown, and change nothing. */
  readonly dryRun: boolean
}

/** So many replicas that each has `target * utilisation`. */
export interface ScaleTarget {
  /** Of one replica: requests in flight, or a second. */
  readonly target: number
  /** Above 0, up to 1. */
  readonly utilisation: number
}

/** By the 95th percentile of the times of responses, in proportion to its distance from the target. */
export interface LatencyTarget {
  readonly targetMs: number
  /** Up to this share above or below the target nothing changes, 0 to 1. */
  readonly deadBand: number
  /** One decision changes at most this share of the replicas, 0 to 1, and at least one. */
  readonly step: number
}

/** Without replicas requests are held until one is ready. */
export interface ZeroSpec {
  /** Without a request for this time, and then for `graceMs`, it scales to zero. */
  readonly idleMs: number
  readonly graceMs: number
  /** Requests that wait at a time, over all threads; others get 503. */
  readonly maxPending: number
  /** How long a request waits before it gets 503. */
  readonly timeoutMs: number
}

/** Who else may ask for replicas, besides `POST /api/scale`. */
export interface ScaleInputs {
  /** How long a number that was asked for is kept; forever if the backend is scaled by nothing of its own. */
  readonly holdMs: number
  /** Steps of orbiter's URL; null: it is not served. */
  readonly orbiter: ScaleSteps | null
  /** Steps of alerts of Alertmanager; null: they are not taken. */
  readonly alertmanager: ScaleSteps | null
  readonly prometheus: PrometheusInput | null
}

export interface ScaleSteps {
  readonly up: number
  readonly down: number
}

/** An instant query, whose result divided by `target` is the number of replicas. */
export interface PrometheusInput {
  readonly url: string
  /** Of its requests: a login, a tenant. */
  readonly headers: Readonly<Record<string, string>>
  readonly query: string
  readonly target: number
  readonly intervalMs: number
}
