/**
 * Weighted least connections: the fewest exchanges under way per weight, over all threads. Equals, as idle servers are,
 * share by weighted turns. The count is taken by compare-and-exchange: two threads that saw the same least
 * loaded server do not both get it.
 */
import { SHARED } from '../scoreboard/layout.ts'
import { type Slot, sharedAdd } from '../scoreboard/scoreboard.ts'
import type { Balancer, Refused } from './balancer.ts'
import type { Endpoint } from './endpoint.ts'
import { smoothTurns } from './round-robin.ts'

/** After this many lost races any pick is as good. */
const MAX_RACES = 8

export function createLeastConnections(endpoints: readonly Endpoint[], pool: Slot): Balancer {
  const { length } = endpoints
  const turns = smoothTurns(endpoints.map((endpoint) => endpoint.weight))
  return {
    pick(refused: Refused): Endpoint | null {
      if (length === 0) return null
      const first = turns[(sharedAdd(pool, SHARED.ticket, 1) >>> 0) % turns.length] ?? 0
      for (let race = 0; ; race++) {
        let best: Endpoint | null = null
        let bestLoad = Infinity
        let bestCount = 0
        for (let step = 0; step < length; step++) {
          const endpoint = endpoints[(first + step) % length]
          if (endpoint === undefined) continue
          const count = endpoint.inFlight
          const load = count / endpoint.weight
          if (load >= bestLoad || refused(endpoint)) continue
          best = endpoint
          bestLoad = load
          bestCount = count
        }
        if (best === null) return null
        const { shared, at } = best.slot
        const cell = at + SHARED.inFlight
        if (Atomics.compareExchange(shared, cell, bestCount, bestCount + 1) === bestCount)
          return best
        if (race < MAX_RACES) continue
        Atomics.add(shared, cell, 1)
        return best
      }
    },
  }
}
