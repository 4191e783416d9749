/**
 * Scales one backend: measures it, asks its provider how many replicas it has, decides, and has the provider do it. A round of
 * these is never begun before the last one has ended, and ends in bounded time.
 */
import { messageOf } from '../model/error-message.ts'
import type { ScaleSpec } from '../model/scale.ts'
import { isEqual } from '../model/equal.ts'
import { Autoscaler, type Decision } from '../policy/scaling/autoscaler.ts'
import { addMeasures } from '../policy/scaling/measure.ts'
import type {
  BackendScaleReport,
  DecisionOutcome,
  DecisionReport,
} from '../observe/reports/scale-report.ts'
import type { OnFault } from '../observe/fault.ts'
import type { Log } from '../observe/log.ts'
import type { ActingLock } from './acting-lock.ts'
import type { Actuator } from './actuator.ts'
import type { ActuatorSpec } from '../model/actuator-spec.ts'
import { AskedReplicas } from './asked.ts'
import { type ActuatorWorld, BoundedActuator } from './bounded-actuator.ts'
import { DecisionHistory } from './decision-history.ts'
import { describeDecision, inputsOf, toMetrics } from './describe-decision.ts'
import type { LoadMeter } from './load-meter.ts'
import type { MeasureExchange, Shared } from './measure-exchange.ts'
import type { ScaleAnswer, ScaleRequest } from './scale-request.ts'

export interface ScalerContext extends ActuatorWorld {
  /** Rejects with a message for people if it cannot be opened; then it is opened again later. */
  readonly open: (spec: ActuatorSpec, backend: ScaledBackend) => Promise<Actuator>
  /** ms since the epoch, for people. */
  readonly date: () => number
  readonly lock: Pick<ActingLock, 'isActing' | 'holder' | 'problem'>
  readonly exchange: MeasureExchange
  /** Decisions of all backends change nothing. */
  readonly dryRun: boolean
  /** Why the servers of the backend in the table may not be what is there now; null: they are. */
  readonly doubtOf: (backend: string) => string | null
  readonly onFault: OnFault
  readonly onDecision: (decision: DecisionReport & { readonly backend: string }) => void
  readonly log: Log
}

export interface ScaledBackend {
  readonly id: string
  /** How many of its servers take requests now. */
  readonly ready: () => number
  /** Decisions change nothing. */
  readonly isDry: boolean
}

/** After this time without it, the number of replicas is unknown. */
const OBSERVED_MS = 15_000
/** How long a provider may take to show the number that it has taken. */
const SHOWN_MS = 10_000
const WARN_EVERY_MS = 60_000
const WAKE_EVERY_MS = 500
const REPLACED = 'another actuator is declared'

export class BackendScaler {
  readonly id: string
  readonly meter: LoadMeter
  #spec: ScaleSpec
  readonly #autoscaler: Autoscaler
  readonly #context: ScalerContext
  readonly #asked = new AskedReplicas()
  readonly #history = new DecisionHistory()
  #actuator: BoundedActuator
  /** Settles when the actuators before this one have ended, in bounded time: two of them never act on the same replicas. */
  #replaced: Promise<unknown>
  #observed: { readonly replicas: number; readonly at: number } | null = null
  /** What the provider has taken and does not show yet. */
  #taken: { readonly replicas: number; readonly before: number; readonly at: number } | null = null
  /** What it has taken and did not show in time, while it shows what it did before. */
  #ignored: { readonly replicas: number; readonly before: number } | null = null
  #decision: Decision | null = null
  #problem: string | null = null
  #warnedAt = -Infinity
  #round: Promise<void> | null = null
  #isAgain = false
  #begunAt = -Infinity
  #isClosed = false

  /** `before`: what has scaled a backend of this id, as long as it has not ended. Never rejects. */
  constructor(
    id: string,
    spec: ScaleSpec,
    meter: LoadMeter,
    context: ScalerContext,
    before: Promise<unknown> = Promise.resolve(),
  ) {
    this.id = id
    this.meter = meter
    this.#spec = spec
    this.#context = context
    this.#autoscaler = new Autoscaler(spec, context.now())
    this.#actuator = this.#open(spec)
    this.#replaced = before
  }

  /** Another declaration: what was measured and asked for stays. */
  update(spec: ScaleSpec): void {
    const before = this.#spec.actuator
    this.#spec = spec
    this.#autoscaler.update(spec)
    if (isEqual(spec.actuator, before)) return
    this.#replaced = Promise.all([this.#replaced, this.#actuator.close(REPLACED)])
    this.#actuator = this.#open(spec)
    this.#observed = null
    this.#taken = null
    this.#ignored = null
  }

  /** Ends a span of measuring; returns what the other instances should know. */
  measure(now: number): Shared | null {
    const taken = this.meter.take(now)
    if (taken === null) return null
    const { from, measure } = taken
    const others = this.#context.exchange.others(this.id)
    const all = addMeasures([measure, ...others.map((other) => other.measure)])
    this.#autoscaler.record(from, now, all)
    const asked = this.#asked.current(now)
    return {
      measure,
      asked: asked === null ? null : { replicas: asked.replicas, leftMs: asked.leftMs },
    }
  }

  /** Asks the provider, and decides. If a round is in progress, another follows it. */
  begin(isUrgent = false): void {
    if (this.#isClosed) return
    if (this.#round !== null) {
      this.#isAgain ||= isUrgent
      return
    }
    this.#begunAt = this.#context.now()
    this.#round = this.#run()
      .catch((error: unknown) => this.#context.onFault({ kind: 'backend', id: this.id }, error))
      .finally(() => {
        this.#round = null
        if (!this.#isAgain) return
        this.#isAgain = false
        this.begin()
      })
  }

  /** Another instance may act from now on: what the provider is being told ends. */
  standDown(): void {
    this.#actuator.abandon('this instance has lost the lock, and may act no longer')
  }

  /** Begins a round if requests wait for a first replica: they do not wait for the next tick. */
  wake(): void {
    const isCold = this.#spec.zero !== null && this.#current()?.replicas === 0
    if (isCold && this.#context.now() - this.#begunAt >= WAKE_EVERY_MS) this.begin()
  }

  request(request: ScaleRequest): ScaleAnswer {
    const now = this.#context.now()
    const { min, max, inputs } = this.#spec
    const base = this.#current()?.replicas
    if (base === undefined && 'delta' in request.to) {
      const refused = `the number of replicas of backend "${this.id}" is unknown, so it cannot be changed by a step`
      return {
        taken: false,
        refused: `${refused}: ${this.#problem ?? 'try again'}`,
        isUnknown: false,
      }
    }
    const isMeasured = this.#isMeasured() || request.input === 'prometheus'
    const holdMs = request.forMs ?? (isMeasured ? inputs.holdMs : Infinity)
    const replicas = this.#asked.take(now, request, base ?? min, { min, max }, holdMs)
    if (request.dryRun === true) return { taken: true, replicas, waits: 'it is a dry run' }
    this.begin(true)
    return { taken: true, replicas, waits: this.#waits() }
  }

  /** Without inputs that ask by themselves. */
  report(): BackendScaleReport {
    const { now, date } = this.#context
    const { min, max } = this.#spec
    const asked = this.#asked.current(now())
    const current = this.#current()
    return {
      backend: this.id,
      kind: this.#spec.actuator.kind,
      ...{ min, max },
      desired: this.#decision?.replicas ?? null,
      observed: current?.replicas ?? null,
      ready: this.meter.ready(),
      waiting: this.meter.waiting(),
      panic: this.#decision?.isPanic ?? false,
      dryRun: this.#isDry(),
      asked:
        asked === null
          ? null
          : {
              replicas: asked.replicas,
              reason: asked.reason,
              until: asked.leftMs === null ? null : Math.round(date() + asked.leftMs),
            },
      metrics: this.#decision === null ? [] : toMetrics(this.#decision),
      problem: this.#problem,
      prometheus: null,
      counts: { decisions: this.#history.counts(), failures: { ...this.#actuator.failures } },
      decisions: this.#history.latest(),
    }
  }

  /** Resolves when its round has ended, in bounded time. Replicas stay as they are. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#isAgain = false
    await Promise.all([this.#replaced, this.#actuator.close()])
    await this.#round
  }

  #open({ actuator }: ScaleSpec): BoundedActuator {
    const open = (): Promise<Actuator> => {
      const backend = { id: this.id, ready: () => this.meter.ready(), isDry: this.#isDry() }
      return this.#context.open(actuator, backend)
    }
    return new BoundedActuator(open, this.#context)
  }

  /** Rejects only for a fault of Sluice. */
  async #run(): Promise<void> {
    const actuator = this.#actuator
    await this.#replaced
    if (this.#actuator !== actuator || this.#isClosed) return
    let isFresh = false
    try {
      const replicas = await actuator.observed()
      if (this.#actuator !== actuator || this.#isClosed) return
      if (replicas === null) throw new Error('it does not know how many replicas it has')
      this.#observed = { replicas, at: this.#context.now() }
      if (this.#ignored?.before !== replicas) this.#ignored = null
      isFresh = true
    } catch (error) {
      if (this.#actuator !== actuator || this.#isClosed) return
      this.#complain(`cannot be asked for its replicas: ${messageOf(error)}`)
    }
    const current = this.#current()
    if (current === null) return
    const doubt = this.#context.doubtOf(this.id)
    if (doubt !== null) {
      this.#complain(`is not scaled: ${doubt}`)
      return
    }
    await this.#decide(current.replicas, isFresh)
  }

  /** `isFresh`: the provider has just said how many there are. */
  async #decide(observed: number, isFresh: boolean): Promise<void> {
    const { now, lock, exchange, log } = this.#context
    const at = now()
    const asked = [
      this.#asked.current(at)?.replicas,
      ...exchange.others(this.id).map((other) => other.asked?.replicas),
    ].filter((one) => one !== undefined)
    const input = {
      observed,
      // Servers that are declared, and have no replica behind them, are not ready.
      ready: Math.min(observed, this.meter.ready()),
      asked: asked.length === 0 ? null : Math.max(...asked),
      waiting:
        this.meter.waiting() + sum(exchange.others(this.id).map((one) => one.measure.waiting)),
    }
    const before = this.#decision
    const decision = this.#autoscaler.decide(at, input)
    this.#decision = decision
    const { direction } = decision
    const text = describeDecision(this.id, observed, decision, input)
    if (direction === 'none' || !lock.isActing()) {
      log.debug({ backend: this.id, replicas: decision.replicas }, text)
      // It is no longer wanted.
      if (this.#taken === null) this.#ignored = null
      if (isFresh) this.#recover()
      return
    }
    const make = (outcome: DecisionOutcome, error: string | null): DecisionReport => ({
      at: this.#context.date(),
      from: observed,
      to: decision.replicas,
      direction,
      reason: decision.reason,
      restraints: decision.restraints,
      outcome,
      error,
      inputs: inputsOf(decision, input),
    })
    if (this.#isDry()) {
      if (isFresh) this.#recover()
      // The same decision is made again every time.
      if (before?.replicas !== decision.replicas || before.direction !== direction) {
        this.#note(make('dry-run', null), `${text} (dry run)`)
      }
      return
    }
    const actuator = this.#actuator
    if (actuator.isPausing()) return
    try {
      await actuator.setReplicas(decision.replicas)
    } catch (error) {
      if (this.#isClosed) return
      const reason = messageOf(error)
      this.#note(make('failed', reason), null)
      if (this.#actuator !== actuator) return
      this.#complain(`cannot scale from ${observed} to ${decision.replicas} replicas: ${reason}`)
      return
    }
    const isIgnored =
      this.#ignored?.before === observed && this.#ignored.replicas === decision.replicas
    if (this.#actuator === actuator) {
      this.#taken = { replicas: decision.replicas, before: observed, at: now() }
      this.#autoscaler.changed(now(), direction)
      if (isFresh) this.#recover()
    }
    if (isIgnored) {
      const { replicas } = decision
      this.#complain(`has accepted ${replicas} replicas, and there are still ${observed}`)
    } else this.#note(make('done', null), text)
  }

  /** Replicas there are; null: unknown. What was set counts until the provider shows it, or another number. */
  #current(): { readonly replicas: number } | null {
    const at = this.#context.now()
    const observed = this.#observed
    if (observed === null || at - observed.at > OBSERVED_MS) return null
    const taken = this.#taken
    const isShown = taken === null || observed.replicas !== taken.before
    const isLate = taken !== null && at - taken.at > SHOWN_MS
    if (!isShown && !isLate) return { replicas: taken.replicas }
    if (!isShown) this.#ignored = taken
    this.#taken = null
    return { replicas: observed.replicas }
  }

  #isMeasured(): boolean {
    const { concurrency, rps, latency } = this.#spec
    return concurrency !== null || rps !== null || latency !== null
  }

  #isDry(): boolean {
    return this.#spec.dryRun || this.#context.dryRun
  }

  #waits(): string | null {
    const { lock } = this.#context
    if (!lock.isActing()) {
      const holder = lock.holder()
      return holder === null
        ? (lock.problem() ?? 'no instance acts yet')
        : `another instance acts, ${holder}, and gets what this one measures`
    }
    return this.#isDry() ? 'dry run' : this.#problem
  }

  #note(decision: DecisionReport, text: string | null): void {
    this.#history.add(decision)
    this.#context.onDecision({ backend: this.id, ...decision })
    if (text === null) return
    const { at: _at, error: _error, ...fields } = decision
    this.#context.log.info({ backend: this.id, ...fields }, text)
  }

  /** Once when it begins, and then once in a while. */
  #complain(what: string): void {
    const now = this.#context.now()
    const isNew = this.#problem === null
    this.#problem = what
    if (!isNew && now - this.#warnedAt < WARN_EVERY_MS) return
    this.#warnedAt = now
    const { kind } = this.#spec.actuator
    this.#context.log.warn({ backend: this.id, actuator: kind }, `backend "${this.id}" ${what}`)
  }

  #recover(): void {
    if (this.#problem === null || this.#ignored !== null) return
    this.#problem = null
    this.#context.log.info({ backend: this.id }, `backend "${this.id}" is scaled again`)
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
