/**
 * Keeps requests away from servers that fail. Every 100 ms it reads what the serving threads have counted and what the probes
 * have found, and writes the cells from which the threads decide.
 *
 *   probes   --> states -------\
 *   requests --> ejections ------- eligibility of each server --> SHARED.trafficShare
 *            \-> its breaker ----/
 *   requests --> breakers of frontends --> SHARED.trafficShare, adaptive limits --> SHARED.limit
 *
 * A pool is checked only for a cause: an alarm of a thread, a new probe state, a slow start, a change.
 */
import type { NameReport } from '../dns/resolver.ts'
import type { Delta, PlacedBackend, Server } from '../model/snapshot.ts'
import {
  type BreakerReport,
  type HealthView,
  type ServerReport,
} from '../observe/reports/health-report.ts'
import type { ServerState } from '../policy/health/pool-eligibility.ts'
import type { Scoreboard } from '../scoreboard/scoreboard.ts'
import type { OnFault } from '../observe/fault.ts'
import type { Log } from '../observe/log.ts'
import { createAlarms } from './alarms.ts'
import type { BreakerContext, LiveBreaker } from './live-breaker.ts'
import { createHolds, type Hold, type IsHeld } from './holds.ts'
import { createLimitedLog } from './limited-log.ts'
import { createWebHookQueue, type SendHook } from './web-hook-queue.ts'
import { createDrainingServers } from './draining-servers.ts'
import { createRecentlyRemoved } from './recently-removed.ts'
import { MonitoredPool, type PoolContext } from './monitored-pool.ts'
import type { Probe } from './probe.ts'
import { createProber } from './prober.ts'
import type { MonitoredServer } from './monitored-server.ts'
import { createStalls, TICK_MS } from './stalls.ts'
import { createTotals } from './totals.ts'
import { createMiddlewareState } from './middleware-state.ts'

export interface HealthMonitorOptions {
  readonly scoreboard: Scoreboard
  readonly publisher: { listen(listener: { readonly onPlaced: (delta: Delta) => void }): void }
  readonly log: Log
  /** ms, monotonic. */
  readonly now: () => number
  /** ms of the board's clock; `now` without it. */
  readonly boardNow?: () => number
  /** ms since the epoch, for people. */
  readonly date: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** The longest recent stall of a serving thread's event loop, ms. */
  readonly stallOfThreads: () => number
  readonly probe: Probe
  readonly sendHook: SendHook
  /** The addresses of a server's name. */
  readonly resolution?: (host: string) => NameReport | null
  /** A server at this host began to fail: its name may have moved before its TTL is over. */
  readonly doubt?: (host: string) => void
  /** A probe or a web-hook could not be sent, see http/connection/shortage.ts. */
  readonly onShortage?: (code: string) => void
  /** The state of a server, of a breaker, or of a backend (`panic`) has changed. */
  readonly onState?: (what: 'server' | 'breaker' | 'panic', state: object) => void
  /** A backend or a frontend has caused an exception: the others are still watched. */
  readonly onFault?: OnFault
}

export interface HealthMonitor extends HealthView {
  start(): void
  /** The cells of the scoreboard keep their values. */
  stop(): Promise<void>
  /** What `start` does every 100 ms. */
  tick(): void
  /** Requests wait for a server of this backend, which scales from zero. */
  wake(backend: string): void
  servers(): Iterable<ServerReport>
  /** Those that are declared for the backend. */
  serversOf(backend: string): readonly DeclaredServer[]
  /** Servers of the backend for which `isHeld` is true get no new requests, also those that are declared later. */
  hold(backend: string, isHeld: IsHeld): Hold
  breakers(): Iterable<BreakerReport>
}

export interface DeclaredServer extends Pick<Server, 'id' | 'url'> {
  readonly inFlight: number
}

const BAD: ReadonlySet<ServerState> = new Set(['failing', 'down', 'ejected'])
/** How long the pools may take in one tick. */
const MAX_MS = 10
/** Each pool is checked within so many ticks, however many there are: an ejector starts over after a second. */
const MAX_TICKS = 8

export function createHealthMonitor(options: HealthMonitorOptions): HealthMonitor {
  const { scoreboard, publisher, log, now, date, random, stallOfThreads, probe, sendHook } = options
  const {
    onFault = () => {},
    onShortage = () => {},
    doubt = () => {},
    onState = () => {},
  } = options
  const journal = createLimitedLog(log)
  const stalls = createStalls(stallOfThreads)
  const hooks = createWebHookQueue(
    sendHook,
    (name, origin, reason) => {
      journal.warn({ origin }, `the web-hook of ${name} failed: ${reason}`)
    },
    onShortage,
  )
  const totals = createTotals()
  const alarms = createAlarms<MonitoredPool>(scoreboard)
  const draining = createDrainingServers()
  const recentlyRemoved = createRecentlyRemoved(now)
  const pools = new Map<string, MonitoredPool>()
  const bySlot = new Map<number, MonitoredPool>()
  const serversByKey = new Map<string, WatchedServer>()
  const serversBySlot = new Map<number, MonitoredServer>()
  /** Pools to check at the next tick. */
  const awake = new Set<MonitoredPool>()
  let timer: NodeJS.Timeout | null = null

  const prober = createProber({
    probe,
    now,
    random,
    onState(key, state) {
      const watched = serversByKey.get(key)
      if (watched === undefined) return
      watched.pool.probed(watched.server, state)
      awake.add(watched.pool)
    },
    onShortage,
    onResult(key, ok, reason) {
      totals.probe(ok)
      const server = serversByKey.get(key)?.server
      if (server === undefined) return
      server.probed({ ok, at: date(), reason })
      const result = ok ? 'succeeded' : `failed: ${reason}`
      log.debug(
        { backend: server.backend, server: server.url },
        `probe of ${server.name} ${result}`,
      )
    },
  })
  const holds = createHolds((backend) => {
    const pool = pools.get(backend)
    if (pool === undefined) return
    pool.holdsChanged()
    awake.add(pool)
  })
  const breakerContext: BreakerContext = {
    scoreboard,
    now,
    date,
    onState: logBreaker,
    onGone: logGone,
  }
  const poolContext: PoolContext = {
    ...breakerContext,
    prober,
    recentlyRemoved,
    isStalled: (at) => stalls.isStalled(at),
    boardNow: options.boardNow ?? now,
    onServer(server: MonitoredServer) {
      if (server.state !== null && BAD.has(server.state)) doubt(nameOf(server.declared))
      logServer(server)
    },
    onEjected: (reason) => totals.ejection(reason),
    onPanic: logPanic,
    isHeld: holds.isHeld,
  }
  const middlewareState = createMiddlewareState(breakerContext)

  // Before any thread has them: a server that waits for its first success must get no request before.
  publisher.listen({ onPlaced: place })

  function place({ upserts, deletes }: Delta): void {
    const at = now()
    for (const placed of upserts.backends) {
      const { id } = placed.object
      attempt({ kind: 'backend', id }, () => placeBackend(placed, at))
    }
    for (const placed of upserts.frontends) {
      const { id } = placed.object
      attempt({ kind: 'frontend', id }, () => middlewareState.upsert(placed))
    }
    for (const id of deletes.frontends) middlewareState.remove(id)
    for (const id of deletes.backends) removeBackend(id)
  }

  function attempt(object: Parameters<OnFault>[0], act: () => void): void {
    try {
      act()
    } catch (error) {
      onFault(object, error)
    }
  }

  function placeBackend(placed: PlacedBackend, at: number): void {
    const { id } = placed.object
    for (const slot of placed.serverSlots) draining.forget(slot)
    const known = pools.get(id)
    if (known === undefined) pools.set(id, new MonitoredPool(placed, at, poolContext))
    else {
      bySlot.delete(known.slot)
      for (const server of known.update(placed, at)) drop(server, known)
    }
    const pool = known ?? pools.get(id)
    if (pool === undefined) return
    bySlot.set(pool.slot, pool)
    for (const server of pool.servers) {
      serversByKey.set(server.key, { server, pool })
      serversBySlot.set(server.slot.number, server)
      alarms.add(server.slot.number, pool)
    }
    awake.add(pool)
  }

  function removeBackend(id: string): void {
    const pool = pools.get(id)
    if (pool === undefined) return
    pools.delete(id)
    bySlot.delete(pool.slot)
    awake.delete(pool)
    for (const server of pool.remove()) drop(server, pool)
  }

  function drop(server: MonitoredServer, pool: MonitoredPool): void {
    prober.forget(server.key)
    serversByKey.delete(server.key)
    serversBySlot.delete(server.slot.number)
    alarms.remove(server.slot.number, pool)
    draining.add(server, date())
  }

  function tick(): void {
    const at = now()
    stalls.tick(at)
    attempt(null, () => prober.tick(at))
    alarms.check((pool) => {
      pool.watch(at)
      awake.add(pool)
    })
    checkPools(at)
    attempt(null, () => middlewareState.tick(at))
    draining.tick()
    recentlyRemoved.tick()
    journal.tick(at)
  }

  /** If there are too many for one tick, the checked ones go to the end of the set. */
  function checkPools(at: number): void {
    const least = Math.ceil(awake.size / MAX_TICKS)
    let left = awake.size
    let checked = 0
    for (const pool of awake) {
      if (left-- === 0) return
      awake.delete(pool)
      try {
        if (pool.tick(at)) awake.add(pool)
      } catch (error) {
        onFault({ kind: 'backend', id: pool.id }, error)
      }
      if (++checked >= least && checked % 64 === 0 && now() - at > MAX_MS) return
    }
  }

  function logServer(server: MonitoredServer): void {
    const { backend, url, state, reason, name } = server
    if (state === null) return
    totals.change(state)
    const write = BAD.has(state) ? journal.warn : journal.info
    const why = reason === null ? '' : `: ${reason}`
    write({ backend, server: url, state }, `${name} is ${state}${why}`)
    onState('server', { backend, url, state, reason })
  }

  function logPanic({ id, isPanic }: MonitoredPool): void {
    onState('panic', { backend: id, panics: isPanic })
    if (isPanic) {
      const what = 'too few of its servers are well, so all of them are used'
      journal.warn({ backend: id }, `backend "${id}" panics: ${what}`)
    } else journal.info({ backend: id }, `backend "${id}" panics no longer`)
  }

  function logBreaker(breaker: LiveBreaker): void {
    const { owner, condition, state, spec, name } = breaker
    const isTripped = state === 'tripped'
    if (isTripped) totals.trip()
    const write = isTripped ? journal.warn : journal.info
    write({ ...owner, condition, state }, `${name} is ${state}`)
    onState('breaker', { ...owner, condition, state })
    const hook = isTripped ? spec.onTripped : state === 'standby' ? spec.onStandby : null
    if (hook !== null) hooks.send(breaker, hook, name)
  }

  /** A removed breaker enters no further state: its end is logged here. */
  function logGone(breaker: LiveBreaker): void {
    const { owner, condition, state, spec, name } = breaker
    journal.info({ ...owner, condition, state }, `${name} is gone; it was ${state}`)
    if (spec.onStandby !== null) hooks.send(breaker, spec.onStandby, name)
  }

  function* servers(): Generator<ServerReport> {
    const { resolution = () => null } = options
    for (const { servers } of pools.values()) {
      for (const server of servers) {
        yield { ...server.report(), resolution: resolution(nameOf(server.declared)) }
      }
    }
    yield* draining.reports()
  }

  function* breakers(): Generator<BreakerReport> {
    for (const breaker of middlewareState.breakers()) yield breaker.report()
    for (const { servers } of pools.values()) {
      for (const { breaker } of servers) if (breaker !== null) yield breaker.report()
    }
  }

  return {
    start() {
      timer ??= setInterval(tick, TICK_MS).unref()
    },
    async stop() {
      if (timer !== null) clearInterval(timer)
      await Promise.all([prober.stop(), hooks.stop()])
    },
    tick,
    wake(backend) {
      const pool = pools.get(backend)
      if (pool === undefined) return
      attempt({ kind: 'backend', id: backend }, () => pool.wake(now()))
      awake.add(pool)
    },
    servers,
    serversOf: (backend) =>
      (pools.get(backend)?.servers ?? []).map(({ declared: { id, url }, inFlight }) => {
        return { id, url, inFlight }
      }),
    hold: holds.hold,
    breakers,
    server: (slot) => serversBySlot.get(slot)?.report() ?? null,
    panics: (slot) => bySlot.get(slot)?.isPanic === true,
    tally: () => totals.tally(),
    trips: () => totals.trips(),
    limits: () => middlewareState.limits(),
  }
}

interface WatchedServer {
  readonly server: MonitoredServer
  readonly pool: MonitoredPool
}

function nameOf({ name, host }: Server): string {
  return name ?? host
}
