/** A live backend: its endpoints and the balancer. It survives every change of its declaration. */
import type { Deadlines } from '../http/connection/deadlines.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Backend, PlacedBackend, Timeouts } from '../model/snapshot.ts'
import { parseCondition } from '../policy/breaking/condition.ts'
import { compileRetry, type RetryPolicy } from '../policy/retrying/retry.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, type Slot, sharedAdd } from '../scoreboard/scoreboard.ts'
import { type BalancedRequest, balancerOf } from './balancing/balancer.ts'
import type { BreakerCount, Endpoint, EndpointContext } from './endpoint/endpoint.ts'
import { createEndpoint } from './endpoint/create-endpoint.ts'
import { type HeldPool, HeldRequests, holdOptionsOf } from './held-requests.ts'
import { PinnedConnections } from './pinned-connections.ts'
import { PoolRetryBudget } from './retry-budget.ts'
import { isExcluded, isUnavailable, orTried, skipsTurn } from './balancing/eligibility.ts'
import type { ServerExchange } from './endpoint/server-exchange.ts'
import { Stickiness } from './balancing/sticky.ts'
import { type Ineligibility, Tiers } from './balancing/tiers.ts'

export interface PoolContext extends EndpointContext {
  readonly slot: (number: number) => Slot
  /** From 0 up to 1. */
  readonly random: () => number
  /** The key of sticky cookies without a secret of their own. */
  readonly stickyKey: Buffer
  /** Requests wait for a server of this backend, which scales from zero. */
  readonly onWake: (backend: string) => void
}

export class Pool {
  readonly id: string
  readonly slot: Slot
  readonly retryBudget: PoolRetryBudget
  readonly deadlines: Deadlines
  readonly random: () => number
  readonly pinned: PinnedConnections = new PinnedConnections()
  timeouts: Timeouts
  retry: RetryPolicy
  /** Null: no request waits for a server. */
  held: HeldRequests | null = null
  /** Responses carry `linesFor`. */
  addsLines = false
  readonly #context: PoolContext
  #endpoints: readonly Endpoint[] = []
  #tiers: Tiers
  #sticky: Stickiness | null = null
  #isRetired = false
  /** No server is picked: it is retired, or requests wait that go first. */
  #isClosed = false

  constructor(placed: PlacedBackend, context: PoolContext) {
    this.id = placed.object.id
    this.slot = context.slot(placed.slot)
    this.#context = context
    this.deadlines = context.deadlines
    this.random = context.random
    this.retryBudget = new PoolRetryBudget(this.slot, placed.object.retryBudget, context.now)
    this.timeouts = placed.object.timeouts
    this.retry = compileRetry(placed.object.retry)
    this.#tiers = this.#createTiers(placed)
    this.update(placed)
  }

  /** Keeps the endpoints whose URLs stay; retires the others. */
  update(placed: PlacedBackend): void {
    const { object: backend, serverSlots } = placed
    const { slot, stickyKey } = this.#context
    this.timeouts = backend.timeouts
    this.retry = compileRetry(backend.retry)
    this.retryBudget.declared = backend.retryBudget
    const breakerOf = compileBreakers(placed, slot)
    const before = new Map(this.#endpoints.map((endpoint) => [endpoint.url, endpoint]))
    this.#endpoints = backend.servers.map((server, index) => {
      const known = before.get(server.url)
      const breaker = breakerOf(index)
      if (known === undefined || !known.fits(backend, server)) {
        const place = slot(serverSlots[index] ?? 0)
        return createEndpoint(backend, server, place, breaker, this.#context)
      }
      before.delete(server.url)
      known.update(backend, server, breaker)
      return known
    })
    for (const gone of before.values()) gone.retire()
    const isTimed = balancerOf(backend).measuresLatency === true
    for (const endpoint of this.#endpoints) endpoint.isTimed = isTimed
    this.#tiers = this.#createTiers(placed)
    const { sticky } = backend
    this.#sticky =
      sticky === null
        ? null
        : new Stickiness(this.id, sticky, stickyKey, this.#tiers.endpoints, this.#sticky)
    this.#updateHeld(backend)
    this.addsLines = sticky !== null || this.held !== null
  }

  #updateHeld(backend: Backend): void {
    const options = holdOptionsOf(backend)
    if (options === null) this.#releaseHeld()
    else if (this.held !== null) this.held.update(options)
    else this.held = new HeldRequests(this.#heldPool(), options)
  }

  #heldPool(): HeldPool {
    const { now, onWake } = this.#context
    return {
      id: this.id,
      slot: this.slot,
      endpoints: () => this.#tiers.endpoints,
      setOpen: (isOpen) => (this.#isClosed = !isOpen || this.#isRetired),
      now,
      onWake,
    }
  }

  #releaseHeld(): void {
    const { held } = this
    this.held = null
    held?.releaseAll()
  }

  #createTiers({ object: backend }: PlacedBackend): Tiers {
    const { random, now } = this.#context
    return new Tiers(this.#endpoints, backend, { slot: this.slot, random, now })
  }

  /** An endpoint that was not tried. It is in the in-flight count: the caller must call `done`. */
  pick(request: BalancedRequest, tried: readonly Endpoint[]): Endpoint | null {
    if (this.#isClosed) return null
    const isFirst = tried.length === 0
    const ineligibility = isFirst ? ALL : allBut(tried)
    const endpoint =
      this.#sticky?.pick(request, ineligibility.isUnavailable) ??
      this.#tiers.pick(request, ineligibility, isFirst)
    if (endpoint !== null) count(endpoint.slot, COUNT.inFlight, 1)
    return endpoint
  }

  /** As `pick`, but prefers the server that the client has logged in to. */
  pickFor(exchange: Exchange, tried: readonly Endpoint[]): Endpoint | null {
    const own =
      exchange.client.clientPeer.pinned !== null ? this.pinned.pick(exchange, tried) : null
    if (own === null) return this.pick(exchange, tried)
    exchange.isPinned = true
    this.take(own)
    return own
  }

  /** The client's pinned connection, else an idle or a new one; null if the limit of connections is reached. */
  acquire(
    exchange: Exchange,
    endpoint: Endpoint,
    fresh: boolean,
    timeouts: Timeouts,
  ): ServerExchange | null {
    const isPinned = exchange.isPinned && !fresh && exchange.grpc === null
    const own = isPinned ? this.pinned.find(exchange) : null
    return own?.endpoint === endpoint ? own : endpoint.acquire(exchange, fresh, timeouts)
  }

  /** Adds one to the in-flight count of an endpoint that was picked before. */
  take(endpoint: Endpoint): void {
    sharedAdd(endpoint.slot, SHARED.inFlight, 1)
    count(endpoint.slot, COUNT.inFlight, 1)
  }

  done(endpoint: Endpoint): void {
    sharedAdd(endpoint.slot, SHARED.inFlight, -1)
    count(endpoint.slot, COUNT.inFlight, -1)
  }

  /** Closes up to `most` idle connections; returns how many. */
  giveUpIdle(most: number): number {
    let left = most
    for (const endpoint of this.#endpoints) left -= endpoint.giveUpIdle(left)
    return most - left
  }

  /** Why no endpoint could be picked, for the log. */
  whyNone(): string {
    const servers = this.#endpoints.length
    if (servers === 0) return `backend ${this.id} has no servers`
    const draining = servers - this.#tiers.endpoints.length
    const why = draining === 0 ? 'is healthy' : 'is healthy and not draining'
    return `none of the ${servers} servers of backend ${this.id} ${why}`
  }

  /** A client comes back to the same server. */
  get isSticky(): boolean {
    return this.#sticky !== null
  }

  /** Lines for the head of a response: the cookie, if the client does not have it, and that the request waited for a server. */
  linesFor(exchange: Pick<Exchange, 'field' | 'clientScheme'>, endpoint: Endpoint): string {
    const cookie = this.#sticky?.cookieFor(exchange, endpoint) ?? ''
    return this.held?.wasHeld(exchange) === true ? cookie + COLD_START : cookie
  }

  /** The backend is removed: waiting requests find no server, and nothing more is counted in its slot. */
  retire(): void {
    for (const endpoint of this.#endpoints) endpoint.retire()
    this.#endpoints = []
    this.#isRetired = true
    this.#isClosed = true
    this.#releaseHeld()
    this.retryBudget.retire()
  }
}

const COLD_START = 'X-Sluice-Cold-Start: true\r\n'

/** The breaker of each server, by index. */
function compileBreakers(
  { object: { breaker }, breakerSlots }: PlacedBackend,
  slot: (number: number) => Slot,
): (index: number) => BreakerCount | null {
  if (breaker === null) return () => null
  const parsed = parseCondition(breaker.condition)
  if (!parsed.ok)
    throw new Error(`a breaker was admitted whose condition does not parse: ${parsed.message}`)
  const { counters } = parsed.condition
  return (index) => {
    const number = breakerSlots[index]
    return number === undefined ? null : { slot: slot(number), counters }
  }
}

const ALL: Ineligibility = { skipsTurn, isUnavailable, isExcluded: isExcluded }

function allBut(tried: readonly Endpoint[]): Ineligibility {
  return {
    skipsTurn: orTried(skipsTurn, tried),
    isUnavailable: orTried(isUnavailable, tried),
    isExcluded: orTried(isExcluded, tried),
  }
}
