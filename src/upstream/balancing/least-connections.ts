/**
 * Weighted least connections: the fewest exchanges under way per weight, over all threads. Servers take weighted turns; who is
 * idle when its turn comes gets the request without a look at the others, and else they are compared from there on. The
 * count is taken by compare-and-exchange: two threads that saw the same least loaded server do not both get it.
 */
import { SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd } from '../../scoreboard/scoreboard.ts'
import type {
  BalancedRequest,
  Balancer,
  BalancerContext,
  BalancerKind,
  IsIneligible,
} from './balancer.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'
import { smoothTurns } from './round-robin.ts'

/** After this many lost races any pick is as good. */
const MAX_RACES = 8
/** Turns of refused servers that are passed on; after these all are compared. */
const MAX_DRAWS = 16

export const leastConnections: BalancerKind = {
  name: 'least-connections',
  description: 'The server with the fewest requests in flight for its weight, over all workers.',
  weight: 'Weight 3 allows three requests in flight for each one of weight 1.',
  takesTurns: true,
  create: createLeastConnections,
}

function createLeastConnections(
  endpoints: readonly Endpoint[],
  { slot: pool, ticket }: BalancerContext,
): Balancer {
  const { length } = endpoints
  const turns = smoothTurns(endpoints.map((endpoint) => endpoint.weight))
  const draws = Math.min(turns.length, MAX_DRAWS)

  /** `but`: refused already. */
  function leastFrom(
    first: number,
    but: Endpoint | null,
    isIneligible: IsIneligible,
  ): Endpoint | null {
    for (let race = 0; ; race++) {
      let best: Endpoint | null = null
      let bestLoad = Infinity
      let bestCount = 0
      for (let step = 0; step < length; step++) {
        const endpoint = endpoints[(first + step) % length]
        if (endpoint === undefined || endpoint === but) continue
        const count = endpoint.inFlight
        if (count / endpoint.weight >= bestLoad) continue
        const load = count / (endpoint.weight * shareOf(endpoint))
        if (load >= bestLoad || isIneligible(endpoint)) continue
        best = endpoint
        bestLoad = load
        bestCount = count
      }
      if (best === null || takes(best, bestCount)) return best
      if (race < MAX_RACES) continue
      sharedAdd(best.slot, SHARED.inFlight, 1)
      return best
    }
  }

  return {
    pick(_request: BalancedRequest, isIneligible: IsIneligible): Endpoint | null {
      let first = 0
      let last: Endpoint | null = null
      for (let draw = 0; draw < draws; draw++) {
        first = turns[(sharedAdd(pool, ticket, 1) >>> 0) % turns.length] ?? 0
        const endpoint = endpoints[first]
        if (endpoint === undefined || endpoint === last) continue
        if (endpoint.inFlight > 0) return leastFrom(first, last, isIneligible)
        if (isIneligible(endpoint)) last = endpoint
        else if (takes(endpoint, 0)) return endpoint
      }
      const endpoint = leastFrom(first, last, isIneligible)
      // As in round-robin: the next look begins where this one has.
      if (endpoint === null) sharedAdd(pool, ticket, turns.length - draws)
      return endpoint
    },
  }
}

/** One more under way; false when another thread was faster. */
function takes({ slot: { shared, at } }: Endpoint, count: number): boolean {
  return Atomics.compareExchange(shared, at + SHARED.inFlight, count, count + 1) === count
}

/**
 * Of its weight, while a server starts slowly. Refusing most of its turns is not enough here: idle as it comes, it would
 * be the least loaded each time.
 */
function shareOf({ admit }: Endpoint): number {
  return admit > 0 ? admit / 1000 : 1
}
