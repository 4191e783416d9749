/**
 * A server, live. Known by its backend and url: its connections, counters and rest survive every change around it.
 * What several threads must agree on stands in its scoreboard slot.
 */
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Deadlines } from '../http/deadlines.ts'
import type { Backend, Server } from '../model/snapshot.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, type Slot, sharedAdd, sharedLoad } from '../scoreboard/scoreboard.ts'
import type { Target } from './connect.ts'
import type { OwnAddresses } from './own-addresses.ts'
import { ServerConnection } from './server-connection.ts'

/** Rest after a failed connect: 1 s, doubling with each further failure. */
const FIRST_REST_TENTHS = 10
const LONGEST_REST_TENTHS = 300

export interface EndpointContext {
  readonly deadlines: Deadlines
  /** Tenths of a second since the scoreboard began. */
  readonly tenths: () => number
  /** Where no connection may lead. */
  readonly own: OwnAddresses
}

export class Endpoint {
  readonly url: string
  /** For the Host field, when the client's is not passed on. */
  readonly authority: string
  readonly slot: Slot
  readonly deadlines: Deadlines
  readonly own: OwnAddresses
  readonly target: Target
  weight: number
  timeouts: Backend['timeouts']
  limits: Backend['limits']
  retired = false
  readonly #tls: string
  readonly #idle: ServerConnection[] = []
  readonly #tenths: () => number

  constructor(backend: Backend, server: Server, slot: Slot, context: EndpointContext) {
    this.url = server.url
    this.authority = authorityOf(server)
    this.slot = slot
    this.deadlines = context.deadlines
    this.own = context.own
    this.weight = server.weight
    this.timeouts = backend.timeouts
    this.limits = backend.limits
    this.#tenths = context.tenths
    this.#tls = JSON.stringify(backend.tls)
    this.target = compileTarget(backend, server)
  }

  /** Whether its connections can go on under what is declared now. */
  fits(backend: Backend): boolean {
    return this.target.tls === null || JSON.stringify(backend.tls) === this.#tls
  }

  /**
   * An idle connection, else a new one; null when as many are in use as may be. An exchange has taken its in-flight
   * count before it comes here, so the count is that of the connections in use, over all threads.
   */
  acquire(fresh: boolean): ServerConnection | null {
    const { connections } = this.limits
    if (connections > 0 && this.inFlight > connections) return null
    const idle = fresh ? undefined : this.#idle.pop()
    if (idle !== undefined) return idle
    sharedAdd(this.slot, SHARED.connections, 1)
    count(this.slot, COUNT.connections, 1)
    count(this.slot, COUNT.opened, 1)
    return ServerConnection.open(this)
  }

  /**
   * The last used is the first used again: the others run into their idle limit and close. What other threads keep idle
   * is not this one's to take: above the limit of connections none is kept.
   */
  release(connection: ServerConnection): void {
    const { connections, idle } = this.limits
    const crowded = connections > 0 && sharedLoad(this.slot, SHARED.connections) > connections
    if (this.retired || crowded || this.#idle.length >= idle) connection.abandon()
    else this.#idle.push(connection)
  }

  forget(connection: ServerConnection): void {
    const index = this.#idle.lastIndexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  closed(): void {
    sharedAdd(this.slot, SHARED.connections, -1)
    count(this.slot, COUNT.connections, -1)
  }

  // Rest: a server that cannot be connected to is passed over for a while, by every thread.

  get resting(): boolean {
    return sharedLoad(this.slot, SHARED.restUntil) > this.#tenths()
  }

  connected(): void {
    if (sharedLoad(this.slot, SHARED.failures) === 0) return
    Atomics.store(this.slot.shared, this.slot.at + SHARED.failures, 0)
    Atomics.store(this.slot.shared, this.slot.at + SHARED.restUntil, 0)
  }

  connectFailed(): void {
    count(this.slot, COUNT.connectFailures, 1)
    if (this.resting) return
    const failures = sharedAdd(this.slot, SHARED.failures, 1)
    const rest = Math.min(LONGEST_REST_TENTHS, FIRST_REST_TENTHS * 2 ** Math.min(failures, 8))
    Atomics.store(this.slot.shared, this.slot.at + SHARED.restUntil, this.#tenths() + rest)
  }

  /** Exchanges under way, over all threads. */
  get inFlight(): number {
    return sharedLoad(this.slot, SHARED.inFlight)
  }

  /** Removed: nothing new is sent to it, what is under way finishes. */
  retire(): void {
    this.retired = true
    for (const connection of [...this.#idle]) connection.abandon()
  }
}

function authorityOf({ scheme, host, port }: Server): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === (scheme === 'https' ? 443 : 80) ? name : `${name}:${port}`
}

function compileTarget(backend: Backend, server: Server): Target {
  const { scheme, host, port } = server
  if (scheme === 'http') return { scheme, host, port, tls: null }
  const { verify, ca, serverName } = backend.tls
  // RFC 6066 section 3: an address is not a name to ask for.
  const name = serverName ?? (isIP(host) === 0 ? host : '')
  return {
    scheme,
    host,
    port,
    tls: { context: contextFor(ca), verify, serverName: name, session: null },
  }
}

const contexts = new Map<string | null, SecureContext>()

/** One context for all servers that trust the same authorities: it holds them parsed. */
function contextFor(ca: string | null): SecureContext {
  let context = contexts.get(ca)
  if (context === undefined) {
    context = createSecureContext({ minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) })
    contexts.set(ca, context)
  }
  return context
}
