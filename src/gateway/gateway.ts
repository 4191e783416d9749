/**
 * The data plane of one thread: listeners, the routing table, and pools. A delta changes what it names and nothing else,
 * between requests; a request keeps the route that it began with.
 */
import { createHmac } from 'node:crypto'
import { NameTable } from '../dns/names.ts'
import { CertificateDemand } from '../downstream/certificate-demand.ts'
import { createListener } from '../downstream/listeners.ts'
import type { ListenerHandler, LiveListener } from '../downstream/live-listener.ts'
import { compileTrust, type Trust } from '../downstream/forwarded-client.ts'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { Deadlines } from '../http/connection/deadlines.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { shortageOf } from '../http/connection/shortage.ts'
import type { Delta, PlacedBackend, PlacedFrontend, PlacedListener } from '../model/snapshot.ts'
import { recordOf } from '../observe/access-record.ts'
import type { StreamRecord } from '../observe/stream-record.ts'
import type { ListenerState } from '../observe/reports/listener-report.ts'
import { StreamTable } from '../routing/stream-table.ts'
import { RoutingTable } from '../routing/table.ts'
import { openBoardClock } from '../scoreboard/board-clock.ts'
import { type AddedMemory, ScoreboardView, type Slot } from '../scoreboard/scoreboard.ts'
import { OwnAddresses } from '../upstream/connecting/own-addresses.ts'
import { Pool } from '../upstream/pool.ts'
import { resolveAmbiguousPath } from './ambiguous-path.ts'
import { answerTo, compileAnswers } from './challenges.ts'
import { Forwarder, type ForwarderContext } from './forwarder.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { compileHttpsRedirect } from './https-redirect.ts'
import { applyProblem, LiveListeners } from './live-listeners.ts'
import { prepareRoutes, Route, type RouteContext, routeOfListener } from './route.ts'
import { compileScope } from './scope.ts'
import { countEnding, countReason, countStreamEnd, NOT_SERVED } from './request-stats.ts'
import { onlyRoute, type StreamContext, Streams } from './streams.ts'

/** Idle connections that are closed if one more descriptor is needed. */
const GIVEN_UP_AT_ONCE = 16

/** Of a listener: the route of a request, or why there is none. */
type FindRoute = (exchange: Exchange) => Route | string

export class Gateway implements ListenerHandler {
  readonly #options: GatewayOptions
  readonly #board: ScoreboardView
  readonly #deadlines: Deadlines
  readonly #table: RoutingTable<Route>
  /** Of tcp frontends. */
  readonly #streamTable = new StreamTable<Route>()
  readonly #byRoutes: FindRoute = (exchange) => this.#table.match(exchange) ?? 'no route matches'
  readonly #pools = new Map<string, Pool>()
  readonly #own = new OwnAddresses()
  /** Objects that an exception kept from coming into force, and why. */
  readonly #faults = new Map<string, string>()
  /** The addresses of servers' names, as the main thread posts them. */
  readonly names: NameTable = new NameTable()
  readonly live: LiveListeners
  #trusts: Trust['trusts']
  /** The current trust, for connections that were opened before, too. */
  readonly #trust: Trust = { trusts: (ip) => this.#trusts(ip) }
  /** The board's clock. */
  readonly #now: () => number
  readonly #forwards: ForwarderContext
  readonly #streaming: StreamContext
  /** Of listeners without a backend of their own. */
  readonly streams: Streams
  readonly #onFault: (error: unknown) => void
  readonly #routes: RouteContext
  readonly #stickyKey: Buffer
  #ticketKeys: Buffer
  readonly #demand: CertificateDemand | null

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#table = new RoutingTable(options.routeOrder)
    this.#trusts = compileTrust(options.trusted).trusts
    this.#onFault = (error) => options.onFault(error, 'exchange')
    this.#deadlines = new Deadlines(this.#onFault)
    this.#board = new ScoreboardView(options.memory, options.thread)
    this.#now = openBoardClock(options.memory.beganAt)
    this.#ticketKeys = options.ticketKeys
    const { onCertificateWanted } = options
    this.#demand =
      onCertificateWanted === undefined ? null : new CertificateDemand(onCertificateWanted)
    this.#stickyKey = derive(options.secret, 'sticky')
    this.#routes = {
      slot: (number) => this.#board.slot(number),
      table: (number) => this.#board.table(number),
      pool: (id) => this.#pool(id),
      now: this.#now,
      seed: derive(options.secret, 'limiters').readInt32LE(0),
      onNotice: options.onNotice,
    }
    this.live = new LiveListeners({
      create: (placed) => this.#createListener(placed),
      handlerFor: (listener) => this.#handlerFor(listener),
      reusePort: options.reusePort,
      threads: options.threads ?? 1,
      thread: options.thread,
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
        countEnding(this.#board, exchange)
        if (onRecord !== null) onRecord(recordOf(exchange, served, durationMs))
      },
    }
    this.#streaming = {
      onShortage: (error) => this.#meetShortage(error),
      onFault: this.#onFault,
      onEnded: (route, server, record) => this.#streamEnded(route, server, record),
    }
    this.streams = new Streams(this.#streamTable, this.#streaming)
  }

  // Requests.

  begin(exchange: Exchange): void {
    this.#begin(exchange, this.#byRoutes)
  }

  #begin(exchange: Exchange, find: FindRoute): void {
    try {
      const route = find(exchange)
      if (exchange.to.ambiguous !== null) {
        const error = resolveAmbiguousPath(exchange, route, find)
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
    // The owner knows what the exchange holds.
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

  #refuse(exchange: Exchange, error: ExchangeError): void {
    this.#answer(exchange, errorResponse(error))
  }

  #answer(exchange: Exchange, response: LocalResponse): void {
    exchange.client.sendLocal(response)
    this.refused(exchange)
  }

  refused(exchange: Exchange): void {
    this.#forwards.onEnded(exchange, NOT_SERVED, performance.now() - exchange.startedAt)
  }

  /** A stream is over. `route`: null if it found none; `server`: of the last attempt. Its begin was counted in `route`. */
  #streamEnded(route: Route | null, server: Slot | null, record: StreamRecord): void {
    countReason(this.#board, record.reason)
    if (route !== null) countStreamEnd(route.slot, server, record.status, record.durationMs)
    this.#options.onStream?.(record)
  }

  // Changes.

  /**
   * Brings a delta into force; `problems` returns what is not in force, such as a port in use. Requests wait meanwhile, so a
   * large change comes as several deltas.
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
      this.#attempt(`frontend "${placed.object.id}"`, () => this.#upsertFrontend(placed))
    }
    for (const id of deletes.frontends) {
      this.#table.delete(id)
      this.#streamTable.delete(id)
      this.#faults.delete(`frontend "${id}"`)
    }
    await this.live.change(upserts.listeners, deletes.listeners)
    for (const id of deletes.backends) {
      this.#pools.get(id)?.retire()
      this.#pools.delete(id)
      this.#faults.delete(`backend "${id}"`)
    }
  }

  /** An exception affects one object: it stays as it was, and the rest of the delta comes into force. */
  #attempt(name: string, apply: () => void): void {
    try {
      apply()
      this.#faults.delete(name)
    } catch (error) {
      this.#faults.set(name, applyProblem(name, error))
      this.#options.onFault(error, 'apply')
    }
  }

  #upsertFrontend(placed: PlacedFrontend): void {
    const { id, protocol, route, priority } = placed.object
    const [table, other] =
      protocol === 'tcp' ? [this.#streamTable, this.#table] : [this.#table, this.#streamTable]
    table.upsert(id, route, priority, new Route(placed, this.#routes))
    if (other.size > 0) other.delete(id)
  }

  #upsertBackend(placed: PlacedBackend): void {
    const { id } = placed.object
    const pool = this.#pools.get(id)
    if (pool !== undefined) pool.update(placed)
    else this.#pools.set(id, this.#createPool(placed))
  }

  /** For TLS sessions from now on. */
  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys
    this.live.setTicketKeys(keys)
  }

  /** Whose forwarding fields are trusted: on new connections, and along the forwarding chains of all connections. */
  trust(blocks: readonly string[]): void {
    this.#trusts = compileTrust(blocks).trusts
  }

  /** A name that clients wait for gets no certificate now. */
  refuseCertificate(name: string): void {
    this.#demand?.refuse(name)
  }

  /** What is not in force, one line each. */
  problems(): string[] {
    return [...this.live.problems(), ...this.#faults.values()]
  }

  /** The state of all listeners. */
  listeners(): ListenerState[] {
    return this.live.states()
  }

  #createPool(placed: ConstructorParameters<typeof Pool>[0]): Pool {
    return new Pool(placed, {
      deadlines: this.#deadlines,
      now: this.#now,
      random: Math.random,
      stickyKey: this.#stickyKey,
      raiseAlarm: (server) => this.#board.raiseAlarm(server),
      onFault: this.#onFault,
      onNotice: this.#options.onNotice,
      onWake: (backend) => this.#options.onWake?.(backend),
      own: this.#own,
      names: this.names,
      slot: (number) => this.#board.slot(number),
    })
  }

  #pool(id: string): Pool {
    const pool = this.#pools.get(id)
    if (pool === undefined) throw new Error(`backend ${id} was not published before what names it`)
    return pool
  }

  #createListener(placed: PlacedListener): LiveListener {
    const { object, slot } = placed
    return createListener(object, this.#board.slot(slot), {
      deadlines: this.#deadlines,
      trust: this.#trust,
      handler: this.#handlerFor(placed),
      ticketKeys: this.#ticketKeys,
      demand: this.#demand,
      reusePort: this.#options.reusePort,
      inherited: this.#options.inherited ?? null,
      onNotice: this.#options.onNotice,
      onShortage: (error) => this.#meetShortage(error),
    })
  }

  /** Held by the live listener itself, so that a draining one keeps its scope and its backend. */
  #handlerFor(placed: PlacedListener): ListenerHandler {
    const { id, challenges, redirect: declared, scope: expression } = placed.object
    const own = routeOfListener(placed, this.#routes)
    const scope = expression === null ? null : compileScope(id, expression)
    const find = this.#findFor(scope, own)
    const answers = compileAnswers(challenges)
    const redirect = declared === null ? null : compileHttpsRedirect(declared)
    if (find === this.#byRoutes && answers === null && redirect === null) return this
    const respond = (exchange: Exchange): LocalResponse | null => {
      const answer = answers === null ? undefined : answerTo(exchange, answers)
      if (answer !== undefined || redirect === null) return answer ?? null
      return scope === null || scope(exchange) ? redirect(exchange) : null
    }
    const streams = own === null ? this.streams : new Streams(onlyRoute(own), this.#streaming)
    return {
      streams,
      begin: (exchange) => {
        const answer = respond(exchange)
        if (answer === null) this.#begin(exchange, find)
        else this.#answer(exchange, answer)
      },
      refused: (exchange) => this.refused(exchange),
      fault: (error, exchange) => this.fault(error, exchange),
    }
  }

  #findFor(scope: ((exchange: Exchange) => boolean) | null, own: Route | null): FindRoute {
    const find: FindRoute = own === null ? this.#byRoutes : () => own
    if (scope === null) return find
    return (exchange) => (scope(exchange) ? find(exchange) : 'outside the scope of the listener')
  }

  /** No connection to a server may lead to an address that this process listens on. */
  #noteOwn(): void {
    const bound = [...this.live.open()].flatMap(([id, { bound }]) =>
      bound === null ? [] : [{ name: `listener "${id}"`, ...bound }],
    )
    this.#own.replace([{ name: 'the admin', ...this.#options.admin }, ...bound])
  }

  /** Returns how many idle connections were closed for it. */
  #meetShortage(error: unknown): number {
    this.#options.onShortage(shortageOf(error) ?? 'EMFILE')
    return this.giveUpIdle()
  }

  /** Closes some idle connections to servers because the process is short of something; returns how many. */
  giveUpIdle(): number {
    let left = GIVEN_UP_AT_ONCE
    for (const pool of this.#pools.values()) {
      if (left === 0) break
      left -= pool.giveUpIdle(left)
    }
    return GIVEN_UP_AT_ONCE - left
  }

  // The end.

  /** The port that each listener is bound to, by id. Unix sockets have none. */
  ports(): Readonly<Record<string, number>> {
    const open = [...this.live.open()]
    return Object.fromEntries(
      open.flatMap(([id, { bound }]) => (bound === null ? [] : [[id, bound.port]])),
    )
  }

  /** Stops accepting; requests under way continue. */
  drain(): void {
    this.live.drain()
  }

  /** Ends the exchanges in flight with DRAINED. */
  cut(): void {
    this.live.cut()
  }

  /** Open client connections. */
  get connections(): number {
    return this.live.connections
  }

  /** Closes what is left. */
  destroy(): void {
    this.live.destroy()
    this.#demand?.destroy()
    for (const pool of this.#pools.values()) pool.retire()
    this.#deadlines.close()
  }
}

/** A secret that all threads of this process share, and no other process has. */
function derive(key: Buffer, purpose: string): Buffer {
  return createHmac('sha256', key).update(purpose).digest()
}
