import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonNumber } from '../../src/http/message/errors.ts'
import type { MetricsStatus } from '../../src/observe/metrics/families.ts'
import { NO_SCALE } from '../../src/observe/reports/scale-report.ts'
import {
  createMetrics,
  type CountedBackend,
  type CountedRoute,
  type Metrics,
} from '../../src/observe/metrics/metrics.ts'
import type { SourceReport } from '../../src/observe/reports/source-report.ts'
import { COUNT, DURATION_BOUNDS, SHARED } from '../../src/scoreboard/layout.ts'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'

const NOW = 1_000_000

interface Site {
  readonly scoreboard: Scoreboard
  readonly frontends: CountedRoute[]
  readonly backends: CountedBackend[]
  readonly listeners: { id: string; slot: number; route: CountedRoute | null }[]
  readonly metrics: Metrics
  /** Adds to a counter of a slot in a thread's column. */
  count(slot: number, counter: number, value: number, thread?: number): void
  set(slot: number, cell: number, value: number): void
  addFrontend(id: string): number
  /** Gives the servers' slots. */
  addBackend(id: string, urls: readonly string[]): number[]
}

const status: MetricsStatus = {
  revision: 7,
  setAside: 2,
  lastChangeAt: 1_500,
  sources: [],
  workers: { serving: 2 },
  workerRestarts: 1,
  shortages: { EMFILE: 2 },
  faults: { admit: 3, exchange: 0 },
  droppedLogLines: 4,
  names: { lookups: { success: 3, failure: 1 }, names: { resolved: 2, failing: 1, unresolved: 0 } },
  certificates: [],
  acme: { names: [], orders: [], storeError: null },
  scale: NO_SCALE,
  templates: [],
  listeners: [],
  eventLoopDelays: [{ thread: 'main', p99Ms: 12, maxMs: 34 }],
}

test('each certificate of a listener has a series with the time it ends', async () => {
  const one = { listener: 'secure', name: 'a.test', serial: '0a', endsAt: 1_900_000_000_000 }
  const many = Array.from({ length: 2_500 }, (_, at) => ({
    ...one,
    serial: `${at}`,
    endsAt: one.endsAt + at * 1000,
  }))
  const rendered = (certificates: MetricsStatus['certificates']): Promise<string> =>
    createMetrics({
      scoreboard: new Scoreboard(1, 0),
      objects: () => ({ frontends: [], backends: [], listeners: [] }),
      status: () => ({ ...status, certificates }),
      version: '1.2.3',
    }).render()

  const few = await rendered([one])
  const capped = (await rendered(many.toReversed())).match(/^sluice_certificate_.*$/gm) ?? []

  assert.match(
    few,
    /^sluice_certificate_not_after_seconds\{listener="secure",name="a.test",serial="0a"\} 1900000000$/m,
  )
  assert.equal(capped.length, 2_000)
  assert.match(capped[0] ?? '', /serial="0"/)
})

function createSite(seriesLimit = 2000, sources: readonly SourceReport[] = []): Site {
  const scoreboard = new Scoreboard(2, NOW - 60_000)
  const frontends: Site['frontends'] = []
  const backends: CountedBackend[] = []
  const listeners: Site['listeners'] = []
  const metrics = createMetrics({
    scoreboard,
    objects: () => ({ frontends, backends, listeners }),
    status: () => ({ ...status, sources }),
    version: '1.2.3',
    seriesLimit,
    now: () => NOW,
  })
  const slotOf = (slot: number, thread: number): ReturnType<ScoreboardView['slot']> =>
    new ScoreboardView(scoreboard.memory(), thread).slot(slot)
  return {
    scoreboard,
    frontends,
    backends,
    listeners,
    metrics,
    count(slot, counter, value, thread = 0) {
      const { counts, base } = slotOf(slot, thread)
      counts[base + counter] = (counts[base + counter] ?? 0) + value
    },
    set(slot, cell, value) {
      const { shared, at } = slotOf(slot, 0)
      Atomics.store(shared, at + cell, value)
    },
    addFrontend(id) {
      const slot = scoreboard.allocate()
      frontends.push({ id, slot, isStream: false })
      return slot
    },
    addBackend(id, urls) {
      const servers = urls.map((url) => ({ url, slot: scoreboard.allocate() }))
      backends.push({ id, slot: scoreboard.allocate(), servers })
      return servers.map(({ slot }) => slot)
    },
  }
}

const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?(?:[0-9.]+(?:e[+-]?[0-9]+)?|\+?Inf)|Nan)$/

/** Reads the exposition format, and holds it to its rules. Keys are series as written. */
function parseExposition(text: string): Map<string, number> {
  const types = new Map<string, string>()
  const helps = new Set<string>()
  const series = new Map<string, number>()
  let current = ''
  assert.ok(text.endsWith('\n'))
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === 'HELP') {
      assert.ok(!helps.has(name), `${name} has one HELP`)
      helps.add(name)
      current = name
    } else if (kind === 'TYPE') {
      assert.equal(name, current, 'TYPE follows HELP')
      assert.match(rest, /^(counter|gauge|histogram|summary)$/)
      types.set(name, rest)
    } else {
      const [, sample = '', , value = ''] = SAMPLE.exec(line) ?? []
      assert.ok(sample !== '', `a line of the format: ${line}`)
      const parts = types.get(current) === 'histogram' ? '(_bucket|_sum|_count)' : '(_sum|_count)?'
      assert.match(sample, new RegExp(`^${current}${parts}$`), 'samples stand under their TYPE')
      const key = line.slice(0, line.lastIndexOf(' '))
      assert.ok(!series.has(key), `${key} stands once`)
      series.set(key, value === '+Inf' ? Infinity : Number(value))
    }
  }
  for (const name of helps) assert.ok(types.has(name), `${name} has a TYPE`)
  return series
}

async function scrape(site: Site): Promise<Map<string, number>> {
  return parseExposition(await site.metrics.render())
}

test('counters of all threads are summed and named by their object', async () => {
  const site = createSite()
  const vote = site.addFrontend('vote')
  site.count(vote, COUNT.status + 2, 3, 0)
  site.count(vote, COUNT.status + 2, 4, 1)
  site.count(vote, COUNT.status, 1)
  site.count(vote, COUNT.bytesIn, 100)
  site.count(vote, COUNT.bytesOut, 2000, 1)
  site.count(vote, COUNT.retries, 2)
  site.count(vote, COUNT.underWay, 3)
  site.count(vote, COUNT.underWay, 2, 1)

  const series = await scrape(site)

  assert.equal(series.get('sluice_requests_total{code="2xx",frontend="vote"}'), 7)
  assert.equal(series.get('sluice_requests_total{code="none",frontend="vote"}'), 1)
  assert.equal(series.get('sluice_requests_total{code="5xx",frontend="vote"}'), 0)
  assert.equal(series.get('sluice_requests_total{code="1xx",frontend="vote"}'), undefined)
  assert.equal(series.get('sluice_request_body_bytes_total{frontend="vote"}'), 100)
  assert.equal(series.get('sluice_response_body_bytes_total{frontend="vote"}'), 2000)
  assert.equal(series.get('sluice_retries_total{frontend="vote"}'), 2)
  assert.equal(series.get('sluice_in_flight_requests{frontend="vote"}'), 5)
})

test('buckets of a duration are cumulative, and the last one equals the count', async () => {
  const site = createSite()
  const vote = site.addFrontend('vote')
  site.count(vote, COUNT.status + 2, 6)
  site.count(vote, COUNT.duration, 1)
  site.count(vote, COUNT.duration + 3, 2, 1)
  site.count(vote, COUNT.duration + DURATION_BOUNDS.length, 3)
  site.count(vote, COUNT.durationSum, 99.5)

  const series = await scrape(site)

  const buckets = [...DURATION_BOUNDS.map(String), '+Inf'].map((le) =>
    series.get(`sluice_request_duration_seconds_bucket{le="${le}",frontend="vote"}`),
  )
  assert.deepEqual(buckets, [1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 6])
  assert.equal(series.get('sluice_request_duration_seconds_count{frontend="vote"}'), 6)
  assert.equal(series.get('sluice_request_duration_seconds_sum{frontend="vote"}'), 99.5)
})

test('a server is named by backend and url', async () => {
  const site = createSite()
  const [first = -1, second = -1] = site.addBackend('vote', ['http://a:1', 'http://b:2'])
  site.count(first, COUNT.status + 5, 2)
  site.count(first, COUNT.connectFailures, 3)
  site.count(first, COUNT.opened, 9)
  site.count(first, COUNT.duration + 1, 2)
  site.count(first, COUNT.durationSum, 0.5)
  site.set(second, SHARED.connections, 4)

  const series = await scrape(site)

  const a = '{backend="vote",server="http://a:1"}'
  const b = '{backend="vote",server="http://b:2"}'
  assert.equal(
    series.get('sluice_server_requests_total{code="5xx",backend="vote",server="http://a:1"}'),
    2,
  )
  assert.equal(series.get(`sluice_server_connect_failures_total${a}`), 3)
  assert.equal(series.get(`sluice_server_connections_opened_total${a}`), 9)
  assert.equal(series.get(`sluice_server_request_duration_seconds_sum${a}`), 0.5)
  assert.equal(series.get(`sluice_server_request_duration_seconds_count${a}`), 2)
  assert.equal(series.get(`sluice_server_connections${b}`), 4)
})

test('listeners, reasons, table and threads are reported', async () => {
  const site = createSite()
  const web = site.scoreboard.allocate()
  site.listeners.push({ id: 'web', slot: web, route: null })
  site.addFrontend('idle')
  site.count(web, COUNT.opened, 8)
  site.count(web, COUNT.tlsFailures, 1)
  site.set(web, SHARED.connections, 3)
  const view = new ScoreboardView(site.scoreboard.memory(), 1)
  view.reasons[reasonNumber('NO_ROUTE')] = 11
  view.grpcStatuses[14] = 4
  const calls = site.addFrontend('calls')
  site.count(calls, COUNT.status + 4, 5)
  site.count(calls, COUNT.grpcStatus + 16, 5)
  site.metrics.observeChange(0.02)

  const series = await scrape(site)

  const expected = {
    'sluice_connections{listener="web"}': 3,
    'sluice_connections_accepted_total{listener="web"}': 8,
    'sluice_tls_handshake_failures_total{listener="web"}': 1,
    'sluice_answers_total{reason="NO_ROUTE"}': 11,
    'sluice_answers_total{reason="REDIRECT"}': 0,
    'sluice_grpc_calls_total{grpc_status="UNAVAILABLE"}': 4,
    'sluice_grpc_calls_total{grpc_status="OK"}': 0,
    'sluice_frontend_grpc_calls_total{grpc_status="UNAUTHENTICATED",frontend="calls"}': 5,
    sluice_table_revision: 7,
    'sluice_table_objects{kind="frontend"}': 2,
    'sluice_table_objects{kind="backend"}': 0,
    'sluice_table_objects{kind="listener"}': 1,
    sluice_table_set_aside: 2,
    sluice_table_last_change_timestamp_seconds: 1.5,
    'sluice_change_latency_seconds_bucket{le="0.01"}': 0,
    'sluice_change_latency_seconds_bucket{le="0.025"}': 1,
    'sluice_workers{state="serving"}': 2,
    sluice_worker_restarts_total: 1,
    'sluice_faults_total{stage="admit"}': 3,
    'sluice_faults_total{stage="exchange"}': 0,
    sluice_log_lines_dropped_total: 4,
    'sluice_event_loop_delay_seconds{thread="main",stat="p99"}': 0.012,
    'sluice_event_loop_delay_seconds{thread="main",stat="max"}': 0.034,
    [`sluice_build_info{version="1.2.3",node="${process.version}"}`]: 1,
  }
  for (const [key, value] of Object.entries(expected)) assert.equal(series.get(key), value, key)
  assert.ok((series.get('process_resident_memory_bytes') ?? 0) > 0)
  assert.equal([...series.keys()].filter((key) => key.includes('"idle"')).length, 0)
})

const SOURCE: SourceReport = {
  name: 'etcd',
  kind: 'etcd',
  state: 'live',
  since: 1_000,
  revision: '12',
  error: null,
  required: true,
  objects: 40,
  setAside: 2,
  conflicts: 1,
  lastSyncAt: 2_000,
  lastEventAt: 3_500,
  events: 7,
  resyncs: { first: 1, reconcile: 3 },
  losses: 4,
  flaps: 5,
  held: { objects: 30, since: 3_000, until: null, reason: 'it is empty' },
  lastGood: null,
}

test('sources are reported, each under its name', async () => {
  const fresh: SourceReport = {
    ...SOURCE,
    name: 'redis',
    state: 'connecting',
    lastSyncAt: null,
    lastEventAt: null,
    held: null,
    resyncs: {},
  }

  const series = await scrape(createSite(2000, [SOURCE, fresh]))

  const expected = {
    'sluice_source_state{source="etcd",state="live"}': 1,
    'sluice_source_state{source="etcd",state="stale"}': 0,
    'sluice_source_state{source="redis",state="connecting"}': 1,
    'sluice_source_last_sync_timestamp_seconds{source="etcd"}': 2,
    'sluice_source_last_sync_timestamp_seconds{source="redis"}': undefined,
    'sluice_source_last_event_timestamp_seconds{source="etcd"}': 3.5,
    'sluice_source_last_event_timestamp_seconds{source="redis"}': undefined,
    'sluice_source_events_total{source="etcd"}': 7,
    'sluice_source_resyncs_total{source="etcd",reason="first"}': 1,
    'sluice_source_resyncs_total{source="etcd",reason="reconcile"}': 3,
    'sluice_source_losses_total{source="etcd"}': 4,
    'sluice_source_objects{source="etcd"}': 40,
    'sluice_source_set_aside{source="etcd"}': 2,
    'sluice_source_held_objects{source="etcd"}': 30,
    'sluice_source_held_objects{source="redis"}': 0,
    'sluice_source_flaps_total{source="etcd"}': 5,
  }
  for (const [key, value] of Object.entries(expected)) assert.equal(series.get(key), value, key)
})

test('reasons for reading all of a source are a few series, however many there are', async () => {
  const resyncs = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`why ${at}`, 1]))

  const series = await scrape(createSite(2000, [{ ...SOURCE, resyncs }]))

  const counts = [...series].filter(([key]) => key.startsWith('sluice_source_resyncs_total'))
  assert.equal(counts.length, 17)
  assert.equal(series.get('sluice_source_resyncs_total{source="etcd",reason="_other"}'), 84)
})

test('a removed object has no series any more, and its slot counts the next one from zero', async () => {
  const site = createSite()
  const old = site.addFrontend('old')
  site.count(old, COUNT.status + 2, 5)
  const before = await scrape(site)

  site.frontends.pop()
  site.scoreboard.release(old)
  const after = await scrape(site)
  const next = site.addFrontend('next')
  site.count(next, COUNT.status + 2, 1)
  const later = await scrape(site)

  const named = (series: Map<string, number>, id: string): number =>
    [...series.keys()].filter((key) => key.includes(`frontend="${id}"`)).length
  assert.ok(named(before, 'old') > 20)
  assert.equal(named(after, 'old'), 0)
  assert.equal(next, old)
  assert.equal(named(later, 'old'), 0)
  assert.equal(later.get('sluice_requests_total{code="2xx",frontend="next"}'), 1)
})

test('beyond the limit objects are summed as one whose counters never fall', async () => {
  const site = createSite(2)
  const requests = (series: Map<string, number>, id: string): number | undefined =>
    series.get(`sluice_requests_total{code="2xx",frontend="${id}"}`)
  for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) {
    site.count(site.addFrontend(id), COUNT.status + 2, 10 ** index)
  }
  const first = await scrape(site)

  const [a, , , d] = site.frontends
  assert.ok(a !== undefined && d !== undefined)
  site.frontends.pop()
  site.scoreboard.release(d.slot)
  site.frontends.shift()
  site.scoreboard.release(a.slot)
  const second = await scrape(site)
  site.count(site.addFrontend('e'), COUNT.status + 2, 7)
  const third = await scrape(site)

  assert.deepEqual(
    ['a', 'b', 'c', 'd', '_other'].map((id) => requests(first, id)),
    [1, 10, undefined, undefined, 1100],
  )
  assert.equal(first.get('sluice_series_dropped{kind="frontend"}'), 2)
  assert.deepEqual(
    ['a', 'b', 'c', '_other'].map((id) => requests(second, id)),
    [undefined, 10, undefined, 1100],
  )
  assert.equal(second.get('sluice_series_dropped{kind="frontend"}'), 1)
  assert.deepEqual(
    ['b', 'e', '_other'].map((id) => requests(third, id)),
    [10, 7, 1100],
  )
})

test('labels that would break a line are escaped, and nothing makes a series twice', async () => {
  const site = createSite()
  for (const id of ['a"b\\c\nd', '_other', 'snow \u2603']) {
    site.count(site.addFrontend(id), COUNT.status + 2, 1)
  }
  const [slot = -1] = site.addBackend('vote', ['http://a:1', 'http://a:1'])
  site.count(slot, COUNT.status + 2, 1)

  const series = await scrape(site)

  assert.equal(series.get('sluice_requests_total{code="2xx",frontend="a\\"b\\\\c\\nd"}'), 1)
  assert.equal(series.get('sluice_requests_total{code="2xx",frontend="_other"}'), 1)
  assert.equal(series.get('sluice_requests_total{code="2xx",frontend="snow \u2603"}'), 1)
})

test('10,000 frontends and servers with traffic give a bounded answer that counts all of it', async () => {
  const site = createSite()
  for (let i = 0; i < 10_000; i++) {
    site.addFrontend(`f${i}`)
    site.addBackend(`b${i}`, [`http://10.0.0.1:${i}`])
  }
  const view = new ScoreboardView(site.scoreboard.memory(), 1)
  for (const slots of [site.frontends, site.backends.flatMap(({ servers }) => [...servers])]) {
    for (const { slot } of slots) {
      const { counts, base } = view.slot(slot)
      counts[base + COUNT.status + 2] = 1
    }
  }

  const series = await scrape(site)

  const requests = (name: string): number[] =>
    [...series].filter(([key]) => key.startsWith(`${name}{code="2xx"`)).map(([, value]) => value)
  for (const name of ['sluice_requests_total', 'sluice_server_requests_total']) {
    assert.equal(requests(name).length, 2001)
    assert.equal(
      requests(name).reduce((sum, value) => sum + value, 0),
      10_000,
    )
  }
  assert.equal(series.get('sluice_series_dropped{kind="server"}'), 8000)
})

test('those who ask at the same time get the same answer', async () => {
  const site = createSite()

  const [first, second] = await Promise.all([site.metrics.render(), site.metrics.render()])

  assert.equal(first, second)
})

test('every metric keeps the rules of names of Prometheus', async () => {
  const site = createSite(2000, [SOURCE])
  site.count(site.addFrontend('f'), COUNT.status + 2, 1)
  site.addBackend('b', ['http://127.0.0.1:1'])
  site.listeners.push({ id: 'web', slot: site.scoreboard.allocate(), route: null })

  const text = await site.metrics.render()

  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, a, b]) => [a, b]))
  assert.ok(types.length > 70)
  for (const [, name = '', type = ''] of types) {
    assert.match(name, /^[a-z][a-z0-9_]*$/, name)
    assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`)
    assert.doesNotMatch(name, /_(?:count|sum|bucket|counter|gauge|histogram|summary)$/, name)
    // Seconds, bytes and ratios, without a prefix of thousands; the unit stands last, before _total.
    assert.doesNotMatch(
      name,
      /_(?:ms|millis\w*|micros\w*|nanos\w*|minutes|hours|days|kb|mb|[km]i?bytes|percent)(?:_|$)/,
      name,
    )
    assert.doesNotMatch(name, /_(?:seconds|bytes)_(?!total$|count$)/, name)
    assert.ok((helps.get(name) ?? '').length > 8, `${name} has a help`)
  }
  for (const [, labels = ''] of text.matchAll(/^\w+\{([^}]*)\} /gm)) {
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g))
      assert.match(label, /^[a-z][a-z0-9_]*$/)
  }
  const typeOf = new Map(types.map(([, name, type]) => [name, type]))
  const reserved = [...text.matchAll(/^(\w+?)(?:_bucket)?\{[^}]*\b(le|quantile)="/gm)]
  for (const [line, name, label] of reserved) {
    assert.equal(typeOf.get(name), label === 'le' ? 'histogram' : 'summary', line)
  }
})

test('streams have metrics of their own, of frontends and of listeners with a backend', async () => {
  const site = createSite()
  site.addFrontend('http')
  const [db = 0, web = 0, orders = 0] = [1, 2, 3].map(() => site.scoreboard.allocate())
  site.frontends.push({ id: 'db', slot: db, isStream: true })
  site.listeners.push(
    { id: 'web', slot: web, route: null },
    {
      ...{ id: 'orders', slot: site.scoreboard.allocate() },
      route: { id: 'listener/orders', slot: orders, isStream: true },
    },
  )
  site.count(db, COUNT.underWay, 2)
  site.count(db, COUNT.bytesIn, 10)
  site.count(db, COUNT.bytesOut, 30, 1)
  site.count(orders, COUNT.status + 2, 3)
  site.count(orders, COUNT.status + 5, 1, 1)
  site.count(orders, COUNT.duration, 4)
  site.count(orders, COUNT.durationSum, 8)

  const samples = await scrape(site)

  const streams = [...samples].filter(([name]) => /^sluice_stream/.test(name))
  assert.deepEqual(Object.fromEntries(streams), {
    'sluice_streams{frontend="listener/orders"}': 0,
    'sluice_streams{frontend="db"}': 2,
    'sluice_streams_total{result="served",frontend="listener/orders"}': 3,
    'sluice_streams_total{result="failed",frontend="listener/orders"}': 1,
    'sluice_streams_total{result="served",frontend="db"}': 0,
    'sluice_streams_total{result="failed",frontend="db"}': 0,
    'sluice_stream_duration_seconds_sum{frontend="listener/orders"}': 8,
    'sluice_stream_duration_seconds_count{frontend="listener/orders"}': 4,
    'sluice_stream_duration_seconds_sum{frontend="db"}': 0,
    'sluice_stream_duration_seconds_count{frontend="db"}': 0,
    'sluice_stream_received_bytes_total{frontend="listener/orders"}': 0,
    'sluice_stream_received_bytes_total{frontend="db"}': 10,
    'sluice_stream_sent_bytes_total{frontend="listener/orders"}': 0,
    'sluice_stream_sent_bytes_total{frontend="db"}': 30,
  })
  assert.equal(samples.get('sluice_requests_total{code="2xx",frontend="db"}'), undefined)
  assert.equal(samples.get('sluice_table_objects{kind="frontend"}'), 2)
})
