/**
 * A live server, identified by its backend and URL: its connections, counters and connect backoff survive configuration changes.
 * What threads share is in its scoreboard slot: the control plane decides by it, and writes back which share of its turns the
 * server takes.
 */
import type { NameTable } from '../../dns/names.ts'
import type { Deadlines } from '../../http/connection/deadlines.ts'
import type { Exchange } from '../../http/exchange.ts'
import { ERRORS, type Reason, reasonNumber } from '../../http/message/errors.ts'
import { authorityOf, speaksTls } from '../../model/server-url.ts'
import type { Backend, Server, Timeouts } from '../../model/snapshot.ts'
import { countResponse, type ResponseCounter } from '../../policy/breaking/condition.ts'
import { recordLatency } from '../../policy/ewma.ts'
import { backoffLeftMs, backoffUntil } from '../../policy/health/connect-backoff.ts'
import { COUNT, SHARED } from '../../scoreboard/layout.ts'
import { count, type Slot, sharedAdd, sharedLoad } from '../../scoreboard/scoreboard.ts'
import { Addresses } from '../connecting/addresses.ts'
import type { OwnAddresses } from '../connecting/own-addresses.ts'
import { http2Required } from './connection-errors.ts'
import { RefusedExchange } from './refused-exchange.ts'
import { ServerConnection } from './server-connection.ts'
import type { ServerExchange } from './server-exchange.ts'
import { compileConnectTarget, type ConnectTarget, wireOf } from '../connecting/connect-target.ts'

/** A malformed response is no failure of a server that has sent a complete one within this time. */
const HEALTHY_MS = 30_000

export interface EndpointContext {
  readonly deadlines: Deadlines
  /** The board's clock, ms. */
  readonly now: () => number
  /** No connection may lead there. */
  readonly own: OwnAddresses
  /** The addresses of names. */
  readonly names: NameTable
  /** Makes the control plane read the counters of the server with this slot. */
  readonly raiseAlarm: (server: Slot) => void
  /** A fault of the proxy on a connection without an exchange. */
  readonly onFault: (error: unknown) => void
  /** A warning about a server, for the log. */
  readonly onNotice: (text: string) => void
}

/** What a server's breaker counts, and in which slot. */
export interface BreakerCount {
  readonly slot: Slot
  readonly counters: readonly ResponseCounter[]
}

export class Endpoint {
  readonly url: string
  readonly authority: string
  /** The Host field if the client's is not passed on. */
  readonly hostLine: string
  readonly slot: Slot
  readonly deadlines: Deadlines
  readonly own: OwnAddresses
  readonly target: ConnectTarget
  readonly addresses: Addresses
  weight = 1
  backup = false
  /** It is declared as draining: no new requests. */
  drain = false
  limits: Backend['limits']
  breaker: BreakerCount | null = null
  /** The balancer uses response times. */
  isTimed = false
  isRetired = false
  readonly onFault: (error: unknown) => void
  protected readonly onNotice: (text: string) => void
  /** The version of the header that connections begin with. */
  readonly proxyProtocol: Backend['proxyProtocol']
  /** What connections depend on. */
  readonly #terms: string
  protected readonly idle: ServerConnection[] = []
  /** Connections that belong to one client each, idle or not. */
  readonly #bound = new Set<ServerConnection>()
  /** A response was complete since the last malformed one. */
  #wasHealthy = false
  /** When it last was healthy, as of the last malformed response. */
  #healthyAt: number | null = null
  readonly #now: () => number
  readonly #raiseAlarm: (server: Slot) => void

  constructor(
    backend: Backend,
    server: Server,
    slot: Slot,
    breaker: BreakerCount | null,
    context: EndpointContext,
  ) {
    this.url = server.url
    this.authority = authorityOf(server)
    this.hostLine = `Host: ${this.authority}\r\n`
    this.slot = slot
    this.deadlines = context.deadlines
    this.own = context.own
    this.limits = backend.limits
    this.#now = context.now
    this.#raiseAlarm = context.raiseAlarm
    this.onFault = context.onFault
    this.onNotice = context.onNotice
    this.proxyProtocol = backend.proxyProtocol
    this.#terms = termsOf(backend, server)
    this.target = compileConnectTarget(backend, server)
    this.addresses = new Addresses(server.host, context.names, () => this.moved())
    this.update(backend, server, breaker)
  }

  /** Whether its connections can be kept with this declaration. */
  fits(backend: Backend, server: Server): boolean {
    if (authorityOf(server) !== this.authority) return false
    if (backend.proxyProtocol !== this.proxyProtocol) return false
    return termsOf(backend, server) === this.#terms
  }

  update(backend: Backend, server: Server, breaker: BreakerCount | null): void {
    this.weight = server.weight
    this.backup = server.backup
    this.drain = server.drain
    this.limits = backend.limits
    this.breaker = breaker
  }

  /** The share of its turns that it takes: 0 all, NO_TRAFFIC none, else so many of a thousand. */
  get trafficShare(): number {
    return sharedLoad(this.slot, SHARED.trafficShare)
  }

  /**
   * An idle connection, else a new one; null if the limit of connections is reached. The exchange is in the in-flight count
   * already, so that this is the number of connections in use over all threads.
   */
  acquire(exchange: Exchange, fresh: boolean, timeouts: Timeouts): ServerExchange | null {
    if (exchange.grpc !== null) return new RefusedExchange(http2Required(this.url))
    return this.isFull ? null : this.takeOwn(exchange, fresh, timeouts)
  }

  /** A connection of HTTP/1.1, which the exchange has to itself. */
  protected takeOwn(_exchange: Exchange, fresh: boolean, timeouts: Timeouts): ServerConnection {
    const idle = fresh ? undefined : this.idle.pop()
    if (idle !== undefined) return idle
    return ServerConnection.open(this, timeouts, null)
  }

  protected get isFull(): boolean {
    const { connections } = this.limits
    return connections > 0 && this.inFlight > connections
  }

  /**
   * The last used connection is reused first, so that the others reach their idle timeout and close. Above the limit of
   * connections none is kept idle, because other threads cannot take it.
   */
  release(connection: ServerConnection): void {
    const { connections, idle } = this.limits
    const crowded = connections > 0 && sharedLoad(this.slot, SHARED.connections) > connections
    const isGone = this.isRetired || !this.addresses.has(connection.address)
    if (isGone) connection.abandon()
    // It waits for its client's next request.
    else if (connection.owner !== null) return
    else if (crowded || this.idle.length >= idle) connection.abandon()
    else this.idle.push(connection)
  }

  /** It belongs to one client from here on. */
  pinned(connection: ServerConnection): void {
    this.#bound.add(connection)
  }

  /** Closes up to `most` connections, those that were idle longest; returns how many. */
  giveUpIdle(most: number): number {
    const given = this.idle.slice(0, most)
    for (const connection of given) connection.abandon()
    return given.length
  }

  forget(connection: ServerConnection): void {
    const index = this.idle.lastIndexOf(connection)
    if (index >= 0) this.idle.splice(index, 1)
  }

  #unused(): ServerConnection[] {
    return [...this.idle, ...[...this.#bound].filter(({ isIdle }) => isIdle)]
  }

  /** Its addresses have changed: idle connections to removed addresses close, and the connect backoff ends. */
  protected moved(): void {
    for (const connection of this.#unused()) {
      if (!this.addresses.has(connection.address)) connection.abandon()
    }
    this.connected()
  }

  opened(): void {
    sharedAdd(this.slot, SHARED.connections, 1)
    count(this.slot, COUNT.connections, 1)
    count(this.slot, COUNT.opened, 1)
  }

  /** `connection`: null for one of a stream. */
  closed(connection: ServerConnection | null): void {
    if (connection !== null) this.#bound.delete(connection)
    sharedAdd(this.slot, SHARED.connections, -1)
    count(this.slot, COUNT.connections, -1)
  }

  // Connect backoff: every thread skips a server that cannot be connected to for a while.

  get isBackingOff(): boolean {
    // The clock is read only if there is a backoff.
    const until = sharedLoad(this.slot, SHARED.backoffUntil)
    return until !== 0 && backoffLeftMs(until, this.#now()) > 0
  }

  connected(): void {
    if (sharedLoad(this.slot, SHARED.connectFailureStreak) === 0) return
    Atomics.store(this.slot.shared, this.slot.at + SHARED.connectFailureStreak, 0)
    Atomics.store(this.slot.shared, this.slot.at + SHARED.backoffUntil, 0)
  }

  connectFailed(reason: Reason): void {
    if (ERRORS[reason].blame !== 'server') return
    count(this.slot, COUNT.connectFailures, 1)
    this.#note(reason)
    if (this.isBackingOff) return
    const failures = sharedAdd(this.slot, SHARED.connectFailureStreak, 1)
    const { shared, at } = this.slot
    Atomics.store(shared, at + SHARED.backoffUntil, backoffUntil(failures, this.#now()))
  }

  /** Why it failed last, for display. */
  #note(reason: Reason): void {
    const { shared, at } = this.slot
    Atomics.store(shared, at + SHARED.lastFailure, reasonNumber(reason) + 1)
  }

  // Results of attempts.

  /** The head of a response came, `headMs` after the attempt began. */
  responded(status: number, headMs: number): void {
    this.responding(headMs)
    this.judged(status, headMs)
  }

  /** The same, of a response that is judged by its end. */
  responding(headMs: number): void {
    count(this.slot, COUNT.responses, 1)
    if (this.isTimed) recordLatency(this.slot, headMs * 1000, this.#now())
  }

  judged(status: number, headMs: number): void {
    const { slot } = this
    if (status >= 500) {
      count(slot, COUNT.errors, 1)
      this.#lengthen(SHARED.errorStreak, SHARED.longestErrorStreak)
      this.#raiseAlarm(slot)
    }
    if (this.breaker !== null)
      countResponse(this.breaker.counters, this.breaker.slot, status, headMs)
  }

  /** A response was complete. Only this ends a streak of failures, because a head may be sent before a body is cut. */
  completed(status: number): void {
    this.#wasHealthy = true
    const { shared, at } = this.slot
    if (shared[at + SHARED.failureStreak] !== 0) Atomics.store(shared, at + SHARED.failureStreak, 0)
    if (status < 500 && shared[at + SHARED.errorStreak] !== 0)
      Atomics.store(shared, at + SHARED.errorStreak, 0)
  }

  /**
   * An attempt failed. `hadResponse`: it was cut after the head, and counts as a failure instead of a response.
   */
  failed(reason: Reason, tookMs: number, hadResponse: boolean): void {
    const { status } = ERRORS[reason]
    this.#note(reason)
    if (hadResponse) count(this.slot, COUNT.responses, -1)
    count(this.slot, COUNT.failed, 1)
    this.#lengthen(SHARED.failureStreak, SHARED.longestFailureStreak)
    this.#lengthen(SHARED.errorStreak, SHARED.longestErrorStreak)
    this.#raiseAlarm(this.slot)
    // A connection that is refused immediately does not make a server fast.
    if (this.isTimed && status === 504) recordLatency(this.slot, tookMs * 1000, this.#now())
    if (this.breaker !== null)
      countResponse(this.breaker.counters, this.breaker.slot, status, tookMs)
  }

  /**
   * A response was malformed. While other responses are complete that is no failure of the server: a client that requests one
   * odd path again and again must not get it ejected. A server that speaks HTTP counts as healthy at first. The success rate
   * counts it all the same, because it compares servers, and an odd path is odd at each of them.
   */
  malformed(
    isHttp: boolean,
    tookMs: number,
    hadResponse: boolean,
    reason: Reason = 'BAD_ANSWER',
  ): void {
    const now = this.#now()
    if (this.#wasHealthy || (isHttp && this.#healthyAt === null)) this.#healthyAt = now
    this.#wasHealthy = false
    if (this.#healthyAt === null || now - this.#healthyAt >= HEALTHY_MS) {
      this.failed(reason, tookMs, hadResponse)
      return
    }
    if (hadResponse) count(this.slot, COUNT.responses, -1)
    count(this.slot, COUNT.failed, 1)
    this.#raiseAlarm(this.slot)
  }

  /** Another server responded first, while this one had not after `elapsedMs`. */
  lostRace(elapsedMs: number): void {
    if (this.isTimed) recordLatency(this.slot, elapsedMs * 1000, this.#now())
  }

  /** Extends a streak, and keeps the longest: the control plane looks only now and then, and must not miss one that has ended. */
  #lengthen(streak: number, longestStreak: number): void {
    const { shared, at } = this.slot
    const length = Atomics.add(shared, at + streak, 1) + 1
    const longest = Atomics.load(shared, at + longestStreak)
    // If the exchange fails, another thread has stored a streak of nearly the same length.
    if (length > longest) Atomics.compareExchange(shared, at + longestStreak, longest, length)
  }

  /** Exchanges in flight, over all threads. */
  get inFlight(): number {
    return sharedLoad(this.slot, SHARED.inFlight)
  }

  /** Removed: it gets no new requests; those in flight finish. */
  retire(): void {
    this.isRetired = true
    // The breaker's slot may be reused before the requests in flight end.
    this.breaker = null
    this.addresses.close()
    for (const connection of this.#unused()) connection.abandon()
  }
}

function termsOf(backend: Backend, server: Server): string {
  const wire = wireOf(backend, server)
  return JSON.stringify([
    wire,
    wire === 'http/1.1' ? null : backend.http2,
    speaksTls(server.scheme) ? backend.tls : null,
    backend.keepAliveMs,
  ])
}
