/** A frontend, live: what happens to the requests that match it. */
import type { ResponseHead } from '../http/message/response-head.ts'
import {
  errorResponse,
  headOfLocalResponse,
  type LocalResponse,
} from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import {
  backendsOfMiddleware,
  compileMiddleware,
  isTerminal,
  prepareMiddleware,
} from '../middleware/catalog.ts'
import type { Middleware, CompileContext } from '../middleware/middleware.ts'
import { listenerRouteId } from '../model/names.ts'
import type {
  Frontend,
  PathPolicy,
  PlacedFrontend,
  PlacedListener,
  Timeouts,
} from '../model/snapshot.ts'
import { RecentQuantile } from '../policy/retrying/recent-quantile.ts'
import { compileRetry, isIdempotent, type RetryPolicy } from '../policy/retrying/retry.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import type { Pool } from '../upstream/pool.ts'
import { timeoutsOfCall } from './call.ts'
import type { MiddlewareChain } from './middleware-chain.ts'

export class Route {
  readonly id: string
  readonly slot: Slot
  /** Null if a middleware responds to every request. */
  readonly pool: Pool | null
  /** The pools of other backends that a middleware may choose, by their ids. */
  readonly otherPools: ReadonlyMap<string, Pool> | null
  readonly passHost: boolean
  /** Null: the listener's. */
  readonly paths: PathPolicy | null
  /** Null: the backend's. */
  readonly retry: RetryPolicy | null
  /** Null if there are none, so that a request pays nothing for them. */
  readonly onRequest: readonly NonNullable<Middleware['onRequest']>[] | null
  readonly onResponse: ((exchange: Exchange, head: ResponseHead) => void) | null
  /** Response middlewares, outermost first, and how many of them are outside of each request middleware. */
  readonly #editors: readonly NonNullable<Middleware['onResponse']>[]
  readonly #outside: readonly number[]
  readonly #timeoutOverrides: Partial<Timeouts> | null
  /** The backend's timeouts, overridden by the route's; merged again when the backend's change. */
  #mergedFrom: Timeouts | null = null
  #timeouts: Timeouts | null = null
  /** Of gRPC calls, and what they were made of. */
  #callTimeouts: { readonly from: Timeouts; readonly timeouts: Timeouts } | null = null
  #hedge: { readonly policy: RetryPolicy; readonly times: RecentQuantile } | null = null

  constructor(placed: PlacedFrontend, context: RouteContext) {
    const { object: frontend, slot } = placed
    const { backend, retry, middlewares } = frontend
    this.id = frontend.id
    this.slot = context.slot(slot)
    this.pool = backend === null ? null : context.pool(backend)
    this.passHost = frontend.passHost
    this.paths = frontend.paths
    this.retry = retry === null ? null : compileRetry(retry)
    this.#timeoutOverrides = frontend.timeouts
    const chain = middlewares.length === 0 ? [] : compileChain(placed, context)
    const inward = chain.flatMap(({ onRequest }) => onRequest ?? [])
    const editors = chain.flatMap(({ onResponse }) => onResponse ?? [])
    this.#editors = editors
    this.#outside = countOutside(chain)
    this.otherPools = middlewares.length === 0 ? null : otherPoolsOf(frontend, context)
    this.onRequest = inward.length === 0 ? null : inward
    this.onResponse =
      editors.length === 0 ? null : (exchange, head) => this.#edit(exchange, head, editors.length)
  }

  /** The head of a local response, edited by the response middlewares outside of the one that made it (or by all of them). */
  headOf(local: LocalResponse, exchange: Exchange, chain: MiddlewareChain | null): ResponseHead {
    const head = headOfLocalResponse(local)
    const all = this.#editors.length
    if (all > 0) {
      const outside =
        chain === null || chain.isComplete ? all : (this.#outside[chain.visited - 1] ?? 0)
      this.#edit(exchange, head, outside)
    }
    return head
  }

  #edit(exchange: Exchange, head: ResponseHead, outermost: number): void {
    for (let at = outermost - 1; at >= 0; at--) this.#editors[at]?.(exchange, head)
  }

  timeoutsOf(pool: Pool): Timeouts {
    if (this.#timeoutOverrides === null) return pool.timeouts
    if (this.#mergedFrom !== pool.timeouts || this.#timeouts === null) {
      this.#mergedFrom = pool.timeouts
      this.#timeouts = { ...pool.timeouts, ...this.#timeoutOverrides }
    }
    return this.#timeouts
  }

  callTimeoutsOf(pool: Pool): Timeouts {
    const from = this.timeoutsOf(pool)
    if (this.#callTimeouts?.from !== from)
      this.#callTimeouts = { from, timeouts: timeoutsOfCall(from) }
    return this.#callTimeouts.timeouts
  }

  // Hedging: when a second copy of a request is sent, by this thread's latest latencies.

  /** Infinity: never, because the request is not idempotent, or its client belongs to one server. */
  hedgeMs(
    policy: RetryPolicy,
    { isWhole, isPinned: isBound, head, method }: Exchange,
    { isSticky }: Pool,
  ): number {
    const { hedge } = policy
    if (hedge === null || !isWhole || isBound || head.upgrade !== '' || isSticky) return Infinity
    return isIdempotent(method) ? (hedge.afterMs ?? this.#times(policy).value) : Infinity
  }

  noteHeadMs(policy: RetryPolicy, headMs: number): void {
    if (policy.hedge?.afterMs === null) this.#times(policy).add(headMs)
  }

  #times(policy: RetryPolicy): RecentQuantile {
    if (this.#hedge?.policy !== policy)
      this.#hedge = { policy, times: new RecentQuantile(policy.hedge?.quantile ?? 1) }
    return this.#hedge.times
  }
}

/** Of a listener with a backend: a frontend without options of its own, for all of its requests or streams. Else null. */
export function routeOfListener(
  { object: { id, backend }, routeSlot }: PlacedListener,
  context: RouteContext,
): Route | null {
  if (backend === null || routeSlot === null) return null
  const frontend: Frontend = { ...OF_LISTENER, id: listenerRouteId(id), backend }
  return new Route({ object: frontend, slot: routeSlot, states: [] }, context)
}

const OF_LISTENER: Omit<Frontend, 'id' | 'backend'> = {
  protocol: 'http',
  route: '',
  priority: null,
  passHost: true,
  paths: null,
  timeouts: null,
  retry: null,
  middlewares: [],
  labels: null,
}

/** What routes need of their thread's gateway. */
export interface RouteContext {
  readonly slot: (number: number) => Slot
  readonly table: (number: number) => BigInt64Array
  readonly pool: (id: string) => Pool
  readonly now: () => number
  readonly seed: number
  readonly onNotice: (text: string) => void
}

/**
 * Loads what the middlewares of routes need in this thread before they are compiled. Null: nothing. Never rejects: a route
 * whose middleware could not load fails when it is compiled, and no other route with it.
 */
export function prepareRoutes(placed: readonly PlacedFrontend[]): Promise<unknown> | null {
  const pending: Promise<unknown>[] = []
  for (const { object } of placed) {
    for (const spec of object.middlewares) {
      const prepared = prepareMiddleware(spec)
      if (prepared !== null) pending.push(prepared)
    }
  }
  return pending.length === 0 ? null : Promise.allSettled(pending)
}

function compileChain(
  { object: { id, backend, middlewares }, states }: PlacedFrontend,
  context: RouteContext,
): readonly Middleware[] {
  const chain = middlewares.map((spec, at) =>
    compileMiddleware(spec, createCompileContext(id, states[at] ?? null, context)),
  )
  const hasResponder = backend !== null || middlewares.some(isTerminal)
  return hasResponder ? chain : [...chain, NO_BACKEND]
}

/** The end of a chain that only redirects to a scheme, for requests that came by that scheme. */
const NO_BACKEND: Middleware = {
  onRequest: () => errorResponse(new ExchangeError('NO_ROUTE', 'the route only redirects')),
}

function countOutside(chain: readonly Middleware[]): number[] {
  const counts: number[] = []
  let editors = 0
  for (const { onRequest, onResponse } of chain) {
    if (onRequest !== undefined) counts.push(editors)
    if (onResponse !== undefined) editors++
  }
  return counts
}

function otherPoolsOf(
  { middlewares }: Frontend,
  { pool }: RouteContext,
): ReadonlyMap<string, Pool> | null {
  const ids = new Set(middlewares.flatMap(backendsOfMiddleware))
  return ids.size === 0 ? null : new Map([...ids].map((id) => [id, pool(id)]))
}

function createCompileContext(
  frontend: string,
  state: number | null,
  { slot, table, now, seed, onNotice }: RouteContext,
): CompileContext {
  const number = (): number => {
    if (state === null) throw new Error('a middleware uses a slot or table that it does not have')
    return state
  }
  return {
    frontend,
    get slot() {
      return slot(number())
    },
    get table() {
      return table(number())
    },
    now,
    seed,
    onNotice,
  }
}
