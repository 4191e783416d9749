/**
 * The data plane of one thread, assembled: listeners in front, the routing table, pools behind. A delta changes what it
 * names and nothing else, between requests; a request goes on with the route it began with.
 */
import { createHmac } from 'node:crypto'
import { NameTable } from '../dns/names.ts'
import { LiveListener, type ListenerHandler } from '../downstream/live-listener.ts'
import { compileTrust, type Trust } from '../downstream/trust.ts'
import { errorResponse } from '../http/local-response.ts'
import { Deadlines } from '../http/deadlines.ts'
import { ExchangeError } from '../http/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { shortageOf } from '../http/shortage.ts'
import type { Address, Delta, Listener, Placed, PlacedBackend } from '../model/snapshot.ts'
import { type AccessRecord, recordOf } from '../observe/access-record.ts'
import type { ListenerState } from '../observe/reports/listener-report.ts'
import type { RoutableRequest } from '../routing/request.ts'
import { RoutingTable } from '../routing/table.ts'
import { openBoardClock } from '../scoreboard/board-clock.ts'
import {
  type AddedMemory,
  type ScoreboardMemory,
  ScoreboardView,
} from '../scoreboard/scoreboard.ts'
import { OwnAddresses } from '../upstream/connecting/own-addresses.ts'
import { Pool } from '../upstream/pool.ts'
import { resolveAmbiguousPath } from './ambiguous-path.ts'
import { Forwarder, type ForwarderContext } from './forwarder.ts'
import { applyProblem, LiveListeners } from './live-listeners.ts'
import { prepareRoutes, Route, type RouteContext } from './route.ts'
import { countReason, NOT_SERVED } from './request-stats.ts'

export interface GatewayOptions {
  /** This thread's column of the scoreboard. */
  readonly thread: number
  readonly memory: ScoreboardMemory
  readonly trusted: readonly string[]
  /** Of the admin: where no server may lead. Port 0 is not looked for. */
  readonly admin: Address
  readonly ticketKeys: Buffer
  readonly reusePort: boolean
  /** Null when nobody wants records: then none are made. */
  readonly onRecord: ((record: AccessRecord) => void) | null
  /** Listeners that could not be bound were tried again. */
  readonly onListenersTried: () => void
  /** A fault of ours, caught in one exchange, or in one object of a change. */
  readonly onFault: (error: unknown, at: 'exchange' | 'apply') => void
  /** We are short of something, see http/shortage.ts. */
  readonly onShortage: (code: string) => void
}

/** Idle connections, when one more descriptor is needed. */
const GIVEN_UP_AT_ONCE = 16

/** Of a listener: whether it takes a request at all. */
type Scope = (request: RoutableRequest) => boolean

export class Gateway implements ListenerHandler {
  readonly #options: GatewayOptions
  readonly #board: ScoreboardView
  readonly #deadlines: Deadlines
  readonly #table = new RoutingTable<Route>()
  readonly #pools = new Map<string, Pool>()
  readonly #own = new OwnAddresses()
  /** What a throw kept from coming into force, by what it is. */
  readonly #faults = new Map<string, string>()
  /** Where the names of servers lead: told by the main thread. */
  readonly names: NameTable = new NameTable()
  readonly #listeners: LiveListeners
  #trusts: Trust['trusts']
  /** As it is now, also for what was opened before. */
  readonly #trust: Trust = { trusts: (ip) => this.#trusts(ip) }
  /** The board's clock. */
  readonly #now: () => number
  readonly #forwards: ForwarderContext
  readonly #onFault: (error: unknown) => void
  readonly #routes: RouteContext
  readonly #stickyKey: Buffer

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#trusts = compileTrust(options.trusted).trusts
    this.#onFault = (error) => options.onFault(error, 'exchange')
    this.#deadlines = new Deadlines(this.#onFault)
    this.#board = new ScoreboardView(options.memory, options.thread)
    this.#now = openBoardClock(options.memory.beganAt)
    this.#stickyKey = derive(options.ticketKeys, 'sticky')
    this.#routes = {
      slot: (number) => this.#board.slot(number),
      table: (number) => this.#board.table(number),
      pool: (id) => this.#pool(id),
      now: this.#now,
      seed: derive(options.ticketKeys, 'limiters').readInt32LE(0),
    }
    this.#listeners = new LiveListeners({
      create: (placed) => this.#createListener(placed),
      handlerFor: (listener) => this.#handlerFor(listener),
      reusePort: options.reusePort,
      onMoved: () => this.#noteOwn(),
      onTried: () => options.onListenersTried(),
      onFault: (error) => options.onFault(error, 'apply'),
    })
    this.#noteOwn()
    const { onRecord } = options
    this.#forwards = {
      onShortage: (error) => this.#meetShortage(error),
      onFault: this.#onFault,
      onEnded: (exchange, served, durationMs) => {
        countReason(this.#board, exchange)
        if (onRecord !== null) onRecord(recordOf(exchange, served, durationMs))
      },
    }
  }

  // Requests.

  begin(exchange: Exchange): void {
    this.#begin(exchange, null)
  }

  #begin(exchange: Exchange, scope: Scope | null): void {
    try {
      const route = this.#find(exchange, scope)
      if (exchange.to.doubtful !== null) {
        const error = resolveAmbiguousPath(exchange, route, (asked) => this.#find(asked, scope))
        if (error !== null) {
          this.#refuse(exchange, error)
          return
        }
      }
      if (route instanceof Route) new Forwarder(exchange, route, this.#forwards).start()
      else this.#refuse(exchange, new ExchangeError('NO_ROUTE', route))
    } catch (error) {
      this.fault(error, exchange)
    }
  }

  fault(error: unknown, exchange: Exchange | null): void {
    // Its owner knows what it holds.
    if (exchange !== null && exchange.owner !== null) exchange.owner.fault(error)
    else {
      this.#onFault(error)
      if (exchange !== null && !exchange.hasResponded) this.#refuseFault(exchange, error)
    }
  }

  #refuseFault(exchange: Exchange, cause: unknown): void {
    try {
      this.#refuse(exchange, new ExchangeError('INTERNAL', 'a fault of the proxy', { cause }))
    } catch (error) {
      this.#onFault(error)
      exchange.client.abort()
    }
  }

  /** Its route, or why it has none. */
  #find(exchange: Exchange, scope: Scope | null): Route | string {
    if (scope !== null && !scope(exchange)) return 'outside the scope of the listener'
    return this.#table.match(exchange) ?? 'no route matches'
  }

  #refuse(exchange: Exchange, error: ExchangeError): void {
    exchange.client.sendLocal(errorResponse(error))
    this.refused(exchange)
  }

  refused(exchange: Exchange): void {
    this.#forwards.onEnded(exchange, NOT_SERVED, performance.now() - exchange.startedAt)
  }

  // Changes.

  /**
   * Brings a delta into force; `problems` has all that is not (a port in use). Requests wait meanwhile: what is large
   * comes as several deltas.
   */
  async apply(delta: Delta, added: AddedMemory): Promise<void> {
    this.#board.add(added)
    const { upserts, deletes } = delta
    const prepared = prepareRoutes(upserts.frontends)
    if (prepared !== null) await prepared
    for (const placed of upserts.backends) {
      this.#attempt(`backend "${placed.object.id}"`, () => this.#upsertBackend(placed))
    }
    for (const placed of upserts.frontends) {
      const { id, route, priority } = placed.object
      this.#attempt(`frontend "${id}"`, () =>
        this.#table.upsert(id, route, priority, new Route(placed, this.#routes)),
      )
    }
    for (const id of deletes.frontends) {
      this.#table.delete(id)
      this.#faults.delete(`frontend "${id}"`)
    }
    for (const id of deletes.backends) {
      this.#pools.get(id)?.retire()
      this.#pools.delete(id)
      this.#faults.delete(`backend "${id}"`)
    }
    await this.#listeners.change(upserts.listeners, deletes.listeners)
  }

  /** A throw concerns one object alone: it stays as it was, and the rest of the delta comes into force. */
  #attempt(name: string, apply: () => void): void {
    try {
      apply()
      this.#faults.delete(name)
    } catch (error) {
      this.#faults.set(name, applyProblem(name, error))
      this.#options.onFault(error, 'apply')
    }
  }

  #upsertBackend(placed: PlacedBackend): void {
    const { id } = placed.object
    const pool = this.#pools.get(id)
    if (pool !== undefined) pool.update(placed)
    else this.#pools.set(id, this.#createPool(placed))
  }

  /** Whose forwarding fields are believed: on connections that come from now on, and along the chains of all. */
  trust(blocks: readonly string[]): void {
    this.#trusts = compileTrust(blocks).trusts
  }

  /** All that is not in force, one line each. */
  problems(): string[] {
    return [...this.#listeners.problems(), ...this.#faults.values()]
  }

  /** All listeners, and how each stands. */
  listeners(): ListenerState[] {
    return this.#listeners.states()
  }

  #createPool(placed: ConstructorParameters<typeof Pool>[0]): Pool {
    return new Pool(placed, {
      deadlines: this.#deadlines,
      now: this.#now,
      random: Math.random,
      stickyKey: this.#stickyKey,
      raiseAlarm: (server) => this.#board.raiseAlarm(server),
      onFault: this.#onFault,
      own: this.#own,
      names: this.names,
      slot: (number) => this.#board.slot(number),
    })
  }

  #pool(id: string): Pool {
    const pool = this.#pools.get(id)
    if (pool === undefined) throw new Error(`backend ${id} was not published before its frontend`)
    return pool
  }

  #createListener({ object, slot }: Placed<Listener>): LiveListener {
    return new LiveListener(object, this.#board.slot(slot), {
      deadlines: this.#deadlines,
      trust: this.#trust,
      handler: this.#handlerFor(object),
      ticketKeys: this.#options.ticketKeys,
      reusePort: this.#options.reusePort,
      onShortage: (error) => this.#meetShortage(error),
    })
  }

  /** Kept by the live listener itself, so that one that drains keeps the scope that it had. */
  #handlerFor({ id, scope: expression }: Listener): ListenerHandler {
    if (expression === null) return this
    const scope = compileScope(id, expression)
    return {
      begin: (exchange) => this.#begin(exchange, scope),
      refused: (exchange) => this.refused(exchange),
      fault: (error, exchange) => this.fault(error, exchange),
    }
  }

  /** No server leads to where we listen now. */
  #noteOwn(): void {
    const bound = [...this.#listeners.open()].flatMap(([id, { bound }]) =>
      bound === null ? [] : [{ name: `listener "${id}"`, ...bound }],
    )
    this.#own.replace([{ name: 'the admin', ...this.#options.admin }, ...bound])
  }

  /** Answers how many idle connections were given up for it. */
  #meetShortage(error: unknown): number {
    this.#options.onShortage(shortageOf(error) ?? 'EMFILE')
    return this.giveUpIdle()
  }

  /** Some idle connections to servers, since we are short of something; answers how many. */
  giveUpIdle(): number {
    let left = GIVEN_UP_AT_ONCE
    for (const pool of this.#pools.values()) {
      if (left === 0) break
      left -= pool.giveUpIdle(left)
    }
    return GIVEN_UP_AT_ONCE - left
  }

  // The end.

  /** The port a listener is bound to, for tests and the log. */
  ports(): Readonly<Record<string, number>> {
    const open = [...this.#listeners.open()]
    return Object.fromEntries(open.map(([id, { bound }]) => [id, bound?.port ?? 0]))
  }

  /** Stops accepting; what is under way goes on. */
  drain(): void {
    this.#listeners.drain()
  }

  /** Client connections that are left. */
  get connections(): number {
    return this.#listeners.connections
  }

  /** Ends whatever is left. */
  destroy(): void {
    this.#listeners.destroy()
    for (const pool of this.#pools.values()) pool.retire()
    this.#deadlines.close()
  }
}

/** A secret that is the same in all threads of this process, and of no other. */
function derive(key: Buffer, purpose: string): Buffer {
  return createHmac('sha256', key).update(purpose).digest()
}

/** A scope is a route's expression that has been admitted: one that does not parse throws. */
function compileScope(listener: string, expression: string): Scope {
  const table = new RoutingTable<true>()
  table.upsert(`the scope of ${listener}`, expression, null, true)
  return (request) => table.match(request) === true
}
