/** How it stands with servers, breakers and adaptive limits: what /api/servers and /api/breakers show and /metrics counts. */

import type { NameReport } from '../../dns/resolver.ts'

export const SERVER_STATES = ['unknown', 'up', 'failing', 'down', 'draining', 'ejected'] as const

/**
 * `unknown`: there are probes, and none has told yet. Without probes a server is up until requests tell otherwise. `failing`:
 * connections to it fail (it is passed over for a while after each), or none of its last attempts went well.
 */
export type ServerState = (typeof SERVER_STATES)[number]

export const EJECTION_REASONS = ['failures', 'errors', 'success-rate'] as const

export type EjectionReason = (typeof EJECTION_REASONS)[number]

/** Times are ms since the epoch. */
export interface ServerReport {
  readonly backend: string
  readonly id: string
  readonly url: string
  readonly state: ServerState
  /** Of the state. */
  readonly since: number
  /** Why it is in this state, where there is more to say than its name. */
  readonly reason: string | null
  /** The share of its turns that it takes, 0 to 1: health, ejection, breaker, slow start and back-off together. */
  readonly admit: number
  readonly inFlight: number
  readonly ejections: number
  readonly lastProbe: ProbeReport | null
  readonly tally: ServerTally
  /** Where its name leads; null: it is named by its address. */
  readonly resolution?: NameReport | null
}

export interface ProbeReport {
  readonly ok: boolean
  readonly at: number
  /** Why it failed. */
  readonly reason: string | null
}

/** What has happened to a server since it came, or to all servers since the start. */
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

export const BREAKER_STATES = ['standby', 'tripped', 'recovering'] as const

/** Of a frontend, or of one server of a backend. */
export interface BreakerReport {
  readonly frontend: string | null
  readonly backend: string | null
  readonly server: string | null
  readonly condition: string
  readonly state: (typeof BREAKER_STATES)[number]
  readonly since: number
  readonly trips: number
  /** Of requests that it lets through, 0 to 1. */
  readonly share: number
}

/** What an adaptive limit allows now. Of a frontend, or of all frontends of a backend. */
export interface LimitReport {
  readonly frontend: string | null
  readonly backend: string | null
  readonly limit: number
}

/** What a scrape reads. */
export interface HealthView {
  /** By the slots that they are counted in. Null: it is not known here. */
  server(slot: number): ServerReport | null
  /** Whether the backend ignores health and ejection because too few of its servers are well. */
  panics(slot: number): boolean
  /** Of all servers and of all breakers that there ever were. */
  tally(): ServerTally
  trips(): number
  breakers(): Iterable<BreakerReport>
  limits(): Iterable<LimitReport>
}
