/**
 * Weighted least connections: the fewest exchanges in flight per weight, over all threads. Servers take weighted turns: a server
 * that is idle at its turn gets the request without a look at the others, else all are compared, beginning with it. The
 * in-flight count is taken by compare-and-exchange, so that two threads do not both pick the same least loaded server.
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

/** After this many lost races between threads any pick is as good. */
const MAX_RACES = 8
/** Turns that are drawn before all servers are compared. */
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

  /** `but`: already found ineligible. */
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
      if (best === null || tryTake(best, bestCount)) return best
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
        else if (tryTake(endpoint, 0)) return endpoint
      }
      const endpoint = leastFrom(first, last, isIneligible)
      // As in round-robin: the next pick begins with the same turn.
      if (endpoint === null) sharedAdd(pool, ticket, turns.length - draws)
      return endpoint
    },
  }
}

/** Adds one to the in-flight count; false if another thread was faster. */
function tryTake({ slot: { shared, at } }: Endpoint, count: number): boolean {
  return Atomics.compareExchange(shared, at + SHARED.inFlight, count, count + 1) === count
}

/**
 * The share of its weight that counts during slow start. Skipping most of its turns is not enough here: a new server is idle, and
 * would be the least loaded each time.
 */
function shareOf({ trafficShare }: Endpoint): number {
  return trafficShare > 0 ? trafficShare / 1000 : 1
}
