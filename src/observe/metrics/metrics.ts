/**
 * GET /metrics: read from the scoreboard at each scrape, so that a request costs no metric call and the series of a removed
 * object are gone with it. prom-client prints the families and adds its metrics of the process. It takes 45 ms to load, so
 * it is loaded once the program serves (`load`), or by the first scrape if that is earlier.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Registry } from 'prom-client'
import { systemMs } from '../../scoreboard/board-clock.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'
import { FAMILIES, type Family, type MetricsStatus, type Scrape } from './families.ts'
import type { HealthView } from '../reports/health-report.ts'
import { createHealthReader, NO_HEALTH } from './health-series.ts'
import type { Sample } from './samples.ts'
import {
  createCountsReader,
  createSeriesReader,
  type CountedObject,
  type SeriesReader,
} from './series.ts'
import { CONTENT_TYPE, promClient, registerFamily } from './text-format.ts'

/** What is in force, with the slots that count it. Read once a scrape, in one go. */
export interface CountedObjects {
  readonly frontends: Iterable<CountedRoute>
  readonly backends: Iterable<CountedBackend>
  /** `route`: what counts the requests or streams of one with a backend. */
  readonly listeners: Iterable<Counted & { readonly route: CountedRoute | null }>
}

export interface CountedRoute extends Counted {
  /** It takes streams, and no requests. */
  readonly isStream: boolean
}

export interface Counted {
  readonly id: string
  readonly slot: number
}

export interface CountedBackend extends Counted {
  readonly servers: Iterable<{ readonly url: string; readonly slot: number }>
  /** It scales from zero, and its requests may wait. */
  readonly holds?: boolean
}

export interface MetricsOptions {
  readonly scoreboard: Scoreboard
  readonly objects: () => CountedObjects
  readonly status: () => MetricsStatus
  /** Without it there are no health metrics. */
  readonly health?: HealthView
  readonly version: string
  /** How many objects of a kind get series of their own. */
  readonly seriesLimit?: number
  /** ms of the system's monotonic clock. */
  readonly now?: () => number
}

export interface Metrics {
  readonly contentType: string
  /** Loads prom-client, unless it is loaded or being loaded. */
  load(): Promise<void>
  /** The whole exposition. Scrapes that overlap get the same one. */
  render(): Promise<string>
  /** A change is in force in every serving thread, so many seconds after it was seen. */
  observeChange(seconds: number): void
}

const SERIES_LIMIT = 2000

/** Gauges of prom-client with the suffix of counters. Each is the sum of the metric without it, over `type`. */
const MISNAMED = ['handles', 'requests', 'resources'].map((of) => `nodejs_active_${of}_total`)

export function createMetrics(options: MetricsOptions): Metrics {
  const { scoreboard, objects, status, version, seriesLimit = SERIES_LIMIT } = options
  const now = options.now ?? systemMs
  const readCounts = createCountsReader(scoreboard)
  const readerOf = (...labelNames: string[]): SeriesReader =>
    createSeriesReader(scoreboard, readCounts, seriesLimit, labelNames)
  const frontends = readerOf('frontend')
  const streams = readerOf('frontend')
  const servers = readerOf('backend', 'server')
  const listeners = readerOf('listener')
  const backends = readerOf('backend')
  const held = readerOf('backend')
  const readHealth = createHealthReader(options.health ?? NO_HEALTH, seriesLimit)
  const changeLatency = createHistogram(
    'sluice_change_latency_seconds',
    'Seconds from a change seen to its being in force in every serving thread, from the control plane',
    CHANGE_BOUNDS,
  )
  const buildInfo: Family = {
    name: 'sluice_build_info',
    type: 'gauge',
    help: 'Always 1; the labels say which Sluice runs on which Node',
    samples: () => [{ value: 1, labels: { version, node: process.version } }],
  }
  let registry: Registry | undefined
  let scrape: Scrape
  let rendering: Promise<string> | undefined
  let turns: Promise<unknown> = Promise.resolve()

  return {
    contentType: CONTENT_TYPE,
    async load() {
      await openRegistry()
    },
    render() {
      rendering ??= render().finally(() => (rendering = undefined))
      return rendering
    },
    observeChange: (seconds) => changeLatency.observe(seconds),
  }

  async function openRegistry(): Promise<Registry> {
    const client = await promClient.load()
    registry ??= createRegistry(client)
    return registry
  }

  function createRegistry({
    collectDefaultMetrics,
    Registry,
  }: typeof import('prom-client')): Registry {
    const opened = new Registry()
    for (const family of [...FAMILIES, changeLatency.family, buildInfo]) register(opened, family)
    collectDefaultMetrics({ register: opened })
    for (const name of MISNAMED) opened.removeSingleMetric(name)
    return opened
  }

  async function render(): Promise<string> {
    const opened = await openRegistry()
    scrape = read()
    return await opened.metrics()
  }

  function read(): Scrape {
    const counted = objects()
    const ownFrontends = [...counted.frontends]
    const ofListeners = [...counted.listeners]
    const routes = [...ofListeners.flatMap(({ route }) => route ?? []), ...ownFrontends]
    const routesOf = (streams: boolean): CountedObject[] =>
      routes.flatMap(({ id, slot, isStream }) =>
        isStream === streams ? of({ frontend: id }, slot) : [],
      )
    const countedListeners = ofListeners.map(({ id, slot }) => of({ listener: id }, slot))
    const pools = [...counted.backends]
    const countedServers = pools.flatMap(toServers)
    const countedBackends = pools.map(({ id, slot }) => of({ backend: id }, slot))
    const serverSeries = servers.read(countedServers, countedServers.length <= seriesLimit)
    const backendSeries = backends.read(countedBackends, countedBackends.length <= seriesLimit)
    return {
      frontends: frontends.read(routesOf(false), false),
      streams: streams.read(routesOf(true), false),
      servers: serverSeries,
      backends: backendSeries,
      held: held.read(
        pools.flatMap(({ id, slot, holds }) => (holds === true ? of({ backend: id }, slot) : [])),
        true,
      ),
      health: readHealth(serverSeries.rows, backendSeries.rows),
      listeners: listeners.read(countedListeners, true),
      objects: {
        frontend: ownFrontends.length,
        backend: pools.length,
        server: countedServers.length,
        listener: countedListeners.length,
      },
      status: status(),
      now: now() - scoreboard.beganAt,
      localResponses: (reason) => scoreboard.reason(reason),
      grpcCalls: (status) => scoreboard.grpcStatus(status),
    }
  }

  /** Each family waits for its own turn of the event loop, so that thousands of series do not hold up the main thread. */
  function register(to: Registry, family: Family): void {
    registerFamily(to, family, async () => {
      turns = turns.then(() => nextTurn())
      await turns
      return family.samples(scrape)
    })
  }
}

const CHANGE_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

function createHistogram(
  name: string,
  help: string,
  bounds: readonly number[],
): { readonly family: Family; readonly observe: (value: number) => void } {
  /** How many values are at most as large as each bound, as the text format has it; the last one counts all. */
  const counts = new Float64Array(bounds.length + 1)
  let sum = 0

  function observe(value: number): void {
    sum += value
    for (let at = 0; at < counts.length; at++) {
      if (value <= (bounds[at] ?? Infinity)) counts[at] = (counts[at] ?? 0) + 1
    }
  }

  function samples(): Sample[] {
    const buckets = Array.from(counts, (value, at): Sample => {
      return { metricName: `${name}_bucket`, value, labels: { le: String(bounds[at] ?? '+Inf') } }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, value: sum },
      { metricName: `${name}_count`, value: counts[bounds.length] ?? 0 },
    ]
  }

  return { family: { name, type: 'histogram', help, samples }, observe }
}

/** A url that a backend has twice is one endpoint, and must not be a series twice. */
function toServers({ id, servers }: CountedBackend): CountedObject[] {
  const urls = new Set<string>()
  const counted: CountedObject[] = []
  for (const { url, slot } of servers) {
    if (urls.has(url)) continue
    urls.add(url)
    counted.push(of({ backend: id, server: url }, slot))
  }
  return counted
}

function of(labels: CountedObject['labels'], slot: number): CountedObject {
  return { labels, slot }
}
