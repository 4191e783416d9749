/** The seam of the balancing policies: one file a policy, one line in `BALANCERS`. */
import type { Backend } from '../model/snapshot.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import type { Endpoint } from './endpoint.ts'
import { createLeastConnections } from './least-connections.ts'
import { createRoundRobin } from './round-robin.ts'

/** Made anew when the endpoints change; what outlives that stands in the slots. */
export interface Balancer {
  /** An endpoint that is not refused, with its in-flight count already taken; null when there is none. */
  pick(refused: Refused): Endpoint | null
}

export type Refused = (endpoint: Endpoint) => boolean

export type CreateBalancer = (endpoints: readonly Endpoint[], pool: Slot) => Balancer

export const BALANCERS: Readonly<Record<Backend['balance'], CreateBalancer>> = {
  'round-robin': createRoundRobin,
  'least-connections': createLeastConnections,
}
