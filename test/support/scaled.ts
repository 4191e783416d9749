/** A scaler over a real scoreboard, with a clock that the test moves, requests that it counts, and a fake provider. */
import type { TestContext } from 'node:test'
import type { Delta } from '../../src/model/snapshot.ts'
import type { DecisionReport } from '../../src/observe/reports/scale-report.ts'
import type { Actuator } from '../../src/scaling/actuator.ts'
import { ALONE } from '../../src/scaling/acting-lock.ts'
import { NO_EXCHANGE } from '../../src/scaling/measure-exchange.ts'
import { createScaler, type Scaler, type ScalerOptions } from '../../src/scaling/scaler.ts'
import { scale } from '../../src/schema/scale.ts'
import { COUNT, NO_TRAFFIC, SHARED } from '../../src/scoreboard/layout.ts'
import { Scoreboard } from '../../src/scoreboard/scoreboard.ts'
import { backendOf, frontendOf, serverOf } from './objects.ts'

export interface FakeProvider extends Actuator {
  replicas: number | null
  /** The numbers that were set, in order. */
  readonly told: number[]
  /** It responds with this error; null: it sets the number. */
  failure: string | null
  /** It does not respond. */
  hangs: boolean
  isClosed: boolean
}

export interface ScaledSite {
  readonly scaler: Scaler
  readonly provider: FakeProvider
  readonly lines: string[]
  readonly decisions: (DecisionReport & { readonly backend: string })[]
  readonly faults: unknown[]
  /** Why the table is in doubt; null: it is not. */
  doubt: string | null
  /** Declares the backend `vote` with so many servers, of which so many are ready. */
  declare(spec: object | null, servers?: number, ready?: number): void
  /** Requests in flight, over all servers. */
  load(inFlight: number): void
  /** Requests that wait for a first replica. */
  hold(waiting: number): void
  /** Requests that wait in a middleware of the frontend. */
  queue(waiting: number): void
  /** So many requests ended, in the bucket of this duration. */
  end(count: number, bucket?: number, status?: number): void
  pass(ms: number): Promise<void>
}

const STEP_MS = 200

export function createScaledSite(t: TestContext, more: Partial<ScalerOptions> = {}): ScaledSite {
  let now = 0
  const scoreboard = new Scoreboard(1, 0)
  const slots = Array.from({ length: 20 }, () => scoreboard.allocate())
  const [backendSlot = 0, queueSlot = 0, ...serverSlots] = slots
  const first = scoreboard.slot(serverSlots[0] ?? 0)
  const listeners: { readonly onPlaced: (delta: Delta) => void }[] = []
  const lines: string[] = []
  const decisions: ScaledSite['decisions'][number][] = []
  const faults: unknown[] = []
  const provider = createFakeProvider()
  const write =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push(`${level}: ${message}`)
  const site: ScaledSite = {
    ...{ provider, lines, decisions, faults, doubt: null },
    scaler: createScaler({
      scoreboard,
      publisher: { listen: (listener) => void listeners.push(listener) },
      open: () => Promise.resolve(provider),
      lock: ALONE,
      exchange: NO_EXCHANGE,
      dryRun: false,
      doubtOf: () => site.doubt,
      onDecision: (decision) => void decisions.push(decision),
      onFault: (_object, error) => void faults.push(error),
      log: { debug: () => {}, info: write('info'), warn: write('warn'), error: write('error') },
      now: () => now,
      date: () => 1_700_000_000_000 + now,
      random: () => 0,
      ...more,
    }),
    declare(spec: object | null, servers = 1, ready = servers): void {
      const list = serverSlots.slice(0, servers)
      for (const [at, slot] of list.entries()) {
        scoreboard.slot(slot).shared[scoreboard.slot(slot).at + SHARED.trafficShare] =
          at < ready ? 0 : NO_TRAFFIC
      }
      const object = backendOf(
        'vote',
        list.map((_slot, at) => serverOf(`s${at}`, `http://10.0.0.${at + 1}:80`)),
        {
          scale:
            spec === null
              ? null
              : scale.parse({ actuator: { swarm: { service: 'vote' } }, max: 10, ...spec }),
        },
      )
      const frontend = frontendOf('vote', 'vote', {
        middlewares: [{ kind: 'inflight', options: {} }],
      })
      const delta: Delta = {
        number: 1,
        upserts: {
          listeners: [],
          backends: [{ object, slot: backendSlot, serverSlots: list, breakerSlots: [] }],
          frontends: [{ object: frontend, slot: 0, states: [queueSlot] }],
        },
        deletes: { listeners: [], backends: [], frontends: [] },
      }
      for (const listener of listeners) listener.onPlaced(delta)
    },
    load(inFlight: number): void {
      Atomics.store(first.shared, first.at + SHARED.inFlight, inFlight)
    },
    hold(waiting: number): void {
      const { counts, base } = scoreboard.slot(backendSlot)
      counts[base + COUNT.underWay] = waiting
    },
    queue(waiting: number): void {
      const { shared, at } = scoreboard.slot(queueSlot)
      Atomics.store(shared, at + SHARED.waiting, waiting)
    },
    end(count: number, bucket = 0, status = 2): void {
      const { counts, base } = first
      counts[base + COUNT.status + status] = (counts[base + COUNT.status + status] ?? 0) + count
      counts[base + COUNT.duration + bucket] = (counts[base + COUNT.duration + bucket] ?? 0) + count
    },
    async pass(ms: number): Promise<void> {
      for (const end = now + ms; now < end;) {
        now += STEP_MS
        site.scaler.sample()
        await new Promise(setImmediate)
      }
    },
  }
  t.after(() => site.scaler.stop())
  return site
}

export function createFakeProvider(): FakeProvider {
  const provider: FakeProvider = {
    replicas: 1,
    told: [],
    failure: null,
    hangs: false,
    isClosed: false,
    async setReplicas(replicas, signal) {
      await respond(signal)
      provider.told.push(replicas)
      provider.replicas = replicas
    },
    async observed(signal) {
      await respond(signal)
      return provider.replicas
    },
    close() {
      provider.isClosed = true
      return Promise.resolve()
    },
  }

  async function respond(signal: AbortSignal): Promise<void> {
    if (provider.hangs) {
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
      })
    }
    if (provider.failure !== null) throw new Error(provider.failure)
  }

  return provider
}
