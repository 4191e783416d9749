/** Candidates drawn at random, each as often as its weight says. */
import type { IsIneligible } from './balancer.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'
import { smoothTurns } from './round-robin.ts'

/** After this many in vain all endpoints are looked at. */
const MAX_DRAWS = 8

export interface WeightedDraw {
  /** Null when all are refused. */
  one(isIneligible: IsIneligible): Endpoint | null
  /** Another one, seldom one that weighs far less; null also when none is met soon. */
  other(than: Endpoint, isIneligible: IsIneligible): Endpoint | null
}

export function createWeightedDraw(
  endpoints: readonly Endpoint[],
  random: () => number,
): WeightedDraw {
  const lots = smoothTurns(endpoints.map((endpoint) => endpoint.weight))

  function draw(but: Endpoint | null, isIneligible: IsIneligible): Endpoint | null {
    let last: Endpoint | undefined
    for (let draws = 0; draws < MAX_DRAWS; draws++) {
      const endpoint = endpoints[lots[Math.floor(random() * lots.length)] ?? 0]
      // Asked twice, a server that takes one turn in ten would take one in five.
      if (endpoint === undefined || endpoint === but || endpoint === last) continue
      if (!isIneligible(endpoint)) return endpoint
      last = endpoint
    }
    return null
  }

  /** One walk: each that is met replaces the choice so far with the chance that its weight gives it among those met. */
  function drawOfAll(isIneligible: IsIneligible): Endpoint | null {
    let chosen: Endpoint | null = null
    let met = 0
    for (const endpoint of endpoints) {
      if (isIneligible(endpoint)) continue
      met += endpoint.weight
      if (chosen === null || random() * met < endpoint.weight) chosen = endpoint
    }
    return chosen
  }

  /** So that one of two equals always has the other beside it. Next to a heavy one a light one stays as rare as it is. */
  function neighbourOf(than: Endpoint, isIneligible: IsIneligible): Endpoint | null {
    const at = Math.floor(random() * endpoints.length)
    const drawn = endpoints[at]
    const endpoint = drawn === than ? endpoints[(at + 1) % endpoints.length] : drawn
    if (endpoint === undefined || random() * than.weight >= endpoint.weight) return null
    return isIneligible(endpoint) ? null : endpoint
  }

  return {
    one: (isIneligible) => draw(null, isIneligible) ?? drawOfAll(isIneligible),
    other: (than, isIneligible) =>
      endpoints.length < 2 ? null : (draw(than, isIneligible) ?? neighbourOf(than, isIneligible)),
  }
}
