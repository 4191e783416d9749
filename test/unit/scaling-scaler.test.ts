import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ActingLock } from '../../src/scaling/acting-lock.ts'
import type { Shared } from '../../src/scaling/measure-exchange.ts'
import { createScaledSite, type ScaledSite } from '../support/scaled.ts'

/** 7 requests in flight for each replica. */
const SPEC = { concurrency: { target: 10, utilisation: 0.7 } }

function reportOf({ scaler }: ScaledSite) {
  const [report] = scaler.report().backends
  assert.ok(report !== undefined)
  return report
}

test('scales up for requests in flight and says by what, and down when they are gone', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(5)
  await site.pass(60_000)
  assert.deepEqual(site.provider.told, [])

  site.load(50)
  await site.pass(6_000)

  const [line] = site.lines
  assert.match(
    line ?? '',
    /^info: backend "vote" scales up from 1 to \d replicas by concurrency: .* in flight for \d; .*1 of 1 ready; panic$/,
  )
  assert.ok((site.provider.told.at(-1) ?? 0) >= 5, String(site.provider.told))
  site.declare(SPEC, 8)
  site.load(0)
  await site.pass(180_000)
  assert.equal(site.provider.replicas, 1)
  const directions = new Set(site.decisions.map(({ direction }) => direction))
  assert.deepEqual([...directions], ['up', 'down'])
  assert.deepEqual(site.faults, [])
})

test('a rolling update, with twice the servers or with few that are ready, changes no number', async (t) => {
  const site = createScaledSite(t)
  site.provider.replicas = 4
  site.declare(SPEC, 4)
  site.load(27)
  await site.pass(70_000)

  for (const [servers, ready] of [
    [8, 4],
    [8, 8],
    [8, 3],
    [4, 4],
  ] as const) {
    site.declare(SPEC, servers, ready)
    await site.pass(20_000)
  }
  await site.pass(70_000)

  assert.deepEqual(site.provider.told, [])
})

test('counts requests that wait in a queue of the frontend as load', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(7)
  site.queue(43)

  await site.pass(10_000)

  const { metrics } = reportOf(site)
  const lately = metrics.find(({ window }) => window === 'panic')
  assert.deepEqual([lately?.metric, lately?.value], ['concurrency', 50])
})

test('measures requests a second and latency from what the threads count', async (t) => {
  const site = createScaledSite(t)
  site.declare({ rps: 100, latency: '1s' })
  for (let second = 0; second < 10; second++) {
    site.end(40, 8)
    await site.pass(1000)
  }

  const { metrics } = reportOf(site)
  const rps = metrics.find(({ metric, window }) => metric === 'rps' && window === 'panic')
  const latency = metrics.find(({ metric }) => metric === 'latency')
  assert.equal(rps?.value, 40)
  assert.ok((latency?.value ?? 0) > 0.25 && (latency?.value ?? 0) <= 0.5, String(latency?.value))
})

test('a provider that does not respond as it should changes nothing, is told about once, and is asked again after a pause', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  await site.pass(4_000)
  site.load(50)
  site.provider.setReplicas = () => Promise.reject(new Error('the engine responds 500:\n no luck'))

  await site.pass(20_000)

  assert.deepEqual(site.provider.told, [])
  const warnings = site.lines.filter((line) => line.startsWith('warn'))
  assert.equal(warnings.length, 1)
  assert.match(
    warnings[0] ?? '',
    /^warn: backend "vote" cannot scale from 1 to \d replicas: the engine responds 500: no luck$/,
  )
  const { problem, counts, decisions } = reportOf(site)
  assert.match(problem ?? '', /the engine responds 500/)
  // 1, 2, 4, 8 s apart, at ticks of 2 s.
  assert.ok(counts.failures.set >= 3 && counts.failures.set <= 5, String(counts.failures.set))
  assert.equal(decisions[0]?.outcome, 'failed')
  assert.deepEqual(counts.decisions, [])
})

test('goes on when the provider works again, and says so', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(50)
  site.provider.failure = 'refused'
  await site.pass(10_000)
  assert.deepEqual(site.lines, ['warn: backend "vote" cannot be asked for its replicas: refused'])
  assert.equal(reportOf(site).observed, null)
  assert.equal(reportOf(site).counts.failures.observe, 5)

  site.provider.failure = null
  await site.pass(4_000)

  assert.ok(site.lines.includes('info: backend "vote" is scaled again'))
  assert.ok((site.provider.replicas ?? 0) > 1)
  assert.equal(reportOf(site).problem, null)
})

test('a provider that accepts a number and does not do it is a problem, and one decision', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(35)
  const told: number[] = []
  site.provider.setReplicas = (replicas) => Promise.resolve(void told.push(replicas))

  await site.pass(60_000)
  const { problem, counts } = reportOf(site)
  site.provider.replicas = 5
  await site.pass(4_000)

  assert.ok(told.length >= 4 && told.length <= 7 && new Set(told).size === 1, String(told))
  assert.equal(problem, 'has accepted 5 replicas, and there are still 1')
  assert.equal(counts.decisions[0]?.count, 1)
  assert.equal(reportOf(site).problem, null)
  const warnings = site.lines.filter((line) => line.startsWith('warn'))
  assert.deepEqual(warnings, [
    'warn: backend "vote" has accepted 5 replicas, and there are still 1',
  ])
})

test('decides nothing while replicas are unknown, or the table is in doubt', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(50)
  site.provider.replicas = null
  await site.pass(10_000)
  assert.deepEqual(site.provider.told, [])
  assert.match(reportOf(site).problem ?? '', /it does not know how many replicas it has/)

  site.provider.replicas = 1
  site.doubt = 'its source swarm is stale'
  await site.pass(10_000)

  assert.deepEqual(site.provider.told, [])
  assert.equal(reportOf(site).problem, 'is not scaled: its source swarm is stale')
  site.doubt = null
  await site.pass(2_000)
  assert.equal(site.provider.told.length, 1)
})

test('a dry run logs and shows each decision once, and does nothing', async (t) => {
  const site = createScaledSite(t)
  site.declare({ ...SPEC, dryRun: true })
  site.load(50)

  await site.pass(60_000)

  assert.deepEqual(site.provider.told, [])
  const shown = site.lines.filter((line) => line.endsWith('(dry run)'))
  assert.ok(shown.length >= 1 && shown.length <= 4, site.lines.join('\n'))
  assert.equal(shown.length, site.lines.length)
  assert.equal(reportOf(site).decisions[0]?.outcome, 'dry-run')
  assert.ok((reportOf(site).desired ?? 0) > 1)
})

test('an instance that does not act measures and decides, and changes nothing until it acts', async (t) => {
  let acts = false
  const lock: ActingLock = {
    isActing: () => acts,
    holder: () => 'other',
    problem: () => null,
    close: () => Promise.resolve(),
  }
  const site = createScaledSite(t, { lock })
  site.declare(SPEC)
  site.load(50)
  await site.pass(20_000)
  assert.deepEqual([site.provider.told, site.decisions, site.lines], [[], [], []])
  assert.equal(site.scaler.report().acting, false)
  assert.equal(site.scaler.report().holder, 'other')
  assert.ok((reportOf(site).desired ?? 0) > 1)

  acts = true
  await site.pass(2_000)

  assert.equal(site.provider.told.length, 1)
})

test('an instance that loses the lock ends what it is telling its provider', async (t) => {
  let acts = true
  const lock: ActingLock = {
    isActing: () => acts,
    holder: () => null,
    problem: () => null,
    close: () => Promise.resolve(),
  }
  const site = createScaledSite(t, { lock })
  const cut: string[] = []
  site.provider.setReplicas = (_replicas, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        cut.push(String(signal.reason))
        reject(new Error('cut off'))
      })
    })
  site.declare(SPEC)
  site.load(50)
  await site.pass(10_000)
  assert.deepEqual(cut, [])

  acts = false
  await site.pass(400)

  assert.deepEqual(cut, ['Error: this instance has lost the lock, and may act no longer'])
  assert.equal(reportOf(site).decisions[0]?.outcome, 'failed')
  await site.pass(10_000)
  assert.equal(cut.length, 1)
})

test('adds what other instances measure, and keeps what was asked for there', async (t) => {
  const published: ReadonlyMap<string, Shared>[] = []
  const measure = { concurrency: 30, rps: 0, errors: 0, durations: [], waiting: 0 }
  const other: Shared = { measure, asked: { replicas: 9, leftMs: 1000 } }
  const site = createScaledSite(t, {
    exchange: { publish: (shared) => void published.push(shared), others: () => [other] },
  })
  site.declare(SPEC)
  site.load(5)

  await site.pass(10_000)

  assert.equal(Math.round(reportOf(site).metrics[0]?.value ?? 0), 35)
  assert.equal(site.provider.replicas, 9)
  assert.equal(published.at(-1)?.get('vote')?.measure.concurrency, 5)
})

test('takes what is asked for at once, within min and max, and as a lower bound for a time', async (t) => {
  const site = createScaledSite(t)
  site.declare({ ...SPEC, inputs: { hold: '70s' } })
  await site.pass(4_000)
  const ask = (to: { replicas: number } | { delta: number }) =>
    site.scaler.request({ backend: 'vote', to, input: 'api', reason: 'test', forMs: null })

  assert.deepEqual(ask({ replicas: 4 }), { taken: true, replicas: 4, waits: null })
  await new Promise(setImmediate)
  assert.deepEqual(site.provider.told, [4])
  assert.deepEqual(ask({ delta: 2 }), { taken: true, replicas: 6, waits: null })
  assert.deepEqual(ask({ delta: 90 }), { taken: true, replicas: 10, waits: null })
  await site.pass(2_000)

  assert.equal(site.provider.replicas, 10)
  const { asked } = reportOf(site)
  assert.deepEqual([asked?.replicas, asked?.reason], [10, 'api: test'])
  await site.pass(60_000)
  assert.equal(site.provider.replicas, 10)
  await site.pass(80_000)
  assert.equal(site.provider.replicas, 1)
  assert.equal(reportOf(site).asked, null)
})

test('without any metric the number that was asked for stays', async (t) => {
  const site = createScaledSite(t)
  site.declare({ inputs: { orbiter: {} } })
  site.load(500)
  await site.pass(4_000)

  site.scaler.request({
    ...{ backend: 'vote', to: { delta: 1 }, input: 'orbiter', reason: 'up', forMs: null },
  })
  await site.pass(600_000)

  assert.deepEqual(site.provider.told, [2])
})

test('refuses to scale a backend that has no scale, and to step from an unknown number', async (t) => {
  const site = createScaledSite(t)
  const ask = (backend: string) =>
    site.scaler.request({ backend, to: { delta: 1 }, input: 'api', reason: '', forMs: null })

  assert.deepEqual(ask('shop'), {
    ...{ taken: false, refused: 'there is no backend "shop" with scale', isUnknown: true },
  })
  site.declare(SPEC)
  const answer = ask('vote')
  assert.equal(answer.taken, false)
  assert.match(
    answer.taken ? '' : answer.refused,
    /^the number of replicas of backend "vote" is unknown/,
  )
})

test('wakes at once for a request that waits for the first replica', async (t) => {
  const site = createScaledSite(t)
  site.provider.replicas = 0
  site.declare({ ...SPEC, min: 0 }, 0)
  await site.pass(2_000)
  assert.deepEqual(site.provider.told, [])

  site.hold(1)
  await site.pass(600)

  assert.deepEqual(site.provider.told, [1])
  assert.equal(site.decisions[0]?.reason, 'cold-start')
})

test('another declaration changes the rules and keeps what was measured', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(20)
  await site.pass(20_000)
  assert.equal(site.provider.replicas, 3)

  site.declare({ ...SPEC, max: 5, concurrency: { target: 4, utilisation: 1 } }, 3)
  await site.pass(2_000)

  assert.equal(site.provider.replicas, 5)
  assert.equal(site.provider.isClosed, false)
  site.declare({ ...SPEC, actuator: { swarm: { service: 'other' } } }, 3)
  await site.pass(2_000)
  assert.equal(site.provider.isClosed, true)
})

test('a backend without scale any more keeps its replicas, and is not shown', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(20)
  await site.pass(10_000)
  const { replicas } = site.provider

  site.declare(null)
  site.load(0)
  await site.pass(120_000)

  assert.equal(site.provider.replicas, replicas)
  assert.deepEqual(site.scaler.report().backends, [])
  assert.equal(site.provider.isClosed, true)
})

test('keeps the last decisions only', async (t) => {
  const site = createScaledSite(t)
  site.declare({ inputs: { orbiter: {} } })
  await site.pass(2_000)

  for (let at = 0; at < 60; at++) {
    const to = { replicas: 1 + (at % 2) }
    site.scaler.request({ backend: 'vote', to, input: 'api', reason: 'x', forMs: null })
    await site.pass(2_000)
  }

  const { decisions, counts } = reportOf(site)
  assert.equal(decisions.length, 50)
  assert.equal(
    counts.decisions.reduce((sum, { count }) => sum + count, 0),
    59,
  )
})

test('a dry run of a request says what a step would ask for, and asks for nothing', async (t) => {
  const site = createScaledSite(t)
  const { scaler, provider } = site
  site.declare({ ...SPEC, max: 50 })
  await site.pass(4_000)
  const of = { backend: 'vote', reason: 'by test', forMs: null }
  scaler.request({ ...of, to: { replicas: 8 }, input: 'prometheus' })
  await site.pass(4_000)
  const step = { ...of, to: { delta: 3 }, input: 'api' } as const

  const dry = scaler.request({ ...step, dryRun: true })
  await site.pass(4_000)
  const told = [...provider.told]
  const real = scaler.request(step)

  assert.deepEqual(dry, { taken: true, replicas: 11, waits: 'it is a dry run' })
  assert.deepEqual(real, { ...dry, waits: null })
  assert.ok(!told.includes(11), String(told))
  assert.equal(reportOf(site).asked?.replicas, 11)
})
