/** Draws endpoints at random in proportion to their weights. */
import type { IsIneligible } from './balancer.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'
import { smoothTurns } from './round-robin.ts'

/** After this many draws without result all endpoints are looked at. */
const MAX_DRAWS = 8

export interface WeightedDraw {
  /** Null if all are ineligible. */
  one(isIneligible: IsIneligible): Endpoint | null
  /** Another one; null also if none was drawn soon. */
  other(than: Endpoint, isIneligible: IsIneligible): Endpoint | null
}

export function createWeightedDraw(
  endpoints: readonly Endpoint[],
  random: () => number,
): WeightedDraw {
  const turns = smoothTurns(endpoints.map((endpoint) => endpoint.weight))

  function draw(but: Endpoint | null, isIneligible: IsIneligible): Endpoint | null {
    let last: Endpoint | undefined
    for (let draws = 0; draws < MAX_DRAWS; draws++) {
      const endpoint = endpoints[turns[Math.floor(random() * turns.length)] ?? 0]
      // Asking twice would let a server that takes one turn in ten take one in five.
      if (endpoint === undefined || endpoint === but || endpoint === last) continue
      if (!isIneligible(endpoint)) return endpoint
      last = endpoint
    }
    return null
  }

  /** One pass: each eligible endpoint replaces the choice so far with the probability weight / weight so far. */
  function drawOfAll(isIneligible: IsIneligible): Endpoint | null {
    let chosen: Endpoint | null = null
    let weightSoFar = 0
    for (const endpoint of endpoints) {
      if (isIneligible(endpoint)) continue
      weightSoFar += endpoint.weight
      if (chosen === null || random() * weightSoFar < endpoint.weight) chosen = endpoint
    }
    return chosen
  }

  /** So that of two equal endpoints the other is always found. A light one beside a heavy one is taken in proportion. */
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
