/** A health monitor over a real scoreboard and publisher; time, probes and what the serving threads count are the test's. */
import { parseMiddleware } from '../../src/schema/middleware.ts'
import type { TestContext } from 'node:test'
import { createHealthMonitor, type HealthMonitor } from '../../src/health/health-monitor.ts'
import type { ProbeResult } from '../../src/health/probe.ts'
import { createPublisher, type Publisher } from '../../src/control/publication/publisher.ts'
import type {
  Backend,
  BreakerSpec,
  Delta,
  Frontend,
  HealthCheck,
  MiddlewareSpec,
  Server,
  WebHook,
} from '../../src/model/snapshot.ts'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { count, Scoreboard, ScoreboardView, type Slot } from '../../src/scoreboard/scoreboard.ts'
import { backendOf, frontendOf, serverOf } from './objects.ts'
import { publisherOfSnapshots } from './snapshots.ts'
import { eventually, turn } from './until.ts'

export const HEALTH: HealthCheck = {
  http: null,
  grpc: null,
  port: null,
  intervalMs: 1000,
  downIntervalMs: 1000,
  timeoutMs: 500,
  rise: 2,
  fall: 2,
  jitter: 0,
  waitHealthy: false,
}

export const BREAKER: BreakerSpec = {
  condition: 'NetworkErrorRatio() > 0.5',
  requests: 10,
  checkMs: 100,
  fallbackMs: 1000,
  recoveryMs: 1000,
  onTripped: null,
  onStandby: null,
}

export function makeServer(url: string, more: Partial<Server> = {}): Server {
  return serverOf(url, url, more)
}

export function makeBackend(
  id: string,
  servers: readonly (string | Server)[],
  more: Partial<Backend> = {},
): Backend {
  const all = servers.map((one) => (typeof one === 'string' ? makeServer(one) : one))
  return backendOf(id, all, more)
}

export function makeFrontend(
  id: string,
  backend: string,
  middlewares: readonly MiddlewareSpec[],
): Frontend {
  // As admission leaves them.
  const admitted = middlewares.map((spec) => {
    const parsed = parseMiddleware(spec)
    if (!parsed.ok) throw new Error(parsed.problems[0]?.message)
    return parsed.value
  })
  return frontendOf(id, backend, { middlewares: admitted })
}

export interface Line {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

export interface Site {
  readonly monitor: HealthMonitor
  readonly scoreboard: Scoreboard
  readonly publisher: Publisher
  readonly lines: readonly Line[]
  readonly hooks: readonly string[]
  /** What is logged at level debug: each probe. */
  readonly probes: readonly string[]
  /** Urls whose probes fail. */
  readonly unwell: Set<string>
  /** Sums that were read. */
  readonly reads: { count: number }
  /** As the serving threads report it. */
  stallMs: number
  /** Brings into force all there is. */
  publish(backends: readonly Backend[], frontends?: readonly Frontend[]): Promise<void>
  /** Ticks of 100 ms each. */
  pass(ms: number): Promise<void>
  /** One tick that comes after so much time. */
  late(ms: number): Promise<void>
  report(url: string): ServerReport
  /** SHARED.trafficShare as the serving threads read it, in the slot of the last delta. */
  trafficShare(backend: string, url: string): number
  slot(backend: string, url: string): Slot
  /** Of the middleware that has one. */
  wayOf(frontend: string): Slot
  breakerOf(backend: string, url: string): Slot
  /** As a serving thread counts attempts that fail in a row. */
  fail(backend: string, url: string, times: number): void
}

class CountedScoreboard extends Scoreboard {
  readonly reads = { count: 0 }

  override sumOf(slot: Slot, counter: number): number {
    this.reads.count++
    return super.sumOf(slot, counter)
  }
}

export function createSite(t: TestContext): Site {
  const scoreboard = new CountedScoreboard(2, 0)
  const publisher = createPublisher(scoreboard, { conflateMs: 0, sweepMs: 5 })
  const lines: Line[] = []
  const hooks: string[] = []
  const probes: string[] = []
  const unwell = new Set<string>()
  const clock = { now: 1000 }
  const placed = new Map<string, number>()
  const tell =
    (level: Line['level']) =>
    (_fields: object, message: string): void => {
      lines.push({ level, message })
    }
  const answer = (url: string): ProbeResult =>
    unwell.has(url) ? { ok: false, reason: 'refused' } : { ok: true, tookMs: 1 }
  const monitor = createHealthMonitor({
    scoreboard,
    publisher,
    log: {
      debug: (_fields, message) => void probes.push(message),
      info: tell('info'),
      warn: tell('warn'),
      error: tell('error'),
    },
    now: () => clock.now,
    date: () => 1_000_000 + clock.now,
    random: () => 0.5,
    stallOfThreads: () => site.stallMs,
    probe: ({ server }) => Promise.resolve(answer(server.url)),
    sendHook: ({ url }: WebHook) => {
      hooks.push(url)
      return url.includes('bad') ? Promise.reject(new Error('refused')) : Promise.resolve()
    },
  })
  publisher.listen({ onPlaced: note })
  t.after(async () => {
    publisher.stop()
    await monitor.stop()
  })

  function note({ upserts }: Delta): void {
    for (const { object, serverSlots, breakerSlots } of upserts.backends) {
      for (const [at, { url }] of object.servers.entries()) {
        placed.set(`server ${object.id} ${url}`, serverSlots[at] ?? -1)
        placed.set(`breaker ${object.id} ${url}`, breakerSlots[at] ?? -1)
      }
    }
    for (const { object, states } of upserts.frontends) {
      for (const number of states) if (number !== null) placed.set(`way ${object.id}`, number)
    }
  }

  async function tick(ms: number): Promise<void> {
    clock.now += ms
    monitor.tick()
    // Probes that were begun have their responses.
    await turn()
  }

  /** As the second of two threads has it. */
  function slotOf(key: string): Slot {
    return new ScoreboardView(scoreboard.memory(), 1).slot(placed.get(key) ?? -1)
  }

  const publish = publisherOfSnapshots(publisher)
  const site: Site = {
    monitor,
    scoreboard,
    publisher,
    lines,
    hooks,
    probes,
    unwell,
    reads: scoreboard.reads,
    stallMs: 0,
    async publish(backends, frontends = []) {
      const number = publish(
        {
          listeners: new Map(),
          backends: new Map(backends.map((one) => [one.id, one])),
          frontends: new Map(frontends.map((one) => [one.id, one])),
        },
        0,
      )
      await eventually(() => publisher.number() >= number, 'it is published')
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 100) await tick(100)
    },
    late: tick,
    report(url) {
      const report = [...monitor.servers()].find((one) => one.url === url)
      if (report === undefined) throw new Error(`${url} is not known`)
      return report
    },
    trafficShare: (backend, url) => {
      const { shared, at } = slotOf(`server ${backend} ${url}`)
      return Atomics.load(shared, at + SHARED.trafficShare)
    },
    slot: (backend, url) => slotOf(`server ${backend} ${url}`),
    wayOf: (frontend) => slotOf(`way ${frontend}`),
    breakerOf: (backend, url) => slotOf(`breaker ${backend} ${url}`),
    fail(backend, url, times) {
      const slot = slotOf(`server ${backend} ${url}`)
      count(slot, COUNT.failed, times)
      const row = Atomics.add(slot.shared, slot.at + SHARED.failureStreak, times) + times
      const worst = slot.at + SHARED.longestFailureStreak
      Atomics.store(slot.shared, worst, Math.max(row, Atomics.load(slot.shared, worst)))
      new ScoreboardView(scoreboard.memory(), 1).raiseAlarm(slot)
    },
  }
  return site
}
