/**
 * Which endpoints a pick passes over, from strict to lenient. No closures: the first attempt of every request comes here. The
 * control plane has weighed health, ejection and breaker when it writes `admit`; a rest is what connecting tells by itself.
 */
import { isAdmitted } from '../../policy/admitted-share.ts'
import { ADMIT_NONE, SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd } from '../../scoreboard/scoreboard.ts'
import type { IsIneligible } from './balancer.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'

/** Unfit, or it takes a share of its turns (it starts slowly, its breaker recovers) and this is none of them. */
export function skipsTurn(endpoint: Endpoint): boolean {
  const { admit } = endpoint
  if (admit === ADMIT_NONE || endpoint.isBackingOff) return true
  return admit !== 0 && !isAdmitted(admit, sharedAdd(endpoint.slot, SHARED.ticket, 1))
}

/** It may not be used, or rests: who comes back to it, or has no other, is not turned away for its share. */
export function isUnavailable(endpoint: Endpoint): boolean {
  return endpoint.admit === ADMIT_NONE || endpoint.isBackingOff
}

/** It may not be used. One that rests may: a try is better than none. */
export function isNotAdmitted(endpoint: Endpoint): boolean {
  return endpoint.admit === ADMIT_NONE
}

/** For a further attempt. */
export function orTried(isIneligible: IsIneligible, tried: readonly Endpoint[]): IsIneligible {
  return tried.length === 0
    ? isIneligible
    : (endpoint) => tried.includes(endpoint) || isIneligible(endpoint)
}
