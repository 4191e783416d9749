/** A server as the health monitor sees it, identified by backend and url: its state survives every other change. */
import type { Protocol, Server } from '../model/snapshot.ts'
import {
  NO_TALLY,
  type ProbeReport,
  type ServerReport,
  type ServerTally,
} from '../observe/reports/health-report.ts'
import { type EjectorServer, type EjectionReason } from '../policy/health/ejector.ts'
import {
  type EligibilityInput,
  type ServerState,
  slowStartShare,
} from '../policy/health/pool-eligibility.ts'
import { COUNT, SHARED, SPOKEN } from '../scoreboard/layout.ts'
import { sharedLoad, type Scoreboard, type Slot } from '../scoreboard/scoreboard.ts'
import type { LiveBreaker } from './live-breaker.ts'
import { PassiveCheck } from './passive-check.ts'
import { toShare } from './cells.ts'

export class MonitoredServer {
  readonly backend: string
  readonly url: string
  readonly slot: Slot
  declared: Server
  /** What it is declared to speak. */
  wire: Protocol = 'http/1.1'
  breaker: LiveBreaker | null = null

  readonly passiveCheck: PassiveCheck
  /** Without probes it is up. */
  probeState: EligibilityInput['probe'] = 'up'
  /** After a lapse: the state before it, until probes find one again. */
  probeStateBefore: 'up' | 'down' | null = null
  lastProbe: ProbeReport | null = null
  /** Why it is ejected; null: it is not. */
  ejection: string | null = null
  /** When its slow start began, on the monotonic clock; null: no slow start. */
  rampSince: number | null = null
  wasUsable = false
  /** Of a backend that scales from zero and has no `health`: a connection to it was made. */
  hasConnected = false
  /** See holds.ts. */
  isHeld = false
  /** Null until its state is decided for the first time. */
  state: ServerState | null = null
  /** ms since the epoch. */
  since: number
  #successes = 0
  #failures = 0
  // Most servers never change and share the zeros.
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
    this.passiveCheck = new PassiveCheck(slot, boardNow)
    this.declared = declared
    this.since = since
  }

  /** See `serverKey`. */
  get key(): string {
    return serverKey(this.backend, this.url)
  }

  get name(): string {
    return `server ${this.url} of backend "${this.backend}"`
  }

  get inFlight(): number {
    return sharedLoad(this.slot, SHARED.inFlight)
  }

  /** It is to get no new requests. */
  get drains(): boolean {
    return this.declared.drain || this.isHeld
  }

  get isUsable(): boolean {
    const { probeState } = this
    return (
      !this.drains && this.ejection === null && (probeState === 'up' || probeState === 'unknown')
    )
  }

  eligibilityInput(now: number, slowStartMs: number): EligibilityInput {
    const ramp = this.rampSince === null ? 1 : slowStartShare(now - this.rampSince, slowStartMs)
    if (ramp >= 1) this.rampSince = null
    return {
      probe: this.probeState,
      ejected: this.ejection !== null,
      failing: this.passiveCheck.isFailing,
      drain: this.drains,
      backup: this.declared.backup,
      breaker: this.breaker?.trafficShare ?? 0,
      ramp,
    }
  }

  /** For a server that is declared again. */
  restore(isLapse: boolean, since: number): void {
    const { probeState } = this
    if (isLapse) {
      // Without a probe, `up` is only an assumption.
      const isKnown = this.lastProbe !== null && (probeState === 'up' || probeState === 'down')
      this.probeStateBefore = isKnown ? probeState : null
      return
    }
    // It may be another program by now: only ejections stay.
    this.probeState = 'up'
    this.probeStateBefore = null
    this.lastProbe = null
    this.passiveCheck.clear()
    this.rampSince = null
    this.wasUsable = false
    this.hasConnected = false
    this.state = null
    this.since = since
  }

  /** The results of requests so far. Reading resets the longest streaks. */
  evidence(scoreboard: Scoreboard): EjectorServer {
    const { slot } = this
    return {
      url: this.url,
      responses: scoreboard.sumOf(slot, COUNT.responses),
      failed: scoreboard.sumOf(slot, COUNT.failed),
      errors: scoreboard.sumOf(slot, COUNT.errors),
      longestFailureStreak: takeLongest(slot, SHARED.longestFailureStreak),
      longestErrorStreak: takeLongest(slot, SHARED.longestErrorStreak),
      usable: !this.drains && (this.probeState === 'up' || this.probeState === 'unknown'),
    }
  }

  /** Streaks that began while this process stalled must not continue. */
  resetStreaks(): void {
    const { shared, at } = this.slot
    Atomics.store(shared, at + SHARED.failureStreak, 0)
    Atomics.store(shared, at + SHARED.errorStreak, 0)
  }

  /** The threads may connect to it immediately. */
  endBackoff(): void {
    const { shared, at } = this.slot
    Atomics.store(shared, at + SHARED.connectFailureStreak, 0)
    Atomics.store(shared, at + SHARED.backoffUntil, 0)
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
      this.passiveCheck.clear()
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
        return this.passiveCheck.reason
      case 'down':
        return this.lastProbe?.reason ?? null
      case 'ejected':
        return this.ejection
      case 'draining':
        return this.declared.drain
          ? 'it is declared so'
          : 'what runs it is to stop it, or has not started it'
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
      admit:
        this.passiveCheck.backoffMs > 0 ? 0 : toShare(sharedLoad(this.slot, SHARED.trafficShare)),
      inFlight: this.inFlight,
      ejections: failures + errors + rate,
      lastProbe,
      tally,
      ...protocolOf(this.slot, this.wire),
    }
  }
}

/** The cell keeps what a former declaration led to. */
function protocolOf(slot: Slot, wire: Protocol): Pick<ServerReport, 'protocol'> {
  if (wire === 'http/1.1') return {}
  switch (sharedLoad(slot, SHARED.spoken)) {
    case SPOKEN.h2:
      return { protocol: 'h2' }
    case SPOKEN['http/1.1']:
      return wire === 'auto' ? { protocol: 'http/1.1' } : {}
    default:
      return {}
  }
}

export function serverKey(backend: string, url: string): string {
  return `${url} ${backend}`
}

function takeLongest({ shared, at }: Slot, cell: number): number {
  // Most are 0: a load is cheaper, and invalidates no cache line.
  return Atomics.load(shared, at + cell) === 0 ? 0 : Atomics.exchange(shared, at + cell, 0)
}
