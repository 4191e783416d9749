/**
 * Smooth weighted round-robin: servers a, b, c of weights 3, 1, 1 take their turns as a b a c a, not as a a a b c. The order
 * is made once, as a list of turns; threads draw turns from one counter in the scoreboard, so that it holds over all of
 * them exactly.
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

/** Above this the weights are made coarser: the list is rebuilt on every change of the pool. */
const MAX_TURNS = 10_000
/** Servers times turns above which the list is spread instead of played through: milliseconds of a serving thread. */
const MAX_STEPS = 1_000_000
/** So many turns are drawn at least (and two a server, at most the whole list) before all servers are walked over. */
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
      // A refused server's turns go to all others: the next turn of all threads is drawn, not the next on the list.
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
      // The whole list is passed over, so that the next look, which may refuse less, begins where this one has.
      sharedAdd(pool, ticket, turns.length - draws)
      return null
    },
  }
}

function taken(endpoint: Endpoint): Endpoint {
  sharedAdd(endpoint.slot, SHARED.inFlight, 1)
  return endpoint
}

/** Turns that follow each other lie far apart. */
function scattered(turn: number): number {
  return Math.imul(turn, 0x9e3779b1) >>> 0
}

/** Indexes in smooth order: each turn all gain their weight, the furthest ahead serves and pays the sum. */
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

/** Each server's turns at even distances: nearly as smooth, in n log n. */
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
