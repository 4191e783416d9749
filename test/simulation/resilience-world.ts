/**
 * A site without sockets in simulated time: the real pools of two serving threads, the real health monitor over one scoreboard, the
 * real breaker, retries and budget; servers that slow down, fail, flap, hang and return, by a seeded plan. What must hold at
 * any moment is checked as it goes, see resilience.test.ts.
 */
import assert from 'node:assert/strict'
import { createHealthMonitor, type HealthMonitor } from '../../src/health/health-monitor.ts'
import type { PublisherListener } from '../../src/control/publication/publisher.ts'
import { Deadlines } from '../../src/http/connection/deadlines.ts'
import { compileMiddleware } from '../../src/middleware/catalog.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import type { Middleware } from '../../src/middleware/middleware.ts'
import { parseBackend } from '../../src/schema/objects.ts'
import type { Backend, Delta, MiddlewareSpec } from '../../src/model/snapshot.ts'
import { NO_TRAFFIC, COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { NameTable } from '../../src/dns/names.ts'
import { OwnAddresses } from '../../src/upstream/connecting/own-addresses.ts'
import { Pool } from '../../src/upstream/pool.ts'
import type { Chance } from '../fuzz/random.ts'
import {
  ask,
  createMiddlewareContext,
  requestOf,
  type ScriptedContext,
} from '../support/middleware-context.ts'

export const TICK_MS = 100
const TRY_MS = 400
const THREADS = 2

/** How a simulated server behaves now. */
export interface Behaviour {
  readonly kind: 'well' | 'slow' | 'errors' | 'refuses' | 'hangs'
  /** Of requests that are answered with 500; of `errors`. */
  readonly share: number
}

export const WELL: Behaviour = { kind: 'well', share: 0 }

export interface Plan {
  readonly servers: number
  readonly ratePerSecond: number
  readonly backend: object
  /** Options of a breaker on the route, or null. */
  readonly breaker: object | null
}

interface Request {
  readonly thread: number
  readonly context: ScriptedContext | null
  readonly startedAt: number
  attempts: number
  tried: readonly Endpoint[]
}

export class World {
  now = 0
  readonly scoreboard: Scoreboard = new Scoreboard(THREADS, 0)
  readonly backend: Backend
  readonly behaviours: Behaviour[]
  readonly monitor: HealthMonitor
  requests = 0
  responses = 0
  attempts = 0
  refusedByBreaker = 0
  readonly #plan: Plan
  readonly #chance: Chance
  readonly #deadlines = new Deadlines()
  readonly #pools: readonly Pool[]
  readonly #breakers: readonly (Middleware | null)[]
  readonly #breakerSlot: number
  readonly #serverSlots: readonly number[]
  readonly #events = new Agenda()
  readonly #isOut = new Set<number>()
  #nextArrival = 0
  #underWay = 0

  constructor(plan: Plan, chance: Chance) {
    this.#plan = plan
    this.#chance = chance
    this.#deadlines.close()
    this.behaviours = Array.from({ length: plan.servers }, () => WELL)
    const urls = this.behaviours.map((_, at) => [`s${at}`, `http://10.0.0.${at + 1}:80`] as const)
    const servers: Record<string, string> = Object.fromEntries(urls)
    const parsed = parseBackend('b', { ...plan.backend, servers }, () => '')
    assert.ok(parsed.ok, JSON.stringify(parsed))
    this.backend = parsed.value
    const slot = this.scoreboard.allocate()
    this.#serverSlots = this.backend.servers.map(() => this.scoreboard.allocate())
    this.#breakerSlot = this.scoreboard.allocate()
    const placed = {
      object: this.backend,
      slot,
      serverSlots: this.#serverSlots,
      breakerSlots:
        this.backend.breaker === null
          ? []
          : this.backend.servers.map(() => this.scoreboard.allocate()),
    }
    let listener: PublisherListener = {}
    this.monitor = createHealthMonitor({
      scoreboard: this.scoreboard,
      publisher: {
        listen(one) {
          listener = one
        },
      },
      log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
      now: () => this.now,
      date: () => this.now,
      random: () => this.#random(),
      stallOfThreads: () => 0,
      probe: ({ server }) => this.#probe(Number(server.id.slice(1))),
      sendHook: () => Promise.resolve(204),
    })
    const spec = plan.breaker === null ? null : breakerSpec(plan.breaker)
    const delta: Delta = {
      number: 1,
      upserts: {
        listeners: [],
        backends: [placed],
        frontends: spec === null ? [] : [this.#frontend(spec)],
      },
      deletes: { listeners: [], backends: [], frontends: [] },
    }
    listener.onPlaced?.(delta)
    const views = Array.from(
      { length: THREADS },
      (_, thread) => new ScoreboardView(this.scoreboard.memory(), thread),
    )
    this.#pools = views.map(
      (view) =>
        new Pool(placed, {
          deadlines: this.#deadlines,
          now: () => this.now,
          own: new OwnAddresses(),
          names: new NameTable(),
          slot: (number) => view.slot(number),
          random: () => this.#random(),
          stickyKey: Buffer.alloc(32),
          onWake: () => {},
          raiseAlarm: (server) => view.raiseAlarm(server),
          onNotice: () => {},
          onFault: (fault) => {
            throw fault
          },
        }),
    )
    this.#breakers = views.map((view) => {
      if (spec === null) return null
      const table = new BigInt64Array()
      return compileMiddleware(spec, {
        frontend: 'f',
        slot: view.slot(this.#breakerSlot),
        table,
        now: () => this.now,
        seed: 1,
        onNotice: () => {},
      })
    })
  }

  #frontend(spec: MiddlewareSpec): Delta['upserts']['frontends'][number] {
    return {
      object: {
        id: 'f',
        protocol: 'http',
        route: 'PathPrefix("/")',
        priority: null,
        backend: 'b',
        passHost: true,
        paths: null,
        timeouts: null,
        retry: null,
        middlewares: [spec],
        labels: null,
      },
      slot: this.scoreboard.allocate(),
      states: [this.#breakerSlot],
    }
  }

  // ---- what the test looks at

  get breakerShare(): number {
    return this.scoreboard.shared(this.#breakerSlot, SHARED.trafficShare)
  }

  trafficShares(): readonly number[] {
    return this.#serverSlots.map((slot) => this.scoreboard.shared(slot, SHARED.trafficShare))
  }

  inFlight(): readonly number[] {
    return this.#serverSlots.map((slot) => this.scoreboard.shared(slot, SHARED.inFlight))
  }

  /** Attempts that each server has had. */
  served(): readonly number[] {
    return this.#serverSlots.map(
      (slot) =>
        this.scoreboard.sum(slot, COUNT.responses) + this.scoreboard.sum(slot, COUNT.failed),
    )
  }

  ejected(): number {
    return [...this.monitor.servers()].filter(({ state }) => state === 'ejected').length
  }

  // ---- time

  /** So long, with or without further requests. */
  async pass(ms: number, arrivals: boolean): Promise<void> {
    const end = this.now + ms
    while (this.now < end) {
      const until = Math.min(end, (Math.floor(this.now / TICK_MS) + 1) * TICK_MS)
      this.#serveUntil(until, arrivals)
      this.now = until
      // Probes answer at once, but by promises.
      await Promise.resolve()
      this.monitor.tick()
      await Promise.resolve()
      this.#check()
    }
  }

  #serveUntil(until: number, arrivals: boolean): void {
    if (!arrivals) this.#nextArrival = Infinity
    else if (this.#nextArrival === Infinity) this.#nextArrival = this.now
    for (;;) {
      const event = this.#events.next
      if (Math.min(event, this.#nextArrival) >= until) return
      if (event <= this.#nextArrival) {
        this.now = Math.max(this.now, event)
        this.#events.run()
      } else {
        this.now = Math.max(this.now, this.#nextArrival)
        this.#nextArrival += -Math.log(1 - this.#random()) * (1000 / this.#plan.ratePerSecond)
        this.#arrive()
      }
    }
  }

  #check(): void {
    const { share } = this.backend.ejection
    assert.ok(this.ejected() <= Math.floor(share * this.behaviours.length), 'too many are ejected')
    for (const [at, share] of this.trafficShares().entries()) {
      assert.ok(share === NO_TRAFFIC || (share >= 0 && share < 1000), `the share is ${share}`)
      if (share === NO_TRAFFIC) this.#isOut.add(at)
      else this.#isOut.delete(at)
    }
    const { ratio, perSecond } = this.backend.retryBudget
    const retries = this.attempts - (this.requests - this.refusedByBreaker)
    const most = ratio * this.requests + perSecond * (this.now / 1000 + 5) + 2
    assert.ok(retries <= most, `${retries} retries of ${this.requests} requests`)
    assert.equal(
      this.inFlight().reduce((sum, count) => sum + count, 0),
      this.#underWay,
      'in-flight counts are what is under way',
    )
  }

  // ---- a request

  #arrive(): void {
    this.requests++
    const thread = this.#chance.below(THREADS)
    const breaker = this.#breakers[thread] ?? null
    const context = breaker === null ? null : createMiddlewareContext()
    if (breaker !== null && context !== null) {
      const isTripped = this.breakerShare === NO_TRAFFIC
      const verdict = ask(breaker, requestOf(), context)
      assert.ok(!isTripped || verdict !== null, 'a tripped breaker lets a request through')
      if (verdict !== null) {
        this.refusedByBreaker++
        return
      }
    }
    this.#pools[thread]?.retryBudget.countRequest()
    this.#try({ thread, context, startedAt: this.now, attempts: 0, tried: [] })
  }

  #try(request: Request): void {
    const pool = this.#pools[request.thread]
    assert.ok(pool !== undefined)
    const endpoint = pool.pick(requestOf(), request.tried)
    if (endpoint === null) {
      this.#finish(request, 502)
      return
    }
    const at = this.backend.servers.findIndex(({ url }) => url === endpoint.url)
    // The cells were written at the last tick, and a server that was out then is out until the next.
    assert.ok(!this.#isOut.has(at), `server ${at} is asked although it takes no turns`)
    request.attempts++
    this.attempts++
    this.#underWay++
    const startedAt = this.now
    const { status, afterMs } = this.#outcome(at)
    this.#events.add(this.now + afterMs, () => {
      this.#underWay--
      pool.done(endpoint)
      const tookMs = this.now - startedAt
      const isFailure = status === 502 || status === 504
      if (isFailure)
        endpoint.failed(status === 504 ? 'TRY_TIMEOUT' : 'CONNECT_REFUSED', tookMs, false)
      else {
        endpoint.responded(status, tookMs)
        endpoint.completed(status)
      }
      if (status === 502 && afterMs < 1) endpoint.connectFailed('CONNECT_REFUSED')
      else if (!isFailure) endpoint.connected()
      request.tried = [...request.tried, endpoint]
      const attempt = { attempts: request.attempts, status, method: 'GET' }
      const again =
        isFailure && pool.retry.allows(attempt, 'idempotent') && pool.retryBudget.tryTake()
      if (again) this.#try(request)
      else this.#finish(request, status)
    })
  }

  #outcome(at: number): { readonly status: number; readonly afterMs: number } {
    const { kind, share } = this.behaviours[at] ?? WELL
    const normal = 2 + 8 * this.#random()
    switch (kind) {
      case 'well':
        return { status: 200, afterMs: normal }
      case 'slow':
        return { status: 200, afterMs: Math.min(normal * 20, TRY_MS - 1) }
      case 'errors':
        return { status: this.#random() < share ? 500 : 200, afterMs: normal }
      case 'refuses':
        return { status: 502, afterMs: 0.2 }
      case 'hangs':
        return { status: 504, afterMs: TRY_MS }
      default:
        return kind satisfies never
    }
  }

  #finish({ context, startedAt }: Request, status: number): void {
    this.responses++
    context?.end({ status, headMs: this.now - startedAt })
  }

  #probe(at: number): Promise<{ ok: true; tookMs: number } | { ok: false; reason: string }> {
    const { kind } = this.behaviours[at] ?? WELL
    const isBad = kind === 'refuses' || kind === 'hangs'
    return Promise.resolve(isBad ? { ok: false, reason: kind } : { ok: true, tookMs: 1 })
  }

  #random(): number {
    return this.#chance.below(1 << 30) / (1 << 30)
  }

  close(): void {
    void this.monitor.stop()
    for (const pool of this.#pools) pool.retire()
  }
}

function breakerSpec(options: object): MiddlewareSpec {
  const parsed = parseMiddleware({ kind: 'breaker', options })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

/** What is to happen, earliest first: a heap. */
class Agenda {
  readonly #heap: { readonly at: number; readonly run: () => void }[] = []

  get next(): number {
    return this.#heap[0]?.at ?? Infinity
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap
    let hole = heap.length
    heap.push({ at, run })
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      const above = heap[parent]
      if (above === undefined || above.at <= at) break
      heap[hole] = above
      hole = parent
    }
    heap[hole] = { at, run }
  }

  run(): void {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined) return
    if (heap.length > 0) {
      let hole = 0
      for (;;) {
        const left = heap[2 * hole + 1]
        const right = heap[2 * hole + 2]
        if (left === undefined) break
        const isRight = right !== undefined && right.at < left.at
        const least = isRight ? right : left
        if (least.at >= last.at) break
        heap[hole] = least
        hole = 2 * hole + (isRight ? 2 : 1)
      }
      heap[hole] = last
    }
    first.run()
  }
}
