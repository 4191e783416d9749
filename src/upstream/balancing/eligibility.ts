/**
 * Which endpoints a pick skips, from strict to lenient. No closures, because the first attempt of every request comes here. The
 * control plane combines health, ejection and breaker into `trafficShare`; the connect backoff is added here.
 */
import { takesRequest } from '../../policy/traffic-share.ts'
import { NO_TRAFFIC, SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd } from '../../scoreboard/scoreboard.ts'
import type { IsIneligible } from './balancer.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'

/** Unavailable, or it takes a share of its turns (slow start, a recovering breaker) and this turn is not one of them. */
export function skipsTurn(endpoint: Endpoint): boolean {
  const { trafficShare } = endpoint
  if (trafficShare === NO_TRAFFIC || endpoint.isBackingOff) return true
  return (
    trafficShare !== 0 && !takesRequest(trafficShare, sharedAdd(endpoint.slot, SHARED.ticket, 1))
  )
}

/** Excluded or in connect backoff. Its share does not matter to a client that returns to it, or has no other server. */
export function isUnavailable(endpoint: Endpoint): boolean {
  return endpoint.trafficShare === NO_TRAFFIC || endpoint.isBackingOff
}

/** Health, ejection or a breaker excludes it. One in connect backoff is tried: that is better than no attempt. */
export function isExcluded(endpoint: Endpoint): boolean {
  return endpoint.trafficShare === NO_TRAFFIC
}

/** For a further attempt. */
export function orTried(isIneligible: IsIneligible, tried: readonly Endpoint[]): IsIneligible {
  return tried.length === 0
    ? isIneligible
    : (endpoint) => tried.includes(endpoint) || isIneligible(endpoint)
}
