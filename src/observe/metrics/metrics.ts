/**
 * GET /metrics: read from the scoreboard when it is asked for, so that a request costs no metric call and the series of
 * a removed object are gone with it. prom-client prints it and adds what it knows of the process.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { collectDefaultMetrics, Gauge, Histogram, Registry, type Metric } from 'prom-client'
import { systemMs } from '../../scoreboard/board-clock.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'
import { createCountsReader } from './counts.ts'
import { FAMILIES, type Family, type MetricsStatus, type Scrape } from './families.ts'
import type { HealthView } from '../reports/health-report.ts'
import { createHealthReader, NO_HEALTH } from './health-series.ts'
import { createSeriesReader, type CountedObject, type SeriesReader } from './series.ts'

/** What is in force, with the slots it is counted in. Read once a scrape, in one go. */
export interface CountedObjects {
  readonly frontends: Iterable<Counted>
  readonly backends: Iterable<CountedBackend>
  readonly listeners: Iterable<Counted>
}

export interface Counted {
  readonly id: string
  readonly slot: number
}

export interface CountedBackend extends Counted {
  readonly servers: Iterable<{ readonly url: string; readonly slot: number }>
}

export interface MetricsOptions {
  readonly scoreboard: Scoreboard
  readonly objects: () => CountedObjects
  readonly status: () => MetricsStatus
  /** Without it there are no health metrics. */
  readonly health?: HealthView
  readonly version: string
  /** Objects of a kind that get series of their own. */
  readonly seriesLimit?: number
  /** ms of the system's monotonic clock. */
  readonly now?: () => number
}

export interface Metrics {
  readonly contentType: string
  /** The whole exposition. Those who ask while one is being made get the same. */
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
  const servers = readerOf('backend', 'server')
  const listeners = readerOf('listener')
  const backends = readerOf('backend')
  const readHealth = createHealthReader(options.health ?? NO_HEALTH, seriesLimit)
  const registry = new Registry()
  let scrape: Scrape
  let rendering: Promise<string> | undefined
  let turns: Promise<unknown> = Promise.resolve()

  for (const family of FAMILIES) register(family)
  const registers = [registry]
  const changeLatency = new Histogram({
    name: 'sluice_change_latency_seconds',
    help: 'Seconds from a change seen to its being in force in every serving thread, from the control plane',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  })
  new Gauge({
    name: 'sluice_build_info',
    help: 'Always 1; the labels say which Sluice runs on which Node',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1)
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)

  return {
    contentType: registry.contentType,
    render() {
      rendering ??= render().finally(() => (rendering = undefined))
      return rendering
    },
    observeChange: (seconds) => changeLatency.observe(seconds),
  }

  async function render(): Promise<string> {
    scrape = read()
    return await registry.metrics()
  }

  function read(): Scrape {
    const { frontends: ofFrontends, backends: ofBackends, listeners: ofListeners } = objects()
    const countedFrontends = Array.from(ofFrontends, ({ id, slot }) => of({ frontend: id }, slot))
    const countedListeners = Array.from(ofListeners, ({ id, slot }) => of({ listener: id }, slot))
    const pools = [...ofBackends]
    const countedServers = pools.flatMap(toServers)
    const countedBackends = pools.map(({ id, slot }) => of({ backend: id }, slot))
    const serverSeries = servers.read(countedServers, countedServers.length <= seriesLimit)
    const backendSeries = backends.read(countedBackends, countedBackends.length <= seriesLimit)
    return {
      frontends: frontends.read(countedFrontends, false),
      servers: serverSeries,
      backends: backendSeries,
      health: readHealth(serverSeries.rows, backendSeries.rows),
      listeners: listeners.read(countedListeners, true),
      objects: {
        frontend: countedFrontends.length,
        backend: pools.length,
        server: countedServers.length,
        listener: countedListeners.length,
      },
      status: status(),
      now: now() - scoreboard.beganAt,
      answers: (reason) => scoreboard.reason(reason),
    }
  }

  /**
   * prom-client prints whatever has a name, a help, a type and a `get`; its types know its own classes only. Each
   * family waits for a turn of the event loop of its own, so that thousands of series do not hold up the main thread.
   */
  function register({ name, help, type, samples }: Family): void {
    const get = async (): Promise<object> => {
      turns = turns.then(() => nextTurn())
      await turns
      return { name, help, type, values: samples(scrape) }
    }
    registry.registerMetric({ name, help, type, get } as unknown as Metric)
  }
}

/** A url that stands twice in a backend is one endpoint, and must not be a series twice. */
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
