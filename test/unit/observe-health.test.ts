import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  NO_TALLY,
  type BreakerReport,
  type HealthView,
  type LimitReport,
  type ServerReport,
  type ServerTally,
} from '../../src/observe/reports/health-report.ts'
import { createMetrics, type CountedBackend } from '../../src/observe/metrics/metrics.ts'
import { NO_SCALE } from '../../src/observe/reports/scale-report.ts'
import { NO_TRAFFIC, COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'
import { parseExposition, type Samples } from '../support/exposition.ts'

interface Site {
  readonly scoreboard: Scoreboard
  readonly backends: CountedBackend[]
  readonly servers: Map<number, ServerReport>
  readonly panicking: Set<number>
  breakers: BreakerReport[]
  limits: LimitReport[]
  all: ServerTally
  trips: number
  /** Answers with the slots of the backend and its servers. */
  add(id: string, reports: readonly Partial<ServerReport>[]): number[]
  count(slot: number, counter: number, value: number): void
  scrape(): Promise<Samples>
}

const REPORT: ServerReport = {
  backend: '',
  id: '',
  url: '',
  state: 'up',
  since: 0,
  reason: null,
  admit: 1,
  inFlight: 0,
  ejections: 0,
  lastProbe: null,
  tally: NO_TALLY,
}

const BREAKER: BreakerReport = {
  frontend: 'web',
  backend: null,
  server: null,
  condition: 'NetworkErrorRatio() > 0.5',
  state: 'standby',
  since: 0,
  trips: 0,
  share: 1,
}

function createSite(seriesLimit = 2000): Site {
  const scoreboard = new Scoreboard(2, 0)
  const health: HealthView = {
    server: (slot) => site.servers.get(slot) ?? null,
    panics: (slot) => site.panicking.has(slot),
    tally: () => site.all,
    trips: () => site.trips,
    breakers: () => site.breakers,
    limits: () => site.limits,
  }
  const metrics = createMetrics({
    scoreboard,
    objects: () => ({ frontends: [], backends: site.backends, listeners: [] }),
    status: () => ({
      revision: 1,
      setAside: 0,
      lastChangeAt: null,
      sources: [],
      workers: {},
      workerRestarts: 0,
      faults: {},
      shortages: {},
      droppedLogLines: 0,
      names: {
        lookups: { success: 3, failure: 1 },
        names: { resolved: 2, failing: 1, unresolved: 0 },
      },
      certificates: [],
      scale: NO_SCALE,
      acme: { names: [], orders: [], storeError: null },
      templates: [],
      listeners: [],
      eventLoopDelays: [],
    }),
    health,
    version: '1',
    seriesLimit,
    now: () => 0,
  })
  const site: Site = {
    scoreboard,
    backends: [],
    servers: new Map(),
    panicking: new Set(),
    breakers: [],
    limits: [],
    all: NO_TALLY,
    trips: 0,
    add(id, reports) {
      const slot = scoreboard.allocate()
      const servers = reports.map((report, at) => {
        const server = { url: `http://10.0.0.${at}:80`, slot: scoreboard.allocate() }
        site.servers.set(server.slot, { ...REPORT, backend: id, url: server.url, ...report })
        return server
      })
      site.backends.push({ id, slot, servers })
      return [slot, ...servers.map((server) => server.slot)]
    },
    count(slot, counter, value) {
      const { counts, base } = new ScoreboardView(scoreboard.memory(), 1).slot(slot)
      counts[base + counter] = (counts[base + counter] ?? 0) + value
    },
    scrape: async () => parseExposition(await metrics.render()),
  }
  return site
}

function tallyOf(down: number, ejected = 0): ServerTally {
  return {
    changes: { ...NO_TALLY.changes, down, ejected },
    probes: { success: 9, failure: down },
    ejections: { ...NO_TALLY.ejections, failures: ejected },
  }
}

test('each server has its state, and what led to it', async () => {
  const site = createSite()
  const [backend = -1, first = -1, second = -1] = site.add('vote', [
    { state: 'down', tally: tallyOf(2, 1) },
    {},
  ])
  site.count(first, COUNT.failed, 7)
  site.count(backend, COUNT.retriesRefused, 3)
  const { shared, at } = site.scoreboard.slot(first)
  shared[at + SHARED.trafficShare] = NO_TRAFFIC
  const slow = site.scoreboard.slot(second)
  slow.shared[slow.at + SHARED.trafficShare] = 500
  site.panicking.add(backend)

  const series = await site.scrape()

  const a = 'backend="vote",server="http://10.0.0.0:80"'
  const b = 'backend="vote",server="http://10.0.0.1:80"'
  const expected = {
    [`sluice_server_state{state="down",${a}}`]: 1,
    [`sluice_server_state{state="up",${a}}`]: undefined,
    [`sluice_server_state{state="up",${b}}`]: 1,
    [`sluice_server_up{${a}}`]: 0,
    [`sluice_server_up{${b}}`]: 1,
    [`sluice_server_state_changes_total{to="down",${a}}`]: 2,
    [`sluice_server_state_changes_total{to="ejected",${b}}`]: 0,
    [`sluice_server_probes_total{result="success",${a}}`]: 9,
    [`sluice_server_probes_total{result="failure",${a}}`]: 2,
    [`sluice_server_probes_total{result="failure",${b}}`]: undefined,
    [`sluice_server_ejections_total{reason="failures",${a}}`]: 1,
    [`sluice_server_failures_total{${a}}`]: 7,
    'sluice_backend_retries_refused_total{backend="vote"}': 3,
    'sluice_backend_panic{backend="vote"}': 1,
  }
  for (const [key, value] of Object.entries(expected)) assert.equal(series.get(key), value, key)
})

test('breakers and adaptive limits are named by whose they are', async () => {
  const site = createSite()
  site.breakers = [
    { ...BREAKER, state: 'tripped', trips: 4 },
    // The same twice on one way is one series.
    { ...BREAKER, state: 'tripped', trips: 4 },
    { ...BREAKER, frontend: null, backend: 'vote', server: 'http://a:1', trips: 1 },
  ]
  site.limits = [{ frontend: null, backend: 'vote', limit: 12 }]

  const series = await site.scrape()

  const condition = 'condition="NetworkErrorRatio() > 0.5"'
  const web = `frontend="web",backend="",server="",${condition}`
  const server = `frontend="",backend="vote",server="http://a:1",${condition}`
  assert.equal(series.get(`sluice_breaker_state{state="tripped",${web}}`), 1)
  assert.equal(series.get(`sluice_breaker_state{state="standby",${server}}`), 1)
  assert.equal(series.get(`sluice_breaker_trips_total{${web}}`), 4)
  assert.equal(series.get(`sluice_breaker_trips_total{${server}}`), 1)
  assert.equal(series.get('sluice_adaptive_limit{frontend="",backend="vote"}'), 12)
})

test('beyond the limit servers and breakers are summed, and no sum falls', async () => {
  const site = createSite(2)
  const other = 'backend="_other",server="_other"'
  const downs = (series: Samples): number | undefined =>
    series.get(`sluice_server_state_changes_total{to="down",${other}}`)
  const trips = (series: Samples): number | undefined =>
    series.get(
      'sluice_breaker_trips_total{frontend="_other",backend="_other",server="_other",condition="_other"}',
    )
  const slots = site.add(
    'vote',
    [1, 2, 3, 4].map((down) => ({ tally: tallyOf(down) })),
  )
  for (const slot of slots.slice(1)) site.count(slot, COUNT.status + 2, 1)
  site.breakers = [1, 2, 3].map((at) => ({ ...BREAKER, frontend: `f${at}`, trips: at }))
  site.all = tallyOf(10)
  site.trips = 6

  const first = await site.scrape()
  // The first server, which is shown, goes with its 1; the last one goes down once more.
  site.backends.splice(0, 1, {
    id: 'vote',
    slot: slots[0] ?? -1,
    servers: [...(site.backends[0]?.servers ?? [])].slice(1),
  })
  site.all = tallyOf(11)
  site.breakers = site.breakers.slice(1)
  const second = await site.scrape()

  assert.equal(downs(first), 3 + 4)
  assert.equal(trips(first), 3)
  assert.equal(first.get(`sluice_server_state{state="up",${other}}`), undefined)
  assert.equal(downs(second), 3 + 4 + 1)
})

test('10,000 servers that change all the time keep the answer small', async () => {
  const site = createSite()
  for (let at = 0; at < 10_000; at++) {
    const [, slot = -1] = site.add(`b${at}`, [{ tally: tallyOf(1, 1) }])
    site.count(slot, COUNT.status + 2, 1)
  }
  site.all = tallyOf(10_000, 10_000)
  site.breakers = Array.from({ length: 10_000 }, (_, at) => ({ ...BREAKER, frontend: `f${at}` }))

  const series = await site.scrape()

  const named = (name: string): number =>
    [...series.keys()].filter((key) => key.startsWith(`${name}{`)).length
  assert.equal(named('sluice_server_state'), 2000)
  assert.equal(named('sluice_breaker_state'), 2000)
  assert.equal(named('sluice_server_probes_total'), 2 * 2001)
})
