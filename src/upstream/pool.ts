/** A backend, live: its endpoints and the policy that picks among them. It outlives every change to its declaration. */
import type { PlacedBackend } from '../model/snapshot.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, type Slot, sharedAdd } from '../scoreboard/scoreboard.ts'
import { type Balancer, BALANCERS } from './balancer.ts'
import { Endpoint, type EndpointContext } from './endpoint.ts'

export interface PoolContext extends EndpointContext {
  readonly slot: (number: number) => Slot
}

export class Pool {
  readonly id: string
  readonly slot: Slot
  readonly #context: PoolContext
  #endpoints: readonly Endpoint[] = []
  #balancer: Balancer

  constructor(placed: PlacedBackend, context: PoolContext) {
    this.id = placed.object.id
    this.slot = context.slot(placed.slot)
    this.#context = context
    this.#balancer = BALANCERS[placed.object.balance]([], this.slot)
    this.update(placed)
  }

  /** Keeps the endpoints whose urls stay; retires those that are gone. */
  update(placed: PlacedBackend): void {
    const { object: backend, serverSlots } = placed
    const { slot } = this.#context
    const before = new Map(this.#endpoints.map((endpoint) => [endpoint.url, endpoint]))
    this.#endpoints = backend.servers.map((server, index) => {
      const known = before.get(server.url)
      if (known === undefined || !known.fits(backend)) {
        return new Endpoint(backend, server, slot(serverSlots[index] ?? 0), this.#context)
      }
      before.delete(server.url)
      known.weight = server.weight
      known.timeouts = backend.timeouts
      known.limits = backend.limits
      return known
    })
    for (const gone of before.values()) gone.retire()
    this.#balancer = BALANCERS[backend.balance](this.#endpoints, this.slot)
  }

  /**
   * An endpoint, its in-flight count taken (give it back by `done`). Those that rest are passed over, unless nothing
   * else is left: then a try is better than none.
   */
  pick(tried: readonly Endpoint[]): Endpoint | null {
    const endpoint =
      tried.length === 0
        ? (this.#balancer.pick(rests) ?? this.#balancer.pick(nobody))
        : (this.#balancer.pick((one) => rests(one) || tried.includes(one)) ??
          this.#balancer.pick((one) => tried.includes(one)))
    if (endpoint !== null) count(endpoint.slot, COUNT.inFlight, 1)
    return endpoint
  }

  done(endpoint: Endpoint): void {
    sharedAdd(endpoint.slot, SHARED.inFlight, -1)
    count(endpoint.slot, COUNT.inFlight, -1)
  }

  retire(): void {
    for (const endpoint of this.#endpoints) endpoint.retire()
  }
}

function rests(endpoint: Endpoint): boolean {
  return endpoint.resting
}

function nobody(): boolean {
  return false
}
