/**
 * The power of two choices over latency: two servers are drawn by weight, and the one with the lower cost gets the request. The
 * cost is the peak-EWMA latency times the exchanges in flight: a slow server is avoided after one response, a hanging one as
 * its exchanges accumulate. Two choices instead of the best of all, because threads with the same figures would all pick the
 * same server. See policy/ewma.ts.
 */
import { ewmaAt } from '../../policy/ewma.ts'
import { SHARED } from '../../scoreboard/layout.ts'
import { sharedAdd, sharedLoad } from '../../scoreboard/scoreboard.ts'
import type {
  BalancedRequest,
  Balancer,
  BalancerContext,
  BalancerKind,
  IsIneligible,
} from './balancer.ts'
import { createWeightedDraw } from './weighted-draw.ts'
import type { Endpoint } from '../endpoint/endpoint.ts'

/** The latency of a server that has requests in flight and no measurement: higher than any measured one. */
const UNKNOWN_MICROS = 1e10

export const peakEwma: BalancerKind = {
  name: 'peak-ewma',
  description:
    'Of two servers drawn at random, the one with lower latency and fewer requests in flight.',
  weight: 'How often the server is drawn, and how much it may have in flight for the same cost.',
  measuresLatency: true,
  create: createPeakEwma,
}

function createPeakEwma(
  endpoints: readonly Endpoint[],
  { random, now }: BalancerContext,
): Balancer {
  const draw = createWeightedDraw(endpoints, random)
  const usualWeight =
    endpoints.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, endpoints.length)

  return {
    pick(_request: BalancedRequest, isIneligible: IsIneligible): Endpoint | null {
      const first = draw.one(isIneligible)
      if (first === null) return null
      const second = draw.other(first, isIneligible)
      // At equal cost the first, because only the first was drawn by weight among all.
      const endpoint = second === null ? first : cheaper(first, second, usualWeight, now())
      sharedAdd(endpoint.slot, SHARED.inFlight, 1)
      return endpoint
    },
  }
}

function cheaper(first: Endpoint, second: Endpoint, usualWeight: number, now: number): Endpoint {
  return costOf(second, usualWeight, now) < costOf(first, usualWeight, now) ? second : first
}

/**
 * The weight divides the exchanges in flight, not the latency: idle servers with equal latency cost the same and share requests by
 * the draw, and under load the exchanges of each grow towards its share.
 */
function costOf({ slot, weight }: Endpoint, usualWeight: number, now: number): number {
  const inFlight = sharedLoad(slot, SHARED.inFlight)
  const errors = sharedLoad(slot, SHARED.errorStreak)
  const micros = ewmaAt(slot, now)
  // Not measured yet: it gets one request soon, and no second one before the response.
  if (micros === 0 && inFlight === 0 && errors === 0) return 0
  // Failing immediately does not make a server fast.
  return (micros || UNKNOWN_MICROS) * (1 + (inFlight * usualWeight) / weight) * (1 + errors)
}
