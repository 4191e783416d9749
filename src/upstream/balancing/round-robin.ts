/**
 * Smooth weighted round-robin: servers a, b, c with weights 3, 1, 1 take turns as a b a c a, not as a a a b c. The order is computed
 * once, as a list of turns; all threads draw turns from one counter in the scoreboard, so that it holds exactly over all.
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

/** Weights that need more turns are made coarser, because the list is rebuilt with every change of the pool. */
const MAX_TURNS = 10_000
/** Servers times turns above which the list is spread instead of computed step by step, which blocks a thread for milliseconds. */
const MAX_STEPS = 1_000_000
/** At least so many turns (and two per server, at most the whole list) are drawn before all servers are looked at. */
const MIN_DRAWS = 16

export const roundRobin: BalancerKind = {
  name: 'round-robin',
  description: 'Servers take turns, as often as their weights say.',
  weight: "A server's share of the requests, against the sum of all weights.",
  takesTurns: true,
  create: createRoundRobin,
}

export function createRoundRobin(
  endpoints: readonly Endpoint[],
  { slot: pool, ticket }: BalancerContext,
): Balancer {
  const { length } = endpoints
  const turns = smoothTurns(endpoints.map((endpoint) => endpoint.weight))
  const draws = Math.min(turns.length, Math.max(MIN_DRAWS, 2 * length))

  return {
    pick(_request: BalancedRequest, isIneligible: IsIneligible): Endpoint | null {
      let turn = 0
      let last: Endpoint | undefined
      // The turn of an ineligible server goes to all others: the shared counter's next turn is drawn, not the next on the list.
      for (let draw = 0; draw < draws; draw++) {
        turn = sharedAdd(pool, ticket, 1) >>> 0
        const endpoint = endpoints[turns[turn % turns.length] ?? 0]
        if (endpoint === undefined || endpoint === last) continue
        if (!isIneligible(endpoint)) return taken(endpoint)
        last = endpoint
      }
      const start = scattered(turn)
      for (let step = 0; step < length; step++) {
        const endpoint = endpoints[(start + step) % length]
        if (endpoint !== undefined && !isIneligible(endpoint)) return taken(endpoint)
      }
      // Completes the round, so that the next pick, which may be more lenient, begins with the same turn.
      sharedAdd(pool, ticket, turns.length - draws)
      return null
    },
  }
}

function taken(endpoint: Endpoint): Endpoint {
  sharedAdd(endpoint.slot, SHARED.inFlight, 1)
  return endpoint
}

/** Spreads consecutive turns. */
function scattered(turn: number): number {
  return Math.imul(turn, 0x9e3779b1) >>> 0
}

/** Indexes in smooth order: at each turn all gain their weight, and the one with the most credit serves and pays the total. */
export function smoothTurns(weights: readonly number[]): Uint32Array {
  const scaled = scale(weights)
  const total = scaled.reduce((sum, weight) => sum + weight, 0)
  const turns = new Uint32Array(total)
  if (scaled.every((weight) => weight === 1)) return turns.map((_, index) => index)
  if (total * scaled.length > MAX_STEPS) return spreadTurns(scaled, turns)
  const credit = new Float64Array(scaled.length)
  for (let turn = 0; turn < total; turn++) {
    let best = 0
    for (const [index, weight] of scaled.entries()) {
      credit[index] = (credit[index] ?? 0) + weight
      if ((credit[index] ?? 0) > (credit[best] ?? 0)) best = index
    }
    credit[best] = (credit[best] ?? 0) - total
    turns[turn] = best
  }
  return turns
}

/** Each server's turns at even distances: nearly as smooth, in O(n log n). */
function spreadTurns(weights: readonly number[], turns: Uint32Array): Uint32Array {
  const places = weights.flatMap((weight, index) =>
    Array.from({ length: weight }, (_, turn) => ({ index, at: (turn + 0.5) / weight })),
  )
  places.sort((one, other) => one.at - other.at || one.index - other.index)
  for (const [turn, { index }] of places.entries()) turns[turn] = index
  return turns
}

function scale(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0)
  const reduced = weights.map((weight) => weight / Math.max(1, divisor))
  const total = reduced.reduce((sum, weight) => sum + weight, 0)
  const room = Math.max(MAX_TURNS, weights.length)
  return total <= room
    ? reduced
    : reduced.map((weight) => Math.max(1, Math.floor((weight * room) / total)))
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other)
}
