/**
 * The servers of a backend as the health monitor sees them. It combines probes, requests, breakers and slow start of each
 * server, and writes the result to the cell that the serving threads read (SHARED.trafficShare).
 */
import type { Backend, HealthCheck, PlacedBackend, Server } from '../model/snapshot.ts'
import { Ejector, type EjectorChange, type EjectionReason } from '../policy/health/ejector.ts'
import {
  decideEligibility,
  type EligibilityInput,
  type ServerState,
} from '../policy/health/pool-eligibility.ts'
import { SHARED } from '../scoreboard/layout.ts'
import { LiveBreaker, type BreakerContext } from './live-breaker.ts'
import { writeCell } from './cells.ts'
import type { RecentlyRemoved, Returned } from './recently-removed.ts'
import { checkOf } from './probe.ts'
import type { Prober } from './prober.ts'
import { MonitoredServer, serverKey } from './monitored-server.ts'
import { wireOf } from '../upstream/connecting/connect-target.ts'

export interface PoolContext extends BreakerContext {
  readonly prober: Pick<Prober, 'follow' | 'forget' | 'hurry' | 'state'>
  readonly recentlyRemoved: Pick<RecentlyRemoved, 'add' | 'take'>
  /** This process stalled lately: what was counted meanwhile is no evidence. */
  readonly isStalled: (now: number) => boolean
  /** ms of the board's clock. */
  readonly boardNow: () => number
  /** A server has entered another state. */
  readonly onServer: (server: MonitoredServer) => void
  readonly onEjected: (reason: EjectionReason) => void
  /** See holds.ts. */
  readonly isHeld: (backend: string, server: Server) => boolean
  readonly onPanic: (pool: MonitoredPool) => void
}

/** How long the counts of a pool are read after an alarm. */
const WATCH_MS = 10_000
/** How long a new server of a backend that scales may take to start, before its probes count against it. */
const STARTING_MS = 60_000
/** Of a backend that scales from zero without `health`: requests wait for a server that accepts a connection. */
const CONNECT_CHECK: HealthCheck = {
  http: null,
  grpc: null,
  port: null,
  intervalMs: 5_000,
  downIntervalMs: 5_000,
  timeoutMs: 2_000,
  rise: 1,
  fall: 3,
  jitter: 0.1,
  waitHealthy: true,
}

export class MonitoredPool {
  readonly id: string
  slot: number
  servers: readonly MonitoredServer[] = []
  isPanic = false
  #backend: Backend
  #hasBreakers = false
  #isRamping = false
  /** The state of a server is not in its cell yet. */
  #isStale = false
  /** Until then the servers' counts are read at each tick. */
  #watchedUntil = -Infinity
  /** Servers that are declared again since the last update. */
  #returned: Returned[] = []
  readonly #ejector: Ejector
  readonly #context: PoolContext

  constructor(placed: PlacedBackend, now: number, context: PoolContext) {
    this.id = placed.object.id
    this.slot = placed.slot
    this.#backend = placed.object
    this.#context = context
    this.#ejector = new Ejector(placed.object.ejection)
    this.servers = this.#serversOf(placed)
    // The first servers of a pool start at the same time: a slow start would spare none for another.
    for (const server of this.servers) server.wasUsable = true
    this.#begin(now)
  }

  /** Returns the servers that are no longer declared. */
  update(placed: PlacedBackend, now: number): readonly MonitoredServer[] {
    const before = this.servers
    this.servers = this.#serversOf(placed)
    this.slot = placed.slot
    this.#backend = placed.object
    this.#ejector.update(placed.object.ejection)
    const kept = new Set(this.servers)
    const gone = before.filter((server) => !kept.has(server))
    for (const server of gone) this.#part(server)
    this.#begin(now)
    return gone
  }

  /** For a backend that is no longer declared; returns its servers. */
  remove(): readonly MonitoredServer[] {
    for (const server of this.servers) this.#part(server)
    return this.servers
  }

  /** A server has failed: the counts of all are read for a while. */
  watch(now: number): void {
    const { failures, errors, successRate } = this.#backend.ejection
    if (failures === 0 && errors === 0 && successRate === null) return
    // Every failure raises an alarm: without one, no failure was counted.
    if (now >= this.#watchedUntil) this.#ejector.skip(now)
    this.#watchedUntil = now + WATCH_MS
  }

  /** Its probes have found it up or down: the threads see it with the next tick. */
  probed(server: MonitoredServer, state: 'up' | 'down'): void {
    server.probeState = state
    server.probeStateBefore = null
    // It accepts connections again, so that no request has to try.
    if (state === 'up') server.endBackoff()
    if (state === 'up' && this.#backend.health === null) {
      server.hasConnected = true
      this.#context.prober.forget(server.key)
    }
    this.#isStale = true
  }

  /** Requests wait for a server: those that are about to start are probed until one has. */
  wake(now: number): void {
    const { scale, health } = this.#backend
    if (scale === null || scale.zero === null) return
    for (const server of this.servers) {
      // It was there, and cannot be connected to now.
      if (health === null && server.hasConnected && server.passiveCheck.backoffMs > 0) {
        server.hasConnected = false
        server.probeState = this.#probeStateOf(server, this.#backend, false)
        this.#isStale = true
      }
      this.#context.prober.hurry(server.key, now + scale.zero.timeoutMs)
    }
  }

  /** Others of its servers may be held now. */
  holdsChanged(): void {
    for (const server of this.servers) {
      server.isHeld = this.#context.isHeld(this.id, server.declared)
    }
    this.#isStale = true
  }

  /** Returns whether the next tick must look at it without an alarm. */
  tick(now: number): boolean {
    if (this.#hasBreakers) {
      for (const { breaker } of this.servers) {
        if (breaker?.tick(now) === true) this.#isStale = true
      }
    }
    const isOpen = this.#checkAttempts(now)
    if (now < this.#watchedUntil || this.#ejector.ejected > 0) this.#checkEjections(now)
    if (this.#isStale || this.#isRamping) this.#updateEligibility(now)
    return (
      isOpen ||
      this.#hasBreakers ||
      this.#isRamping ||
      this.#ejector.ejected > 0 ||
      now < this.#watchedUntil
    )
  }

  #begin(now: number): void {
    this.#hasBreakers = this.servers.some(({ breaker }) => breaker !== null)
    // The ejector takes the counts up to here as its start.
    this.#checkEjections(now)
    for (const { server, ejections } of this.#returned) {
      if (ejections !== null) this.#ejector.restore(server.url, ejections)
      if (!this.#ejector.isEjected(server.url)) server.ejection = null
    }
    this.#returned = []
    this.#updateEligibility(now)
  }

  /** Updates which servers fail; returns whether that may change without an alarm. */
  #checkAttempts(now: number): boolean {
    if (this.#context.isStalled(now)) return true
    let isOpen = false
    for (const { passiveCheck } of this.servers) {
      if (passiveCheck.update(now)) this.#isStale = true
      if (passiveCheck.isOpen) isOpen = true
    }
    return isOpen
  }

  #part(server: MonitoredServer): void {
    this.#context.recentlyRemoved.add(server, this.#ejector.remove(server.url))
  }

  #checkEjections(now: number): void {
    const { scoreboard, isStalled } = this.#context
    const evidence = this.servers.map((server) => server.evidence(scoreboard))
    if (isStalled(now)) {
      this.#ejector.discard(evidence)
      for (const server of this.servers) server.resetStreaks()
    } else {
      for (const change of this.#ejector.tick(now, evidence)) this.#apply(change, now)
    }
  }

  #apply(change: EjectorChange, now: number): void {
    const server = this.servers.find(({ url }) => url === change.url)
    if (server === undefined) return
    this.#isStale = true
    if (change.kind === 'returned') {
      server.ejection = null
      // What led to the ejection does not count again.
      server.passiveCheck.clear()
      server.passiveCheck.update(now)
      return
    }
    server.ejection = `${change.detail}; for ${formatSeconds(change.forMs)}`
    server.countEjection(change.reason)
    this.#context.onEjected(change.reason)
  }

  #updateEligibility(now: number): void {
    this.#isStale = false
    const { slowStartMs, panic, scale } = this.#backend
    for (const server of this.servers) {
      const { isUsable } = server
      if (isUsable && !server.wasUsable && slowStartMs > 0) server.rampSince = now
      server.wasUsable = isUsable
    }
    const { servers, isPanic } = decideEligibility(
      this.servers.map((server) => server.eligibilityInput(now, slowStartMs)),
      panic,
      scale !== null && scale.zero !== null,
    )
    this.#isRamping = this.servers.some(({ rampSince }) => rampSince !== null)
    for (const [at, server] of this.servers.entries()) {
      const eligibility = servers[at]
      if (eligibility === undefined) continue
      writeCell(server.slot, SHARED.trafficShare, eligibility.trafficShare)
      this.#enter(server, eligibility.state)
    }
    // While all wait for their first success, all are used, too: that is a start and no panic.
    const panics =
      isPanic && this.servers.some(({ state }) => state === 'down' || state === 'ejected')
    if (panics === this.isPanic) return
    this.isPanic = panics
    this.#context.onPanic(this)
  }

  #enter(server: MonitoredServer, state: ServerState): void {
    const before = server.state
    if (state === before) return
    server.state = state
    server.since = this.#context.date()
    // Its first state is no change.
    if (before === null) return
    server.countChange(state)
    this.#context.onServer(server)
  }

  #serversOf({ object, serverSlots, breakerSlots }: PlacedBackend): readonly MonitoredServer[] {
    const known = new Map(this.servers.map((server) => [server.url, server]))
    const found = new Map<string, MonitoredServer>()
    for (const [at, declared] of object.servers.entries()) {
      const number = serverSlots[at]
      // A url that is declared twice is one server.
      if (number === undefined || found.has(declared.url)) continue
      const server = known.get(declared.url) ?? this.#receive(declared, number)
      server.declared = declared
      server.isHeld = this.#context.isHeld(this.id, declared)
      server.wire = wireOf(object, declared)
      server.probeState = this.#probeStateOf(server, object)
      server.breaker = this.#breakerOf(server, object, breakerSlots[at])
      found.set(declared.url, server)
    }
    return [...found.values()]
  }

  /** A new server, or one that was removed recently. */
  #receive(declared: Server, number: number): MonitoredServer {
    const { recentlyRemoved, scoreboard, date, boardNow } = this.#context
    const returned = recentlyRemoved.take(serverKey(this.id, declared.url), number)
    if (returned === null) {
      return new MonitoredServer(this.id, declared, scoreboard.slot(number), date(), boardNow)
    }
    returned.server.restore(returned.isLapse, date())
    this.#returned.push(returned)
    return returned.server
  }

  #probeStateOf(
    server: MonitoredServer,
    backend: Backend,
    wasServed = server.state !== null && server.probeState !== 'waiting',
  ): EligibilityInput['probe'] {
    const { tls, proxyProtocol, scale } = backend
    const { prober } = this.#context
    const startsFromZero = scale !== null && scale.zero !== null && !server.hasConnected
    const health = backend.health ?? (startsFromZero ? CONNECT_CHECK : null)
    if (health === null) {
      prober.forget(server.key)
      server.lastProbe = null
      server.probeStateBefore = null
      return 'up'
    }
    const target = {
      server: server.declared,
      check: checkOf(server.declared, health),
      tls,
      proxyProtocol,
      wire: server.wire,
    }
    prober.follow(server.key, target, wasServed, this.id)
    if (scale !== null && server.state === null)
      prober.hurry(server.key, this.#context.now() + STARTING_MS)
    return server.probeStateBefore ?? prober.state(server.key)
  }

  #breakerOf(
    { url, breaker }: MonitoredServer,
    { id, breaker: spec }: Backend,
    number: number | undefined,
  ): LiveBreaker | null {
    if (spec === null || number === undefined) {
      breaker?.remove()
      return null
    }
    if (breaker?.slot.number === number && breaker.condition === spec.condition) {
      breaker.update(spec)
      return breaker
    }
    breaker?.remove()
    const owner = { frontend: null, backend: id, server: url }
    return new LiveBreaker(owner, spec, this.#context.scoreboard.slot(number), this.#context)
  }
}

function formatSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
