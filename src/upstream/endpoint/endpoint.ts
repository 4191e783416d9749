/**
 * A server, live. Known by its backend and url: its connections, counters and rest survive every change around it.
 * What several threads must agree on stands in its scoreboard slot: the control plane takes its decisions from there, and
 * writes back which turns the server takes.
 */
import type { NameTable } from '../../dns/names.ts'
import type { Deadlines } from '../../http/deadlines.ts'
import { ERRORS, type Reason, reasonNumber } from '../../http/errors.ts'
import { bracketHost, withoutRoot } from '../../model/address.ts'
import { isSocketPath } from '../../model/server-url.ts'
import type { Backend, Server, Timeouts } from '../../model/snapshot.ts'
import { countResponse, type ResponseCounter } from '../../policy/breaking/condition.ts'
import { recordLatency } from '../../policy/ewma.ts'
import { backoffLeftMs, backoffUntil } from '../../policy/health/connect-backoff.ts'
import { COUNT, SHARED } from '../../scoreboard/layout.ts'
import { count, type Slot, sharedAdd, sharedLoad } from '../../scoreboard/scoreboard.ts'
import { Addresses } from '../connecting/addresses.ts'
import type { OwnAddresses } from '../connecting/own-addresses.ts'
import { ServerConnection } from './server-connection.ts'
import { compileConnectTarget, type ConnectTarget } from '../connecting/connect-target.ts'

/** A response that is refused for its form is not held against a server that has brought a whole one within this time. */
const WELL_MS = 30_000

export interface EndpointContext {
  readonly deadlines: Deadlines
  /** The board's clock, ms. */
  readonly now: () => number
  /** Where no connection may lead. */
  readonly own: OwnAddresses
  /** Where names lead. */
  readonly names: NameTable
  /** Tells the control plane that the server with this slot failed, so that it looks. */
  readonly raiseAlarm: (server: Slot) => void
  /** A fault of ours, on a connection that is in no exchange. */
  readonly onFault: (error: unknown) => void
}

/** What a server's breaker counts, and where. */
export interface BreakerCount {
  readonly slot: Slot
  readonly counters: readonly ResponseCounter[]
}

export class Endpoint {
  readonly url: string
  readonly authority: string
  /** The Host field, when the client's is not passed on. */
  readonly hostLine: string
  readonly slot: Slot
  readonly deadlines: Deadlines
  readonly own: OwnAddresses
  readonly target: ConnectTarget
  readonly addresses: Addresses
  weight = 1
  backup = false
  /** Declared so: it gets no new requests. */
  drain = false
  limits: Backend['limits']
  breaker: BreakerCount | null = null
  /** Its policy asks for the time that responses take. */
  isTimed = false
  isRetired = false
  readonly onFault: (error: unknown) => void
  readonly #tls: string
  readonly #idle: ServerConnection[] = []
  /** Those that belong to one client each, idle or not. */
  readonly #bound = new Set<ServerConnection>()
  /** A response of it was whole, since a response was last refused for its form. */
  #wasWell = false
  /** When it was known to be well at last, as of the last such refusal. */
  #wellAt: number | null = null
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
    this.#tls = JSON.stringify(backend.tls)
    this.target = compileConnectTarget(backend, server)
    this.addresses = new Addresses(server.host, context.names, () => this.#moved())
    this.update(backend, server, breaker)
  }

  /** Whether its connections can go on under what is declared now. */
  fits(backend: Backend): boolean {
    return this.target.tls === null || JSON.stringify(backend.tls) === this.#tls
  }

  update(backend: Backend, server: Server, breaker: BreakerCount | null): void {
    this.weight = server.weight
    this.backup = server.backup
    this.drain = server.drain
    this.limits = backend.limits
    this.breaker = breaker
  }

  /** Which of its turns it takes: 0 all, ADMIT_NONE none, else so many of a thousand. */
  get admit(): number {
    return sharedLoad(this.slot, SHARED.admit)
  }

  /**
   * An idle connection, else a new one; null when as many are in use as may be. An exchange has taken its in-flight
   * count before it comes here, so the count is that of the connections in use, over all threads.
   */
  acquire(fresh: boolean, timeouts: Timeouts): ServerConnection | null {
    const { connections } = this.limits
    if (connections > 0 && this.inFlight > connections) return null
    const idle = fresh ? undefined : this.#idle.pop()
    if (idle !== undefined) return idle
    return ServerConnection.open(this, timeouts)
  }

  /**
   * The last used is the first used again: the others run into their idle limit and close. What other threads keep idle
   * is not this one's to take: above the limit of connections none is kept.
   */
  release(connection: ServerConnection): void {
    const { connections, idle } = this.limits
    const crowded = connections > 0 && sharedLoad(this.slot, SHARED.connections) > connections
    const isGone = this.isRetired || !this.addresses.has(connection.address)
    if (isGone) connection.abandon()
    // Its client's alone: it waits for that one's next request.
    else if (connection.owner !== null) return
    else if (crowded || this.#idle.length >= idle) connection.abandon()
    else this.#idle.push(connection)
  }

  /** It belongs to one client from now on. */
  pinned(connection: ServerConnection): void {
    this.#bound.add(connection)
  }

  /** Those that were idle longest, so many at most; answers how many. */
  giveUpIdle(most: number): number {
    const given = this.#idle.slice(0, most)
    for (const connection of given) connection.abandon()
    return given.length
  }

  forget(connection: ServerConnection): void {
    const index = this.#idle.lastIndexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  #unused(): ServerConnection[] {
    return [...this.#idle, ...[...this.#bound].filter(({ isIdle }) => isIdle)]
  }

  /** Its name leads elsewhere: what is idle at an address that is gone closes, and what rested may be well there. */
  #moved(): void {
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

  closed(connection: ServerConnection): void {
    this.#bound.delete(connection)
    sharedAdd(this.slot, SHARED.connections, -1)
    count(this.slot, COUNT.connections, -1)
  }

  // Rest: a server that cannot be connected to is passed over for a while, by every thread.

  get isBackingOff(): boolean {
    // Most do not rest, and need no time.
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

  /** Why it failed last, for people. */
  #note(reason: Reason): void {
    const { shared, at } = this.slot
    Atomics.store(shared, at + SHARED.lastFailure, reasonNumber(reason) + 1)
  }

  // What its attempts tell of it.

  /** The head of a response came, so long after the attempt began. */
  responded(status: number, headMs: number): void {
    const { slot } = this
    count(slot, COUNT.responses, 1)
    if (status >= 500) {
      count(slot, COUNT.errors, 1)
      this.#lengthen(SHARED.errorStreak, SHARED.longestErrorStreak)
      this.#raiseAlarm(slot)
    }
    if (this.isTimed) recordLatency(slot, headMs * 1000, this.#now())
    if (this.breaker !== null)
      countResponse(this.breaker.counters, this.breaker.slot, status, headMs)
  }

  /** Its response was whole: only this ends a row of failures, for a head is easily sent before a body is cut. */
  completed(status: number): void {
    this.#wasWell = true
    const { shared, at } = this.slot
    if (shared[at + SHARED.failureStreak] !== 0) Atomics.store(shared, at + SHARED.failureStreak, 0)
    if (status < 500 && shared[at + SHARED.errorStreak] !== 0)
      Atomics.store(shared, at + SHARED.errorStreak, 0)
  }

  /**
   * An attempt came to nothing. `wasAnswered`: it was cut after its head, and is a failure instead of a response.
   */
  failed(reason: Reason, tookMs: number, hadResponse: boolean): void {
    const { status } = ERRORS[reason]
    this.#note(reason)
    if (hadResponse) count(this.slot, COUNT.responses, -1)
    count(this.slot, COUNT.failed, 1)
    this.#lengthen(SHARED.failureStreak, SHARED.longestFailureStreak)
    this.#lengthen(SHARED.errorStreak, SHARED.longestErrorStreak)
    this.#raiseAlarm(this.slot)
    // A connection refused at once is not a fast server.
    if (this.isTimed && status === 504) recordLatency(this.slot, tookMs * 1000, this.#now())
    if (this.breaker !== null)
      countResponse(this.breaker.counters, this.breaker.slot, status, tookMs)
  }

  /**
   * A response of it was refused for its form. While others of it are well that is the response's fault, and no failure of the
   * server: who asks for one odd path again and again must not have it ejected. One that brings HTTP is taken to be well at
   * first. The success rate counts it all the same: that compares servers, and an odd path is odd at each of them.
   */
  malformed(
    isHttp: boolean,
    tookMs: number,
    hadResponse: boolean,
    reason: Reason = 'BAD_ANSWER',
  ): void {
    const now = this.#now()
    if (this.#wasWell || (isHttp && this.#wellAt === null)) this.#wellAt = now
    this.#wasWell = false
    if (this.#wellAt === null || now - this.#wellAt >= WELL_MS) {
      this.failed(reason, tookMs, hadResponse)
      return
    }
    if (hadResponse) count(this.slot, COUNT.responses, -1)
    count(this.slot, COUNT.failed, 1)
    this.#raiseAlarm(this.slot)
  }

  /** It had not answered after so long, when another server had. */
  lostRace(elapsedMs: number): void {
    if (this.isTimed) recordLatency(this.slot, elapsedMs * 1000, this.#now())
  }

  /** One more in a row; the control plane looks now and then, and must not miss a row that has ended since. */
  #lengthen(row: number, worst: number): void {
    const { shared, at } = this.slot
    const length = Atomics.add(shared, at + row, 1) + 1
    const longest = Atomics.load(shared, at + worst)
    // A lost race is another thread's row, as long as this one but for one.
    if (length > longest) Atomics.compareExchange(shared, at + worst, longest, length)
  }

  /** Exchanges under way, over all threads. */
  get inFlight(): number {
    return sharedLoad(this.slot, SHARED.inFlight)
  }

  /** Removed: nothing new is sent to it, what is under way finishes. */
  retire(): void {
    this.isRetired = true
    // Its slot does not wait for what is under way here.
    this.breaker = null
    this.addresses.close()
    for (const connection of this.#unused()) connection.abandon()
  }
}

function authorityOf({ scheme, host, port }: Server): string {
  if (isSocketPath(host)) return 'localhost'
  const name = bracketHost(withoutRoot(host))
  return port === (scheme === 'https' ? 443 : 80) ? name : `${name}:${port}`
}
