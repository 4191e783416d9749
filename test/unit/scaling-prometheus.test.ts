// Prometheus as an input of scaling: a server that says what the test wants; the clock is the test's own.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { ScaleSpec } from '../../src/model/scale.ts'
import { createHttpClient } from '../../src/providers/http-client/http-client.ts'
import {
  createPrometheusInputs,
  type PrometheusInputs,
} from '../../src/scaling/prometheus-input.ts'
import type { ScaleAnswer, ScaleRequest } from '../../src/scaling/scale-request.ts'
import { scaleOf } from '../support/objects.ts'

interface Site {
  readonly inputs: PrometheusInputs
  readonly asked: readonly ScaleRequest[]
  readonly queries: readonly IncomingMessage[]
  readonly log: readonly string[]
  /** What it responds with. */
  answer: { readonly status?: number; readonly body: string }
  isActing: boolean
  scaler: ScaleAnswer
  specs: Readonly<Record<string, ScaleSpec>>
  pass(ms: number): Promise<void>
}

async function start(t: TestContext, path = ''): Promise<Site> {
  const queries: IncomingMessage[] = []
  const server = createServer((request, response) => {
    queries.push(request)
    response.writeHead(site.answer.status ?? 200, { 'Content-Type': 'application/json' })
    response.end(site.answer.body)
  }).listen(0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
  const asked: ScaleRequest[] = []
  const log: string[] = []
  const note = (_fields: object, message: string): void => void log.push(message)
  let now = 1_000
  const inputs = createPrometheusInputs({
    backends: () => Object.keys(site.specs),
    specOf: (backend) => site.specs[backend] ?? null,
    request(request) {
      asked.push(request)
      return site.scaler
    },
    isActing: () => site.isActing,
    open: (origin, headers) =>
      Promise.resolve(createHttpClient({ what: 'Prometheus', origin, headers, connections: 1 })),
    now: () => now,
    log: { debug: note, info: note, warn: note, error: note },
  })
  t.after(() => inputs.stop())
  const query = 'sum(rate(votes[1m]))'
  const prometheus = { url, headers: {}, query, target: 10, intervalMs: 15_000 }
  const site: Site = {
    ...{ inputs, asked, queries, log },
    answer: vector('42'),
    isActing: true,
    scaler: { taken: true, replicas: 5, waits: null },
    specs: {
      vote: scaleOf({ inputs: { holdMs: 1, orbiter: null, alertmanager: null, prometheus } }),
      other: scaleOf(),
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 500) {
        now += 500
        await inputs.tick()
      }
    },
  }
  return site
}

function vector(...values: readonly string[]): { body: string } {
  const result = values.map((value, at) => ({ metric: { at: String(at) }, value: [1.5, value] }))
  return { body: JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }) }
}

test('the result divided by the target is asked for at each interval, for three of them', async (t) => {
  const site = await start(t)

  await site.pass(31_000)

  assert.equal(site.queries.length, 3)
  assert.match(
    site.queries[0]?.url ?? '',
    /^\/api\/v1\/query\?query=sum%28rate%28votes%5B1m%5D%29%29&timeout=5000ms$/,
  )
  assert.deepEqual(site.asked[0], {
    backend: 'vote',
    to: { replicas: 5 },
    input: 'prometheus',
    reason: 'sum(rate(votes[1m])) is 42',
    forMs: 45_000,
  })
})

test('a scalar counts as well, and rounding makes no further replica', async (t) => {
  const site = await start(t)
  const values: readonly (readonly [string, number])[] = [
    ['30.000000001', 3],
    ['30.1', 4],
    ['0', 0],
    ['-7', 0],
    ['1e300', Number.MAX_SAFE_INTEGER],
  ]
  for (const [value, replicas] of values) {
    const data = { resultType: 'scalar', result: [1, value] }
    site.answer = { body: JSON.stringify({ status: 'success', data }) }
    await site.pass(15_000)
    assert.deepEqual(site.asked.at(-1)?.to, { replicas }, value)
  }
})

test('what is no number is not asked for, and said once', async (t) => {
  const answers: readonly (readonly [Site['answer'], RegExp])[] = [
    [vector('NaN'), /the result NaN, which is no number/],
    [vector('+Inf'), /the result \+Inf, which is no number/],
    [vector(''), /which is no number/],
    [vector(), /the query has no result/],
    [vector('1', '2'), /2 results; use sum\(\)/],
    [{ body: '{"status":"success","data":{"resultType":"matrix","result":[]}}' }, /type matrix/],
    [{ body: '{"status":"error"}' }, /something else than a result/],
    [{ body: 'busy' }, /Prometheus/],
    [{ status: 503, body: 'busy' }, /responds to .* with 503: busy/],
    [{ body: `"${'x'.repeat(300_000)}"` }, /Prometheus/],
  ]
  for (const [answer, reason] of answers) {
    const site = await start(t)
    site.answer = answer
    await site.pass(46_000)
    assert.deepEqual(site.asked, [])
    assert.equal(site.log.length, 1, site.log.join('\n'))
    assert.match(site.log[0] ?? '', reason)
    site.answer = vector('1')
    await site.pass(16_000)
    assert.equal(site.asked.length >= 1, true)
    assert.match(site.log[1] ?? '', /says again/)
  }
})

test('the last result and the problem are shown, and failures counted', async (t) => {
  const site = await start(t)
  const seen = [site.inputs.report('vote')]
  for (const values of [['42'], ['NaN'], ['1', '2'], ['7']]) {
    site.answer = vector(...values)
    await site.pass(15_000)
    seen.push(site.inputs.report('vote'))
  }
  site.isActing = false
  await site.pass(500)

  assert.deepEqual(seen, [
    null,
    { value: 42, problem: null, failures: 0 },
    { value: null, problem: 'the query has the result NaN, which is no number', failures: 1 },
    {
      ...{ value: null, failures: 2 },
      problem: 'the query has 2 results; use sum() or the like to make it one',
    },
    { value: 7, problem: null, failures: 2 },
  ])
  assert.deepEqual(site.inputs.report('vote'), { value: null, problem: null, failures: 2 })
  assert.equal(site.inputs.report('other'), null)
})

test('a declaration that has not changed is not asked for at once', async (t) => {
  const site = await start(t)
  for (let at = 0; at < 4; at++) {
    site.specs = structuredClone(site.specs)
    await site.pass(2_000)
  }

  assert.equal(site.queries.length, 1)
})

test('a query that is replaced or removed while it is asked is no problem', async (t) => {
  const site = await start(t)
  const asking = site.pass(500)
  site.specs = {}
  await site.inputs.tick()
  await asking

  assert.deepEqual([site.asked, site.log], [[], []])
})

test('an instance that does not act asks nothing', async (t) => {
  const site = await start(t)
  site.isActing = false
  await site.pass(31_000)
  const before = site.queries.length

  site.isActing = true
  await site.pass(500)

  assert.deepEqual([before, site.queries.length], [0, 1])
})

test('a path of the url and headers are used', async (t) => {
  const site = await start(t, '/prom/')
  const { vote } = site.specs
  const { prometheus } = vote?.inputs ?? {}
  if (vote === undefined || prometheus == null) throw new Error('it has no query')
  const headers = { Authorization: 'Bearer abc', 'X-Scope-OrgID': 'shop' }
  site.specs = {
    vote: { ...vote, inputs: { ...vote.inputs, prometheus: { ...prometheus, headers } } },
  }

  await site.pass(500)

  const [query] = site.queries
  assert.match(query?.url ?? '', /^\/prom\/api\/v1\/query\?/)
  assert.equal(query?.headers.authorization, 'Bearer abc')
  assert.equal(query.headers['x-scope-orgid'], 'shop')
})

test('a backend that is scaled no longer is asked for no more', async (t) => {
  const site = await start(t)
  await site.pass(500)
  site.specs = {}

  await site.pass(60_000)

  assert.equal(site.queries.length, 1)
})
