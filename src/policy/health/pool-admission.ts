/**
 * All that is known of a pool's servers, made into what the serving threads read: which of its turns each one takes.
 *
 *   drain     none                              whatever else is known
 *   down, waiting for a first success, ejected: none, unless the pool panics
 *   otherwise the lesser of what its breaker and its slow start allow
 *
 * Panic: when too few servers could be used, it is more likely that the probes are wrong, or that those few would break
 * under the load of all, than that nobody else can answer. Health and ejection are ignored then.
 */
import { ADMIT_NONE } from '../../scoreboard/layout.ts'

export interface AdmissionInput {
  /** `waiting`: its first success is outstanding, and it gets no requests before. */
  readonly probe: 'unknown' | 'up' | 'down' | 'waiting'
  readonly ejected: boolean
  /** Its last attempts failed. It is used all the same. */
  readonly failing: boolean
  readonly drain: boolean
  readonly backup: boolean
  /** As in SHARED.admit. */
  readonly breaker: number
  /** Of slow start, above 0 to 1. */
  readonly ramp: number
}

export type ServerState = 'unknown' | 'up' | 'failing' | 'down' | 'draining' | 'ejected'

export interface PoolAdmission {
  /** In the order of the servers. `admit` as in SHARED.admit; in a panic not what `state` makes expect. */
  readonly servers: readonly { readonly state: ServerState; readonly admit: number }[]
  readonly isPanic: boolean
}

/** `panicShare`: below this share of usable servers the pool panics, 0 to 1; 0: never. */
export function admitPool(servers: readonly AdmissionInput[], panicShare: number): PoolAdmission {
  const panicking = panickingTier(servers, panicShare)
  const isAdmitted = (server: AdmissionInput): boolean =>
    !server.drain && (isUsable(server) || panicking === tierOf(server))
  const full = {
    primary: longestRamp(servers, 'primary', isAdmitted),
    backup: longestRamp(servers, 'backup', isAdmitted),
  }
  return {
    servers: servers.map((server) => ({
      state: stateOf(server),
      admit: isAdmitted(server) ? shareOf(server, full[tierOf(server)]) : ADMIT_NONE,
    })),
    isPanic: panicking !== null,
  }
}

type Tier = 'primary' | 'backup'

function tierOf(server: AdmissionInput): Tier {
  return server.backup ? 'backup' : 'primary'
}

function isUsable({ probe, ejected }: AdmissionInput): boolean {
  return (probe === 'up' || probe === 'unknown') && !ejected
}

/** The one place where what is known of a server becomes the word that API, metrics and log have for it. */
function stateOf({ probe, ejected, failing, drain }: AdmissionInput): ServerState {
  if (drain) return 'draining'
  if (probe === 'down') return 'down'
  if (probe === 'waiting') return 'unknown'
  if (ejected) return 'ejected'
  return failing ? 'failing' : probe
}

/** Backups count apart. They are there for the case that primaries cannot be used: while one can, nobody panics. */
function panickingTier(servers: readonly AdmissionInput[], panicShare: number): Tier | null {
  const here = servers.filter(({ drain }) => !drain)
  const primaries = here.filter(({ backup }) => !backup)
  const backups = here.filter(({ backup }) => backup)
  if (primaries.length === 0) return isPanic(backups, panicShare) ? 'backup' : null
  if (backups.some(isUsable)) return null
  return isPanic(primaries, panicShare) ? 'primary' : null
}

/**
 * Those that wait for their first success speak neither for nor against the pool: five new servers beside two good ones are
 * no reason to send requests to programs that are still starting. When nothing else is there, all are used.
 */
function isPanic(servers: readonly AdmissionInput[], panicShare: number): boolean {
  if (servers.length === 0 || panicShare <= 0) return false
  const known = servers.filter(({ probe }) => probe !== 'waiting')
  const usable = known.filter(isUsable).length
  return usable === 0 || usable / known.length < panicShare
}

/** Slow start is a share of what the others take: when all have just come, none is spared. */
function longestRamp(
  servers: readonly AdmissionInput[],
  tier: Tier,
  isAdmitted: (server: AdmissionInput) => boolean,
): number {
  let longest = 0
  for (const server of servers) {
    if (tierOf(server) !== tier || !isAdmitted(server) || server.breaker === ADMIT_NONE) continue
    longest = Math.max(longest, server.ramp)
  }
  return longest
}

function shareOf({ breaker, ramp }: AdmissionInput, fullRamp: number): number {
  if (breaker === ADMIT_NONE) return ADMIT_NONE
  const ofRamp = Math.max(1, Math.round((1000 * ramp) / fullRamp))
  const share = Math.min(ofRamp, breaker === 0 ? 1000 : breaker)
  return share >= 1000 ? 0 : share
}
