/** Weighted random: no state, so nothing that threads or instances would have to agree on. */
import { SHARED } from '../scoreboard/layout.ts'
import { sharedAdd } from '../scoreboard/scoreboard.ts'
import type { Balanced, Balancer, BalancerContext, BalancerKind, Refused } from './balancer.ts'
import { createDraw } from './draw.ts'
import type { Endpoint } from './endpoint.ts'

export const random: BalancerKind = {
  name: 'random',
  description: 'A server is drawn at random, by weight.',
  weight: 'How often the server is drawn.',
  create: createRandom,
}

function createRandom(endpoints: readonly Endpoint[], { random }: BalancerContext): Balancer {
  const draw = createDraw(endpoints, random)
  return {
    pick(_request: Balanced, refused: Refused): Endpoint | null {
      const endpoint = draw.one(refused)
      if (endpoint !== null) sharedAdd(endpoint.slot, SHARED.inFlight, 1)
      return endpoint
    },
  }
}
