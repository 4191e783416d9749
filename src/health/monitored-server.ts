/** A server as the control plane watches it. Known by backend and url: what is known of it survives every change around it. */
import type { Server } from '../model/snapshot.ts'
import {
  NO_TALLY,
  type EjectionReason,
  type ProbeReport,
  type ServerReport,
  type ServerState,
  type ServerTally,
} from '../observe/health-report.ts'
import type { EjectorServer } from '../policy/ejector.ts'
import type { Standing } from '../policy/pool-admission.ts'
import { rampAt } from '../policy/slow-start.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { sharedLoad, type Scoreboard, type Slot } from '../scoreboard/scoreboard.ts'
import type { LiveBreaker } from './live-breaker.ts'
import { PassiveCheck } from './passive-check.ts'
import { toShare } from './cells.ts'

export class MonitoredServer {
  readonly backend: string
  readonly url: string
  readonly slot: Slot
  declared: Server
  breaker: LiveBreaker | null = null
  /** What its attempts tell. */
  readonly failing: PassiveCheck
  /** Of the probes; without any it is up. */
  verdict: Standing['probe'] = 'up'
  /** It was away for a lapse: what its probes had made of it, until they come to a verdict anew. */
  verdictBefore: 'up' | 'down' | null = null
  lastProbe: ProbeReport | null = null
  /** Why it was ejected; null: it is not. */
  ejection: string | null = null
  /** When its slow start began, of the monotonic clock; null: it is over. */
  rampSince: number | null = null
  wasUsable = false
  /** Null until it is admitted for the first time. */
  state: ServerState | null = null
  /** ms since the epoch. */
  since: number
  #successes = 0
  #failures = 0
  // Most servers never change: they share what is all zeros.
  #changes = NO_TALLY.changes
  #ejections = NO_TALLY.ejections

  constructor(
    backend: string,
    declared: Server,
    slot: Slot,
    since: number,
    boardNow: () => number,
  ) {
    this.backend = backend
    this.url = declared.url
    this.slot = slot
    this.failing = new PassiveCheck(slot, boardNow)
    this.declared = declared
    this.since = since
  }

  /** For those who keep something of it apart. */
  get key(): string {
    return serverKey(this.backend, this.url)
  }

  get name(): string {
    return `server ${this.url} of backend "${this.backend}"`
  }

  get inFlight(): number {
    return sharedLoad(this.slot, SHARED.inFlight)
  }

  get isUsable(): boolean {
    const { verdict, declared } = this
    return !declared.drain && this.ejection === null && (verdict === 'up' || verdict === 'unknown')
  }

  /** What is known of it, for the pool's admission. */
  standing(now: number, slowStartMs: number): Standing {
    const ramp = this.rampSince === null ? 1 : rampAt(now - this.rampSince, slowStartMs)
    if (ramp >= 1) this.rampSince = null
    return {
      probe: this.verdict,
      ejected: this.ejection !== null,
      failing: this.failing.isFailing,
      drain: this.declared.drain,
      backup: this.declared.backup,
      breaker: this.breaker?.admits ?? 0,
      ramp,
    }
  }

  /** It is declared again. */
  comeBack(isLapse: boolean, since: number): void {
    const { verdict } = this
    if (isLapse) {
      // Without probes it was up, too, but nobody had asked.
      const isVerdict = this.lastProbe !== null && (verdict === 'up' || verdict === 'down')
      this.verdictBefore = isVerdict ? verdict : null
      return
    }
    // It may be another program by now: only what requests have against it stays.
    this.verdict = 'up'
    this.verdictBefore = null
    this.lastProbe = null
    this.failing.takeBack()
    this.rampSince = null
    this.wasUsable = false
    this.state = null
    this.since = since
  }

  /** What requests told so far. The longest rows begin anew with each look. */
  evidence(scoreboard: Scoreboard): EjectorServer {
    const { slot } = this
    return {
      url: this.url,
      answered: scoreboard.sumOf(slot, COUNT.responses),
      failed: scoreboard.sumOf(slot, COUNT.failed),
      errors: scoreboard.sumOf(slot, COUNT.errors),
      worstFailures: takeWorst(slot, SHARED.worstFailures),
      worstErrors: takeWorst(slot, SHARED.worstErrors),
      usable: !this.declared.drain && (this.verdict === 'up' || this.verdict === 'unknown'),
    }
  }

  /** Rows that began while our own process was held up must not go on after it. */
  forgetRows(): void {
    const { shared, at } = this.slot
    Atomics.store(shared, at + SHARED.failed, 0)
    Atomics.store(shared, at + SHARED.errors, 0)
  }

  /** The threads may connect to it at once. */
  endRest(): void {
    const { shared, at } = this.slot
    Atomics.store(shared, at + SHARED.failures, 0)
    Atomics.store(shared, at + SHARED.restUntil, 0)
  }

  countChange(to: ServerState): void {
    this.#changes = { ...this.#changes, [to]: this.#changes[to] + 1 }
  }

  countEjection(reason: EjectionReason): void {
    this.#ejections = { ...this.#ejections, [reason]: this.#ejections[reason] + 1 }
  }

  probed(result: ProbeReport): void {
    this.lastProbe = result
    if (result.ok) {
      this.#successes++
      this.failing.takeBack()
    } else this.#failures++
  }

  get tally(): ServerTally {
    return {
      changes: this.#changes,
      probes: { success: this.#successes, failure: this.#failures },
      ejections: this.#ejections,
    }
  }

  get reason(): string | null {
    switch (this.state) {
      case 'failing':
        return this.failing.reason
      case 'down':
        return this.lastProbe?.reason ?? null
      case 'ejected':
        return this.ejection
      case 'draining':
        return 'it is declared so'
      case 'up':
        return this.breaker?.state === 'tripped' ? 'its breaker is tripped' : null
      case 'unknown':
      case null:
        return null
    }
  }

  report(): ServerReport {
    const { backend, declared, url, state, since, reason, lastProbe, tally } = this
    const { failures, errors, 'success-rate': rate } = tally.ejections
    return {
      backend,
      id: declared.id,
      url,
      state: state ?? 'unknown',
      since,
      reason,
      admit: this.failing.restMs > 0 ? 0 : toShare(sharedLoad(this.slot, SHARED.admit)),
      inFlight: this.inFlight,
      ejections: failures + errors + rate,
      lastProbe,
      tally,
    }
  }
}

export function serverKey(backend: string, url: string): string {
  return `${url} ${backend}`
}

function takeWorst({ shared, at }: Slot, cell: number): number {
  // Most have none: a load is cheaper, and takes the line of the cache from nobody.
  return Atomics.load(shared, at + cell) === 0 ? 0 : Atomics.exchange(shared, at + cell, 0)
}
