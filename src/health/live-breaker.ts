/** A breaker in force, of a frontend or of a server: its state machine, and the cell from which the threads read the result. */
import type { BreakerReport } from '../observe/reports/health-report.ts'
import { Breaker } from '../policy/breaking/breaker.ts'
import { parseCondition, type Condition } from '../policy/breaking/condition.ts'
import { columnOf } from '../policy/breaking/response-counters.ts'
import type { BreakerSpec } from '../model/snapshot.ts'
import { SHARED } from '../scoreboard/layout.ts'
import type { Scoreboard, Slot } from '../scoreboard/scoreboard.ts'
import { toShare, writeCell } from './cells.ts'

export interface BreakerContext {
  readonly scoreboard: Scoreboard
  /** ms, monotonic. */
  readonly now: () => number
  /** ms since the epoch. */
  readonly date: () => number
  /** The breaker has entered another state. */
  readonly onState: (breaker: LiveBreaker) => void
  /** The breaker was removed in another state than standby. */
  readonly onGone: (breaker: LiveBreaker) => void
}

/** The frontend, or the backend and server, that the breaker belongs to. */
export type BreakerOwner = Pick<BreakerReport, 'frontend' | 'backend' | 'server'>

/** Longer than the window of a breaker. */
const IDLE_AFTER_MS = 12_000

export class LiveBreaker {
  readonly owner: BreakerOwner
  readonly slot: Slot
  readonly condition: string
  spec: BreakerSpec
  since: number
  /** The share of requests that it lets through, as in SHARED.trafficShare. */
  trafficShare = 0
  readonly #breaker: Breaker
  readonly #context: BreakerContext
  #responses = -1
  #changedAt = -Infinity
  readonly #sum: (counter: number) => number

  constructor(owner: BreakerOwner, spec: BreakerSpec, slot: Slot, context: BreakerContext) {
    this.owner = owner
    this.slot = slot
    this.condition = spec.condition
    this.spec = spec
    this.since = context.date()
    this.#breaker = new Breaker(spec, compileCondition(spec.condition))
    this.#context = context
    this.#sum = (counter) => context.scoreboard.sumOf(slot, columnOf(counter))
    // Counting starts here: the threads may count responses before the next tick.
    this.#breaker.tick(context.now(), this.#sum)
    this.#write()
  }

  get name(): string {
    const { frontend, backend, server } = this.owner
    const whose =
      frontend === null ? `server ${server} of backend "${backend}"` : `frontend "${frontend}"`
    return `breaker ${this.condition} of ${whose}`
  }

  get state(): BreakerReport['state'] {
    return this.#breaker.state
  }

  get trips(): number {
    return this.#breaker.trips
  }

  /** Changes the spec; the state stays. */
  update(spec: BreakerSpec): void {
    this.spec = spec
    this.#breaker.update(spec)
    // If its server was removed for a while, another object may have used the slot.
    this.#write()
  }

  /** The caller must not use the breaker afterwards: its slot may belong to another object. */
  remove(): void {
    if (this.state !== 'standby') this.#context.onGone(this)
  }

  /** Returns whether the share that it lets through has changed. */
  tick(now: number): boolean {
    if (this.#isIdle(now)) return false
    const state = this.#breaker.tick(now, this.#sum)
    if (state !== null) {
      this.since = this.#context.date()
      this.#context.onState(this)
    }
    const trafficShare = this.#breaker.trafficShare(now)
    if (trafficShare === this.trafficShare) return false
    this.trafficShare = trafficShare
    this.#write()
    return true
  }

  report(): BreakerReport {
    const { owner, condition, state, since, trips, trafficShare } = this
    return { ...owner, condition, state, since, trips, share: toShare(trafficShare) }
  }

  /** On standby, and without a response for longer than its window. */
  #isIdle(now: number): boolean {
    const responses = this.#sum(0)
    if (responses !== this.#responses || this.state !== 'standby') {
      this.#responses = responses
      this.#changedAt = now
    }
    return now - this.#changedAt > IDLE_AFTER_MS
  }

  #write(): void {
    writeCell(this.slot, SHARED.trafficShare, this.trafficShare)
  }
}

let latest: { readonly text: string; readonly condition: Condition } | null = null

/** The servers of a backend, and usually those of all backends, have the same condition: the last one is kept. */
function compileCondition(text: string): Condition {
  if (latest?.text !== text) {
    const parsed = parseCondition(text)
    if (!parsed.ok) throw new Error(`an invalid condition was admitted: ${parsed.message}`)
    latest = { text, condition: parsed.condition }
  }
  return latest.condition
}
