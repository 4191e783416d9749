/** A breaker in force, of a frontend or of a server: its state machine, and the cell by which the threads obey it. */
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
  /** It has come into its state. */
  readonly onState: (breaker: LiveBreaker) => void
  /** It is no more, and was not on standby. */
  readonly onGone: (breaker: LiveBreaker) => void
}

/** Whose it is. */
export type BreakerOwner = Pick<BreakerReport, 'frontend' | 'backend' | 'server'>

/** Longer than a breaker looks back. */
const IDLE_AFTER_MS = 12_000

export class LiveBreaker {
  readonly owner: BreakerOwner
  readonly slot: Slot
  readonly condition: string
  spec: BreakerSpec
  since: number
  /** What it lets through, see SHARED.admit. */
  admits = 0
  readonly #breaker: Breaker
  readonly #context: BreakerContext
  #answers = -1
  #answeredAt = -Infinity
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
    // From here on it counts: the threads may have answers for it before the next tick.
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

  /** Its state stays. */
  update(spec: BreakerSpec): void {
    this.spec = spec
    this.#breaker.update(spec)
    // Its server may have been away, and its slot another's.
    this.#write()
  }

  /** It is not asked any more, and never writes to its slot again. */
  remove(): void {
    if (this.state !== 'standby') this.#context.onGone(this)
  }

  /** Whether it lets through another share than before. */
  tick(now: number): boolean {
    if (this.#rests(now)) return false
    const state = this.#breaker.tick(now, this.#sum)
    if (state !== null) {
      this.since = this.#context.date()
      this.#context.onState(this)
    }
    const admits = this.#breaker.admits(now)
    if (admits === this.admits) return false
    this.admits = admits
    this.#write()
    return true
  }

  report(): BreakerReport {
    const { owner, condition, state, since, trips, admits } = this
    return { ...owner, condition, state, since, trips, share: toShare(admits) }
  }

  /** Nothing has come back for so long that nothing is left to be judged. */
  #rests(now: number): boolean {
    const answers = this.#sum(0)
    if (answers !== this.#answers || this.state !== 'standby') {
      this.#answers = answers
      this.#answeredAt = now
    }
    return now - this.#answeredAt > IDLE_AFTER_MS
  }

  #write(): void {
    writeCell(this.slot, SHARED.admit, this.admits)
  }
}

let latest: { readonly text: string; readonly condition: Condition } | null = null

/** The servers of a backend, and mostly those of all, have the same. */
function compileCondition(text: string): Condition {
  if (latest?.text !== text) {
    const parsed = parseCondition(text)
    if (!parsed.ok) throw new Error(`a condition was admitted that is none: ${parsed.message}`)
    latest = { text, condition: parsed.condition }
  }
  return latest.condition
}
