/**
 * Decides the number of replicas of one backend, by what was measured and what was asked for, as the autoscaler of Knative does:
 *
 *   stable   the mean of a long window (60 s) decides, up and down
 *   panic    begins when a short window (6 s) holds twice the load of the replicas that are ready: then it decides too, and
 *            nothing scales down; ends after a long window without such a load. Meanwhile requests in flight count only as far as
 *            the load explains them (backlog.ts)
 *
 * The largest number wins: of the metrics, and of those that were asked for. Then come the rates, the delay down, zero only after
 * `idle` and `grace`, `min` and `max`, and the cooldowns. Whether a decision is carried out is not decided here.
 */
import type { ScaleSpec } from '../../model/scale.ts'
import { Backlog } from './backlog.ts'
import type { Measure } from './measure.ts'
import { MeasureWindow } from './measure-window.ts'
import { RecentMaximum } from './recent-maximum.ts'
import { type Span, type Wanted, wantedByLatency, wantedByLoad } from './wanted.ts'

/** The metric that wants most, or what else decides. `bounds`: there are fewer than `min`, or more than `max`. */
export const DECISION_REASONS = [
  'concurrency',
  'rps',
  'latency',
  'asked',
  'cold-start',
  'idle',
  'bounds',
] as const

export type DecisionReason = (typeof DECISION_REASONS)[number]

/** What has kept a decision from being what is wanted. */
export type Restraint =
  | 'panic'
  | 'up-rate'
  | 'down-rate'
  | 'down-delay'
  | 'not-idle'
  | 'measuring'
  | 'min'
  | 'max'
  | 'cooldown'

export interface DecisionInput {
  /** Replicas, as the provider says. */
  readonly observed: number
  /** Replicas that take requests. */
  readonly ready: number
  /** The number that was asked for; null: none is. */
  readonly asked: number | null
  /** Requests that wait for a first replica. */
  readonly waiting: number
}

export interface Decision {
  /** The replicas that are to be there from now on. */
  readonly replicas: number
  readonly direction: 'up' | 'down' | 'none'
  readonly reason: DecisionReason
  readonly restraints: readonly Restraint[]
  readonly isPanic: boolean
  /** Before all restraints. */
  readonly wanted: number
  /** By the long window, and by the short one. */
  readonly metrics: readonly Wanted[]
  readonly sudden: readonly Wanted[]
}

/** With this share of what was too much for a replica, it is full. */
const FULL = 0.8

export class Autoscaler {
  #spec: ScaleSpec
  readonly #window = new MeasureWindow()
  readonly #backlog = new Backlog()
  readonly #delayed = new RecentMaximum()
  readonly #since: number
  /** When a load was sudden last; null: it does not panic. */
  #panicAt: number | null = null
  /** The most that this panic wanted. */
  #panicMost = 0
  #upAt = -Infinity
  #downAt = -Infinity
  #activeAt: number
  #ready = 0
  #readySince: number
  /** Requests per second of one replica at which latency was too high last. */
  #slowRate = Infinity

  constructor(spec: ScaleSpec, now: number) {
    this.#spec = spec
    this.#since = now
    this.#activeAt = now
    this.#readySince = now
  }

  /** Another declaration: what was measured stays. */
  update(spec: ScaleSpec): void {
    this.#spec = spec
  }

  /** What was measured in `[from, to]`. */
  record(from: number, to: number, measure: Measure): void {
    const { stableMs, panic, concurrency } = this.#spec
    this.#window.add(from, to, measure, stableMs)
    const capacity = (concurrency?.target ?? 0) * Math.max(1, this.#ready)
    this.#backlog.record(from, to, measure, capacity, panic.windowMs)
    if (measure.concurrency > 0 || measure.rps > 0 || measure.waiting > 0) this.#activeAt = to
  }

  decide(now: number, input: DecisionInput): Decision {
    const { observed, ready, asked, waiting } = input
    const spec = this.#spec
    this.#watchReady(now, ready)
    const byLoad = (ms: number, limit: number): readonly Wanted[] =>
      wantedByLoad(spec, this.#window, spanOf(now, ms), observed, limit)
    const isPanic = this.#panics(now, byLoad(spec.panic.windowMs, Infinity), ready)
    const limit = isPanic ? this.#backlog.limit() : Infinity
    const metrics = [...byLoad(spec.stableMs, limit), ...this.#byLatency(now, observed)]
    const sudden = byLoad(spec.panic.windowMs, limit)

    const all = isPanic ? [...metrics, ...sudden] : metrics
    const mayBeZero = this.#isIdle(now)
    // A query without a result says nothing.
    const without = mayBeZero && spec.inputs.prometheus === null ? 0 : observed
    const most = largest(all, asked) ?? { replicas: without, reason: 'asked' }
    const restraints: Restraint[] = []
    let { replicas, reason } = most
    const atLeast = (least: number, by: Restraint): void => {
      if (least <= replicas) return
      replicas = least
      restraints.push(by)
    }
    const atMost = (limit: number, by: Restraint): void => {
      if (limit >= replicas) return
      replicas = limit
      restraints.push(by)
    }
    /** It does not scale down, which is not to say that there may be more than `max`. */
    const stay = Math.min(observed, spec.max)

    const upmost = Math.ceil(Math.max(1, ready) * spec.upRate)
    atMost(Math.max(upmost, observed), 'up-rate')
    this.#panicMost = isPanic ? Math.max(this.#panicMost, replicas) : 0
    if (isPanic) atLeast(Math.max(this.#panicMost, stay), 'panic')
    const recent = this.#delayed.of(now, replicas, spec.downDelayMs)
    atLeast(Math.min(recent, observed), 'down-delay')
    atLeast(Math.min(observed - 1, Math.floor(observed / spec.downRate)), 'down-rate')
    // While the long window is not full, quiet says little.
    if (metrics.length > 0 && now - this.#since < spec.stableMs) atLeast(stay, 'measuring')
    if (waiting > 0 && replicas < 1) {
      replicas = 1
      reason = 'cold-start'
    }
    if (spec.zero !== null && replicas < 1 && observed > 0) {
      if (mayBeZero) reason = 'idle'
      else atLeast(1, 'not-idle')
    }
    atLeast(spec.min, 'min')
    atMost(spec.max, 'max')
    if (observed < spec.min || observed > spec.max) reason = 'bounds'
    else if (reason !== 'cold-start' && this.#isCooling(now, replicas - observed)) {
      replicas = observed
      restraints.push('cooldown')
    }
    const direction = replicas > observed ? 'up' : replicas < observed ? 'down' : 'none'
    const wanted = most.replicas
    return { replicas, direction, reason, restraints, isPanic, wanted, metrics, sudden }
  }

  /** The provider has taken a decision. */
  changed(now: number, direction: 'up' | 'down'): void {
    if (direction === 'up') this.#upAt = now
    else this.#downAt = now
  }

  /** For so long that it may scale to zero. */
  #isIdle(now: number): boolean {
    const { zero } = this.#spec
    return zero !== null && now - this.#activeAt >= zero.idleMs + zero.graceMs
  }

  #watchReady(now: number, ready: number): void {
    if (ready === this.#ready) return
    this.#ready = ready
    this.#readySince = now
  }

  /** Returns whether it panics, which begins and ends here. */
  #panics(now: number, sudden: readonly Wanted[], ready: number): boolean {
    const { threshold } = this.#spec.panic
    const load = Math.max(0, ...sudden.map((wanted) => wanted.load))
    if (load >= threshold * Math.max(1, ready)) this.#panicAt = now
    else if (this.#panicAt !== null && now - this.#panicAt >= this.#spec.stableMs) {
      this.#panicAt = null
    }
    return this.#panicAt !== null
  }

  /**
   * Empty without a target. What was measured with other replicas says nothing about those of now: after each change it waits for
   * a short window, and the time of the slowest requests, until it scales up, and for a long one until it scales down.
   */
  #byLatency(now: number, observed: number): readonly Wanted[] {
    const { latency, panic, stableMs } = this.#spec
    if (latency === null) return []
    const wantedIn = (ms: number, isDown: boolean): Wanted =>
      wantedByLatency(latency, this.#window, spanOf(now, ms), observed, isDown)
    const settledMs = now - Math.max(this.#readySince, this.#upAt, this.#downAt)
    const soon = wantedIn(panic.windowMs, false)
    if (settledMs < panic.windowMs + soon.value || this.#ready < observed) {
      return [{ ...soon, replicas: observed }]
    }
    const rateOf = (ms: number): number => this.#window.mean(({ rps }) => rps, now - ms, now) ?? 0
    if (soon.replicas > observed) this.#slowRate = rateOf(panic.windowMs) / Math.max(1, observed)
    if (soon.replicas > observed || settledMs < stableMs) return [soon]
    const down = wantedIn(stableMs, true)
    // Latency rises all at once when replicas are full, and says nothing about how far that is.
    const isFull = rateOf(stableMs) >= down.replicas * this.#slowRate * FULL
    return [isFull ? { ...down, replicas: observed } : down]
  }

  #isCooling(now: number, change: number): boolean {
    const { upMs, downMs } = this.#spec.cooldown
    return change > 0 ? now - this.#upAt < upMs : change < 0 && now - this.#downAt < downMs
  }
}

function spanOf(now: number, ms: number): Span {
  return { from: now - ms, to: now }
}

/** Null: nothing is measured, and no number was asked for. */
function largest(
  all: readonly Wanted[],
  asked: number | null,
): { replicas: number; reason: DecisionReason } | null {
  let most: { replicas: number; reason: DecisionReason } | null = null
  for (const { metric, replicas } of all) {
    if (most === null || replicas > most.replicas) most = { replicas, reason: metric }
  }
  return asked !== null && (most === null || asked > most.replicas)
    ? { replicas: asked, reason: 'asked' }
    : most
}
