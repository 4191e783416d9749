/** The seam of the balancing policies: one file a policy, one line in `BALANCERS`. */
import type { Exchange } from '../http/exchange.ts'
import type { BalancePolicy, HashKey } from '../model/snapshot.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import type { Endpoint } from './endpoint.ts'
import { createHash } from './hash.ts'
import { createLeastConnections } from './least-connections.ts'
import { createPeakEwma } from './peak-ewma.ts'
import { createRandom } from './random.ts'
import { createRoundRobin } from './round-robin.ts'

/** Made anew when the endpoints change; what outlives that stands in the slots. */
export interface Balancer {
  /** An endpoint that is not refused, with its in-flight count already taken; null when there is none. */
  pick(request: Balanced, refused: Refused): Endpoint | null
}

/** What a policy may look at of a request. */
export type Balanced = Pick<Exchange, 'clientIp' | 'path' | 'query' | 'field'>

/** It may take one of the endpoint's turns: asked about each candidate, and not again about the same one in a row. */
export type Refused = (endpoint: Endpoint) => boolean

/** What policies of a pool share. */
export interface BalancerContext {
  /** Of the backend. */
  readonly slot: Slot
  /** The cell of the slot that counts turns over all threads. */
  readonly ticket: number
  readonly hash: HashKey
  /** From 0 up to 1. */
  readonly random: () => number
  /** The board's clock, ms. */
  readonly now: () => number
}

export type CreateBalancer = (endpoints: readonly Endpoint[], context: BalancerContext) => Balancer

export const BALANCERS: Readonly<Record<BalancePolicy, CreateBalancer>> = {
  'round-robin': createRoundRobin,
  'least-connections': createLeastConnections,
  random: createRandom,
  'peak-ewma': createPeakEwma,
  hash: createHash,
}
