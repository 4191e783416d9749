/** Weighted random. Stateless, so threads and instances share nothing. */
import { SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd } from '../../scoreboard/scoreboard.ts'
import type {
  BalancedRequest,
  Balancer,
  BalancerContext,
  BalancerKind,
  IsIneligible,
} from './balancer.ts'
import { createWeightedDraw } from './weighted-draw.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'

export const random: BalancerKind = {
  name: 'random',
  description: 'A server is drawn at random, by weight.',
  weight: 'How often the server is drawn.',
  create: createRandom,
}

function createRandom(endpoints: readonly Endpoint[], { random }: BalancerContext): Balancer {
  const draw = createWeightedDraw(endpoints, random)
  return {
    pick(_request: BalancedRequest, isIneligible: IsIneligible): Endpoint | null {
      const endpoint = draw.one(isIneligible)
      if (endpoint !== null) sharedAdd(endpoint.slot, SHARED.inFlight, 1)
      return endpoint
    },
  }
}
