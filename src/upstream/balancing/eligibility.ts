/**
 * Which endpoints a pick skips, from strict to lenient. No closures, because the first attempt of every request comes here. The
 * control plane combines health, ejection and breaker into `admit`; the connect backoff is added here.
 */
import { isAdmitted } from '../../policy/admitted-share.ts'
import { ADMIT_NONE, SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd } from '../../scoreboard/scoreboard.ts'
import type { IsIneligible } from './balancer.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'

/** Unavailable, or it takes a share of its turns (slow start, a recovering breaker) and this turn is not one of them. */
export function skipsTurn(endpoint: Endpoint): boolean {
  const { admit } = endpoint
  if (admit === ADMIT_NONE || endpoint.isBackingOff) return true
  return admit !== 0 && !isAdmitted(admit, sharedAdd(endpoint.slot, SHARED.ticket, 1))
}

/** Not admitted or in connect backoff. Its share does not matter to a client that returns to it, or has no other server. */
export function isUnavailable(endpoint: Endpoint): boolean {
  return endpoint.admit === ADMIT_NONE || endpoint.isBackingOff
}

/** Not admitted. One in connect backoff is tried: that is better than no attempt. */
export function isNotAdmitted(endpoint: Endpoint): boolean {
  return endpoint.admit === ADMIT_NONE
}

/** For a further attempt. */
export function orTried(isIneligible: IsIneligible, tried: readonly Endpoint[]): IsIneligible {
  return tried.length === 0
    ? isIneligible
    : (endpoint) => tried.includes(endpoint) || isIneligible(endpoint)
}
