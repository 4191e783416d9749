/**
 * Combines what is known of a pool's servers into the share of requests that the serving threads give to each:
 *
 *   drained                                     none
 *   down, waiting for a first success, ejected  none, unless the pool panics
 *   otherwise                                   the lesser of what its breaker and its slow start allow
 *
 * Panic: if too few servers are usable, the probes are probably wrong, or those few would break under the load of all. Health
 * and ejection are ignored then.
 */
import { NO_TRAFFIC } from '../../scoreboard/layout.ts'

export interface EligibilityInput {
  /** `waiting`: it gets no requests before its first success. */
  readonly probe: 'unknown' | 'up' | 'down' | 'waiting'
  readonly ejected: boolean
  /** Its last attempts failed. It is still used. */
  readonly failing: boolean
  readonly drain: boolean
  readonly backup: boolean
  /** As in SHARED.trafficShare. */
  readonly breaker: number
  /** The share of a slow start, above 0 to 1. */
  readonly ramp: number
}

export const SERVER_STATES = ['unknown', 'up', 'failing', 'down', 'draining', 'ejected'] as const

/**
 * `unknown`: there are probes, and none has a result yet; without probes a server is up until requests fail. `failing`:
 * connections to it fail (it is passed over for a while after each), or none of its last attempts succeeded.
 */
export type ServerState = (typeof SERVER_STATES)[number]

export interface PoolEligibility {
  /** In the order of the servers. `trafficShare` as in SHARED.trafficShare; in a panic it does not follow from `state`. */
  readonly servers: readonly { readonly state: ServerState; readonly trafficShare: number }[]
  readonly isPanic: boolean
}

/**
 * The pool panics below a share of `panicShare` usable servers, 0 to 1; 0: never. `holds`: without a usable server its requests
 * wait for one (upstream/held-requests.ts), so that programs which have not started, or have stopped, are no reason to panic.
 */
export function decideEligibility(
  servers: readonly EligibilityInput[],
  panicShare: number,
  holds = false,
): PoolEligibility {
  const panicking = holds && noneRuns(servers) ? null : panickingTier(servers, panicShare)
  const isEligible = (server: EligibilityInput): boolean =>
    !server.drain && (isUsable(server) || panicking === tierOf(server))
  const full = {
    primary: longestRamp(servers, 'primary', isEligible),
    backup: longestRamp(servers, 'backup', isEligible),
  }
  return {
    servers: servers.map((server) => ({
      state: stateOf(server),
      trafficShare: isEligible(server) ? shareOf(server, full[tierOf(server)]) : NO_TRAFFIC,
    })),
    isPanic: panicking !== null,
  }
}

type Tier = 'primary' | 'backup'

function tierOf(server: EligibilityInput): Tier {
  return server.backup ? 'backup' : 'primary'
}

function isUsable({ probe, ejected }: EligibilityInput): boolean {
  return (probe === 'up' || probe === 'unknown') && !ejected
}

/** The only place that decides the state of a server for the API, the metrics and the log. */
function stateOf({ probe, ejected, failing, drain }: EligibilityInput): ServerState {
  if (drain) return 'draining'
  if (probe === 'down') return 'down'
  if (probe === 'waiting') return 'unknown'
  if (ejected) return 'ejected'
  return failing ? 'failing' : probe
}

/** Backups are for the case that no primary is usable: while a backup is usable, the pool does not panic. */
function panickingTier(servers: readonly EligibilityInput[], panicShare: number): Tier | null {
  const here = servers.filter(({ drain }) => !drain)
  const primaries = here.filter(({ backup }) => !backup)
  const backups = here.filter(({ backup }) => backup)
  if (primaries.length === 0) return isPanic(backups, panicShare) ? 'backup' : null
  if (backups.some(isUsable)) return null
  return isPanic(primaries, panicShare) ? 'primary' : null
}

/**
 * Servers that wait for their first success count neither for nor against: five new servers beside two good ones are no reason
 * to send requests to programs that are still starting. If there are no others, all are used.
 */
function isPanic(servers: readonly EligibilityInput[], panicShare: number): boolean {
  if (servers.length === 0 || panicShare <= 0) return false
  const known = servers.filter(({ probe }) => probe !== 'waiting')
  const usable = known.filter(isUsable).length
  return usable === 0 || usable / known.length < panicShare
}

/** By its probes. */
function noneRuns(servers: readonly EligibilityInput[]): boolean {
  return servers.every(({ probe, drain }) => drain || probe === 'waiting' || probe === 'down')
}

/** A slow start is relative to the other servers: if all have just started, none gets less. */
function longestRamp(
  servers: readonly EligibilityInput[],
  tier: Tier,
  isEligible: (server: EligibilityInput) => boolean,
): number {
  let longest = 0
  for (const server of servers) {
    if (tierOf(server) !== tier || !isEligible(server) || server.breaker === NO_TRAFFIC) continue
    longest = Math.max(longest, server.ramp)
  }
  return longest
}

function shareOf({ breaker, ramp }: EligibilityInput, fullRamp: number): number {
  if (breaker === NO_TRAFFIC) return NO_TRAFFIC
  const ofRamp = Math.max(1, Math.round((1000 * ramp) / fullRamp))
  const share = Math.min(ofRamp, breaker === 0 ? 1000 : breaker)
  return share >= 1000 ? 0 : share
}

/** A share below this would show neither the server nor us anything. */
const FIRST_SHARE = 0.1

/**
 * The share of a slow start, linear from FIRST_SHARE to 1: the caches of a server that has started are cold, and its code is
 * not compiled. `sinceMs`: since it became usable.
 */
export function slowStartShare(sinceMs: number, slowStartMs: number): number {
  if (slowStartMs <= 0 || sinceMs >= slowStartMs) return 1
  return FIRST_SHARE + (1 - FIRST_SHARE) * (Math.max(0, sinceMs) / slowStartMs)
}
