/** Candidates drawn at random, each as often as its weight says. */
import type { Refused } from './balancer.ts'
import type { Endpoint } from './endpoint.ts'
import { smoothTurns } from './round-robin.ts'

/** After this many in vain all endpoints are looked at. */
const MAX_DRAWS = 8

export interface Draw {
  /** Null when all are refused. */
  one(refused: Refused): Endpoint | null
  /** Another one, seldom one that weighs far less; null also when none is met soon. */
  other(than: Endpoint, refused: Refused): Endpoint | null
}

export function createDraw(endpoints: readonly Endpoint[], random: () => number): Draw {
  const lots = smoothTurns(endpoints.map((endpoint) => endpoint.weight))

  function draw(but: Endpoint | null, refused: Refused): Endpoint | null {
    let last: Endpoint | undefined
    for (let draws = 0; draws < MAX_DRAWS; draws++) {
      const endpoint = endpoints[lots[Math.floor(random() * lots.length)] ?? 0]
      // Asked twice, a server that takes one turn in ten would take one in five.
      if (endpoint === undefined || endpoint === but || endpoint === last) continue
      if (!refused(endpoint)) return endpoint
      last = endpoint
    }
    return null
  }

  /** One walk: each that is met replaces the choice so far with the chance that its weight gives it among those met. */
  function drawOfAll(refused: Refused): Endpoint | null {
    let chosen: Endpoint | null = null
    let met = 0
    for (const endpoint of endpoints) {
      if (refused(endpoint)) continue
      met += endpoint.weight
      if (chosen === null || random() * met < endpoint.weight) chosen = endpoint
    }
    return chosen
  }

  /** So that one of two equals always has the other beside it. Next to a heavy one a light one stays as rare as it is. */
  function neighbourOf(than: Endpoint, refused: Refused): Endpoint | null {
    const at = Math.floor(random() * endpoints.length)
    const drawn = endpoints[at]
    const endpoint = drawn === than ? endpoints[(at + 1) % endpoints.length] : drawn
    if (endpoint === undefined || random() * than.weight >= endpoint.weight) return null
    return refused(endpoint) ? null : endpoint
  }

  return {
    one: (refused) => draw(null, refused) ?? drawOfAll(refused),
    other: (than, refused) =>
      endpoints.length < 2 ? null : (draw(than, refused) ?? neighbourOf(than, refused)),
  }
}
