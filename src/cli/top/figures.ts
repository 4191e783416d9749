/** What `sluice top` shows, from what the API responds. */
import type {
  BreakerState,
  Client,
  ServerState,
  VulcandFrontend,
  VulcandServer,
  VulcandStats,
} from '../../client/client.ts'

export interface Traffic {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  /** By code, the share of all requests, 0 to 1. */
  readonly codes: Readonly<Record<string, number>>
  readonly netErrors: number
}

export interface FrontendFigures extends Traffic {
  readonly id: string
  readonly route: string
  readonly backend: string
  /** Null: it has none. */
  readonly breaker: string | null
}

export interface BackendFigures {
  readonly id: string
  readonly up: number
  readonly servers: number
  readonly inFlight: number
  readonly breaker: string | null
}

export interface ServerFigures extends Traffic {
  readonly id: string
  readonly url: string
  /** More than one if several have the same server. */
  readonly backends: readonly string[]
  readonly state: string
  readonly inFlight: number
  readonly breaker: string | null
}

export interface Figures {
  /** Of the window that the figures are of. */
  readonly periodMs: number
  readonly frontends: readonly FrontendFigures[]
  readonly backends: readonly BackendFigures[]
  readonly servers: readonly ServerFigures[]
}

export interface FiguresWanted {
  readonly limit: number
  readonly backend: string | null
}

/** Rejects if the API does not respond. */
export async function readFigures(
  client: Pick<Client, 'vulcand' | 'servers' | 'breakers'>,
  { limit, backend }: FiguresWanted,
  signal: AbortSignal,
): Promise<Figures> {
  const of = backend === null ? { signal } : { backend, signal }
  const [frontends, servers, states, breakers] = await Promise.all([
    client.vulcand.topFrontends({ ...of, limit }),
    client.vulcand.topServers({ ...of, limit }),
    client.servers(of),
    client.breakers({ signal }),
  ])
  const of0 = frontends[0] ?? servers[0]
  return {
    periodMs: (of0?.Stats.Counters.Period ?? 0) / 1e6,
    frontends: frontends.map((frontend) => frontendFigures(frontend, breakers)),
    backends: backendFigures(states, breakers),
    servers: servers.map((server) => serverFigures(server, states, breakers)),
  }
}

function frontendFigures(
  { Id, Route, BackendId, Stats }: VulcandFrontend & { readonly Stats: VulcandStats },
  breakers: readonly BreakerState[],
): FrontendFigures {
  const own = breakers.filter(({ frontend }) => frontend === Id)
  return { id: Id, route: Route, backend: BackendId, ...trafficOf(Stats), breaker: worst(own) }
}

function backendFigures(
  states: readonly ServerState[],
  breakers: readonly BreakerState[],
): readonly BackendFigures[] {
  const byBackend = Map.groupBy(states, ({ backend }) => backend)
  const found = [...byBackend].map(([id, servers]) => ({
    id,
    up: servers.filter(({ admit }) => admit > 0).length,
    servers: servers.length,
    inFlight: servers.reduce((sum, { inFlight }) => sum + inFlight, 0),
    breaker: worst(breakers.filter(({ backend }) => backend === id)),
  }))
  // The ones in need first.
  return found.toSorted((a, b) => a.up / a.servers - b.up / b.servers || b.inFlight - a.inFlight)
}

function serverFigures(
  { Id, URL: url, Stats }: VulcandServer & { readonly Stats: VulcandStats },
  states: readonly ServerState[],
  breakers: readonly BreakerState[],
): ServerFigures {
  const own = states.filter((one) => one.id === Id && one.url === url)
  const isOwn = ({ backend, server }: BreakerState): boolean =>
    server === Id && own.some((one) => one.backend === backend)
  return {
    ...{ id: Id, url, backends: own.map(({ backend }) => backend) },
    ...trafficOf(Stats),
    state: [...new Set(own.map(({ state }) => state))].join(','),
    inFlight: own.reduce((sum, { inFlight }) => sum + inFlight, 0),
    breaker: worst(breakers.filter(isOwn)),
  }
}

function trafficOf({ Counters, LatencyBrackets }: VulcandStats): Traffic {
  const { Period, NetErrors, Total, StatusCodes } = Counters
  const at = (quantile: number): number =>
    (LatencyBrackets.find((one) => one.Quantile === quantile)?.Value ?? 0) / 1e6
  const shares = StatusCodes.map(({ Code, Count }) => [String(Code), Count / Math.max(1, Total)])
  return {
    requestsPerSecond: Period <= 0 ? 0 : Total / (Period / 1e9),
    ...{ p50Ms: at(50), p95Ms: at(95), p99Ms: at(99) },
    codes: Object.fromEntries(shares) as Record<string, number>,
    netErrors: Total === 0 ? 0 : NetErrors / Total,
  }
}

/** A tripped breaker counts more than one that recovers. */
function worst(breakers: readonly BreakerState[]): string | null {
  const states = breakers.map(({ state }) => state)
  return ['tripped', 'recovering'].find((state) => states.includes(state)) ?? states[0] ?? null
}
