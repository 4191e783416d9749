/** The state of servers, breakers and adaptive limits, as /api/servers and /api/breakers show it and /metrics counts it. */
import type { NameReport } from '../../dns/resolver.ts'
import type { BreakerState } from '../../policy/breaking/breaker.ts'
import type { EjectionReason } from '../../policy/health/ejector.ts'
import type { ServerState } from '../../policy/health/pool-eligibility.ts'
import type { SPOKEN } from '../../scoreboard/layout.ts'

/** To servers. */
export type Protocol = keyof typeof SPOKEN

/** Times are ms since the epoch. */
export interface ServerReport {
  readonly backend: string
  readonly id: string
  readonly url: string
  readonly state: ServerState
  /** When it entered the state. */
  readonly since: number
  /** Why it is in this state, if there is more to say than its name. */
  readonly reason: string | null
  /** The share of its requests that it gets, 0 to 1: health, ejection, breaker, slow start and connect backoff together. */
  readonly admit: number
  readonly inFlight: number
  readonly ejections: number
  readonly lastProbe: ProbeReport | null
  readonly tally: ServerTally
  /** What its last connection speaks, if that is chosen as it connects; absent: not known, or HTTP/1.1 as declared. */
  readonly protocol?: Protocol
  /** The addresses of its name; null: it is declared by its address. */
  readonly resolution?: NameReport | null
}

export interface ProbeReport {
  readonly ok: boolean
  readonly at: number
  /** Why it failed. */
  readonly reason: string | null
}

/** Counts of a server since it was declared, or of all servers since the start. */
export interface ServerTally {
  readonly changes: Readonly<Record<ServerState, number>>
  readonly probes: Readonly<Record<ProbeResult, number>>
  readonly ejections: Readonly<Record<EjectionReason, number>>
}

export const NO_TALLY: ServerTally = {
  changes: { unknown: 0, up: 0, failing: 0, down: 0, draining: 0, ejected: 0 },
  probes: { success: 0, failure: 0 },
  ejections: { failures: 0, errors: 0, 'success-rate': 0 },
}

export const PROBE_RESULTS = ['success', 'failure'] as const

export type ProbeResult = (typeof PROBE_RESULTS)[number]

/** Of a frontend, or of one server of a backend. */
export interface BreakerReport {
  readonly frontend: string | null
  readonly backend: string | null
  readonly server: string | null
  readonly condition: string
  readonly state: BreakerState
  readonly since: number
  readonly trips: number
  /** The share of requests that it lets through, 0 to 1. */
  readonly share: number
}

/** The present value of an adaptive limit, of a frontend or of all frontends of a backend. */
export interface LimitReport {
  readonly frontend: string | null
  readonly backend: string | null
  readonly limit: number
}

/** What a scrape reads. */
export interface HealthView {
  /** The server with this slot, or null. */
  server(slot: number): ServerReport | null
  /** Whether the backend with this slot ignores health and ejection because too few of its servers are usable. */
  panics(slot: number): boolean
  /** Counts of all servers and breakers since the start, including removed ones. */
  tally(): ServerTally
  trips(): number
  breakers(): Iterable<BreakerReport>
  limits(): Iterable<LimitReport>
}
