import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Update } from '../../src/control/publication/publisher.ts'
import type { Frontend, WebHook } from '../../src/model/snapshot.ts'
import { NO_TRAFFIC, COUNT, SHARED, SPOKEN } from '../../src/scoreboard/layout.ts'
import { count } from '../../src/scoreboard/scoreboard.ts'
import {
  BREAKER,
  createSite,
  HEALTH,
  makeBackend,
  makeFrontend,
  makeServer,
  type Site,
} from '../support/monitored.ts'
import { scaleOf } from '../support/objects.ts'
import { eventually } from '../support/until.ts'

const A = 'http://10.0.0.1:80'
const B = 'http://10.0.0.2:80'
const C = 'http://10.0.0.3:80'

const messages = (lines: readonly { level: string; message: string }[]): readonly string[] =>
  lines.map(({ level, message }) => `${level}: ${message}`)

test('takes a server out that fails its probes and gives it back, each told once', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B], { health: HEALTH })])
  assert.equal(site.report(A).state, 'unknown')
  await site.pass(500)
  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])

  site.unwell.add(A)
  await site.pass(3000)

  const down = site.report(A)
  assert.deepEqual([down.state, down.admit, down.reason], ['down', 0, 'refused'])
  assert.deepEqual([site.trafficShare('vote', A), site.trafficShare('vote', B)], [NO_TRAFFIC, 0])
  assert.equal(down.lastProbe?.ok, false)
  assert.ok(down.since > 1_001_000)
  site.unwell.delete(A)
  await site.pass(3000)
  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
  assert.deepEqual(
    messages(site.lines).filter((line) => line.includes(A)),
    [
      `info: server ${A} of backend "vote" is up`,
      `warn: server ${A} of backend "vote" is down: refused`,
      `info: server ${A} of backend "vote" is up`,
    ],
  )
  assert.equal(site.report(A).tally.changes.down, 1)
  assert.equal(site.monitor.tally().changes.down, 1)
  assert.ok(site.report(A).tally.probes.failure >= 2)
  assert.ok(site.probes.includes(`probe of server ${A} of backend "vote" failed: refused`))
  assert.ok(site.probes.includes(`probe of server ${B} of backend "vote" succeeded`))
})

test('a new server that waits for its first success has no turn from the moment a thread hears of it', async (t) => {
  const site = createSite(t)
  const health = { ...HEALTH, waitHealthy: true }
  await site.publish([makeBackend('vote', [A], { health })])
  await site.pass(500)
  const seen: number[] = []
  const deliver = ({ delta }: Update): void => {
    if (delta.includes(B)) seen.push(site.trafficShare('vote', B))
  }
  site.publisher.attach({ thread: 0, boardSize: site.scoreboard.size, deliver })
  site.publisher.acknowledge(0, site.publisher.number(), [])
  site.unwell.add(B)

  await site.publish([makeBackend('vote', [A, B], { health })])

  assert.deepEqual(seen, [NO_TRAFFIC])
  assert.equal(site.report(B).state, 'unknown')
  site.unwell.delete(B)
  await site.pass(1500)
  assert.deepEqual([site.report(B).state, site.trafficShare('vote', B)], ['up', 0])
})

test('a server whose probes succeed again rests no longer after failed connects', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B], { health: HEALTH })])
  await site.pass(1000)
  site.unwell.add(A)
  await site.pass(3000)
  const { shared, at } = site.slot('vote', A)
  Atomics.store(shared, at + SHARED.connectFailureStreak, 4)
  Atomics.store(shared, at + SHARED.backoffUntil, 1_000_000)

  site.unwell.delete(A)
  await site.pass(3000)

  assert.equal(site.report(A).state, 'up')
  assert.deepEqual(
    [shared[at + SHARED.connectFailureStreak], shared[at + SHARED.backoffUntil]],
    [0, 0],
  )
})

test('a server that fails again and again is ejected, and returns when its time is over', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B])])
  await site.pass(300)

  site.fail('vote', A, 5)
  await site.pass(100)

  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['ejected', NO_TRAFFIC])
  assert.equal(site.report(A).reason, '5 gateway failures in a row; for 30 s')
  assert.equal(site.report(A).ejections, 1)
  assert.equal(site.trafficShare('vote', B), 0)
  await site.pass(29_800)
  assert.equal(site.report(A).state, 'ejected')
  await site.pass(300)
  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
  assert.deepEqual(messages(site.lines), [
    `warn: server ${A} of backend "vote" is ejected: 5 gateway failures in a row; for 30 s`,
    `info: server ${A} of backend "vote" is up`,
  ])
  assert.deepEqual(site.monitor.tally().ejections, { failures: 1, errors: 0, 'success-rate': 0 })
})

test('when too few servers are well all are used, and it is said', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B, C], { health: HEALTH })])
  await site.pass(500)

  for (const url of [A, B]) site.unwell.add(url)
  await site.pass(3000)

  assert.equal(site.report(A).state, 'down')
  assert.deepEqual(
    [A, B, C].map((url) => site.trafficShare('vote', url)),
    [0, 0, 0],
  )
  const [{ slot } = { slot: -1 }] = site.publisher.placed().backends
  assert.equal(site.monitor.panics(slot), true)
  for (const url of [A, B]) site.unwell.delete(url)
  await site.pass(3000)
  assert.equal(site.monitor.panics(slot), false)
  assert.deepEqual(
    messages(site.lines).filter((line) => line.includes('panic')),
    [
      'warn: backend "vote" panics: too few of its servers are well, so all of them are used',
      'info: backend "vote" panics no longer',
    ],
  )
})

test('servers that all wait for their first success are used, which is no panic', async (t) => {
  const site = createSite(t)
  for (const url of [A, B]) site.unwell.add(url)

  await site.publish([makeBackend('vote', [A, B], { health: { ...HEALTH, waitHealthy: true } })])

  assert.deepEqual(
    [A, B].map((url) => site.trafficShare('vote', url)),
    [0, 0],
  )
  assert.deepEqual(messages(site.lines), [])
  await site.pass(3000)
  assert.equal(site.report(A).state, 'down')
  assert.equal(site.trafficShare('vote', A), 0)
  assert.ok(messages(site.lines).some((line) => line.includes('backend "vote" panics')))
})

test('what is known of a server survives every change around it', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B, C], { health: HEALTH }), makeBackend('x', [A])])
  await site.pass(500)
  site.unwell.add(A)
  await site.pass(3000)
  site.fail('vote', B, 5)
  await site.pass(100)
  const before = [site.report(A), site.report(B)]

  const later = makeBackend('vote', [C, B, A], { health: HEALTH, panic: 0 })
  await site.publish([later, makeBackend('y', [A])])
  await site.pass(100)

  const after = [site.report(A), site.report(B)]
  assert.deepEqual(
    after.map(({ state }) => state),
    ['down', 'ejected'],
  )
  assert.deepEqual(
    after.map(({ since }) => since),
    before.map(({ since }) => since),
  )
  assert.deepEqual(
    [A, B, C].map((url) => site.trafficShare('vote', url)),
    [NO_TRAFFIC, NO_TRAFFIC, 0],
  )
})

test('a server that comes to others, or back, gets its share little by little', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A], { slowStartMs: 10_000 })])
  await site.pass(200)
  assert.equal(site.trafficShare('vote', A), 0)

  await site.publish([makeBackend('vote', [A, B], { slowStartMs: 10_000 })])

  assert.deepEqual([site.trafficShare('vote', A), site.trafficShare('vote', B)], [0, 100])
  await site.pass(5000)
  assert.equal(site.trafficShare('vote', B), 550)
  assert.equal(site.report(B).admit, 0.55)
  await site.pass(5000)
  assert.equal(site.trafficShare('vote', B), 0)
})

test('a server that drains has no turn, and is shown with what is under way after it is removed', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, makeServer(B, { drain: true })])])
  await site.pass(100)
  const slot = site.slot('vote', B)
  Atomics.add(slot.shared, slot.at + SHARED.inFlight, 1)
  assert.deepEqual([site.report(B).state, site.trafficShare('vote', B)], ['draining', NO_TRAFFIC])

  await site.publish([makeBackend('vote', [A])])
  await site.pass(100)

  const { state, reason, inFlight } = site.report(B)
  assert.deepEqual([state, reason, inFlight], ['draining', 'it is no longer declared', 1])
  Atomics.add(slot.shared, slot.at + SHARED.inFlight, -1)
  await site.pass(100)
  assert.deepEqual(
    [...site.monitor.servers()].map(({ url }) => url),
    [A],
  )
})

test('nothing is written to a slot whose object is gone', async (t) => {
  const site = createSite(t)
  const middleware = { kind: 'breaker', options: { condition: BREAKER.condition } }
  const backend = makeBackend('vote', [A, B], { health: HEALTH, breaker: BREAKER })
  await site.publish([backend], [makeFrontend('web', 'vote', [middleware])])
  await site.pass(500)
  site.unwell.add(A)
  await site.pass(3000)
  const slots = [site.slot('vote', A), site.breakerOf('vote', A), site.wayOf('web')]

  await site.publish([])
  const taken = new Set<number>()
  await eventually(() => {
    taken.add(site.scoreboard.allocate())
    return slots.every(({ number }) => taken.has(number))
  }, 'the slots are given to others')
  for (const { shared, at } of slots) Atomics.store(shared, at + SHARED.trafficShare, 77)
  for (const { shared, at } of slots) Atomics.store(shared, at + SHARED.limit, 78)
  await site.pass(3000)

  for (const { shared, at } of slots) {
    assert.deepEqual([shared[at + SHARED.trafficShare], shared[at + SHARED.limit]], [77, 78])
  }
  assert.deepEqual([[...site.monitor.servers()], [...site.monitor.breakers()]], [[], []])
})

test('the breaker of a frontend trips, recovers by a growing share, and calls its web-hooks', async (t) => {
  const site = createSite(t)
  const hook = (url: string): object => ({ url, method: 'POST' })
  const options = {
    condition: 'NetworkErrorRatio() > 0.5',
    requests: 10,
    tripped: '1s',
    recovery: '1s',
    onTripped: hook('http://hooks.test/bad'),
    onStandby: hook('http://hooks.test/good'),
  }
  const frontend = makeFrontend('web', 'vote', [{ kind: 'breaker', options }])
  await site.publish([makeBackend('vote', [A])], [frontend])
  await site.pass(300)
  const slot = site.wayOf('web')
  const trafficShare = (): number => Atomics.load(slot.shared, slot.at + SHARED.trafficShare)

  // Measure 0 is the answers, 1 those that were errors of the network.
  count(slot, 0, 20)
  count(slot, 1, 20)
  await site.pass(100)

  assert.equal(trafficShare(), NO_TRAFFIC)
  const [tripped] = site.monitor.breakers()
  assert.deepEqual(
    [tripped?.frontend, tripped?.state, tripped?.trips, tripped?.share],
    ['web', 'tripped', 1, 0],
  )
  await site.publish([makeBackend('vote', [A, B])], [frontend])
  await site.pass(500)
  assert.equal(trafficShare(), NO_TRAFFIC)
  await site.pass(1000)
  assert.ok(trafficShare() > 100 && trafficShare() < 500, `recovering: ${trafficShare()}`)
  await site.pass(1000)
  assert.equal(trafficShare(), 0)
  assert.deepEqual(site.hooks, ['http://hooks.test/bad', 'http://hooks.test/good'])
  const name = 'breaker NetworkErrorRatio() > 0.5 of frontend "web"'
  assert.deepEqual(messages(site.lines), [
    `warn: ${name} is tripped`,
    `warn: the web-hook of ${name} failed: refused`,
    `info: ${name} is recovering`,
    `info: ${name} is standby`,
  ])
})

test('a tripped breaker of a frontend stays so when anything but its condition is edited', async (t) => {
  const site = createSite(t)
  const condition = 'NetworkErrorRatio() > 0.5'
  const web = (options: object): Frontend =>
    makeFrontend('web', 'vote', [{ kind: 'breaker', options: { condition, ...options } }])
  const vote = makeBackend('vote', [A])
  await site.publish([vote], [web({ requests: 10, tripped: '1m' })])
  await site.pass(300)
  const slot = site.wayOf('web')
  count(slot, 0, 20)
  count(slot, 1, 20)
  await site.pass(100)

  const onStandby = { url: 'http://hooks.test/good', method: 'POST' }
  const fallback = { respond: { status: 503, body: 'Come back soon' } }
  await site.publish([vote], [web({ tripped: '2s', recovery: '1s', fallback, onStandby })])

  assert.equal(site.wayOf('web').number, slot.number)
  assert.equal(Atomics.load(slot.shared, slot.at + SHARED.trafficShare), NO_TRAFFIC)
  await site.pass(1000)
  assert.equal([...site.monitor.breakers()][0]?.state, 'tripped')
  await site.pass(1200)
  assert.equal([...site.monitor.breakers()][0]?.state, 'recovering')
  await site.pass(1200)
  assert.equal(Atomics.load(slot.shared, slot.at + SHARED.trafficShare), 0)
  assert.deepEqual(site.hooks, ['http://hooks.test/good'])
  assert.ok(!messages(site.lines).some((line) => line.includes('is gone')))
})

test('a breaker that goes while it is tripped is told, and calls the web-hook for standby', async (t) => {
  const hooks = {
    onTripped: { url: 'http://hooks.test/b', method: 'POST' },
    onStandby: { url: 'http://hooks.test/good', method: 'POST' },
  }
  const options = { condition: BREAKER.condition, requests: 10, ...hooks }
  const way = (changed: object = {}): Frontend =>
    makeFrontend('web', 'vote', [{ kind: 'breaker', options: { ...options, ...changed } }])
  const webHook = (url: string): WebHook => ({ url, method: 'POST', headers: {}, body: '' })
  const spec = { ...BREAKER, onStandby: webHook(hooks.onStandby.url) }
  const plain = makeBackend('vote', [A])
  const other = 'ResponseCodeRatio(500, 600, 0, 600) > 0.9'
  const goings: Record<string, (site: Site) => Promise<void>> = {
    'another condition': (site) => site.publish([plain], [way({ condition: other })]),
    'no breaker': (site) => site.publish([plain], [makeFrontend('web', 'vote', [])]),
    'no frontend': (site) => site.publish([plain]),
    'another condition of servers': (site) =>
      site.publish([makeBackend('vote', [A], { breaker: { ...spec, condition: other } })]),
    'no breaker of servers': (site) => site.publish([plain]),
    'no server, for good': async (site) => {
      await site.publish([])
      assert.deepEqual(site.hooks, [])
      await site.pass(61_000)
    },
  }
  for (const [how, go] of Object.entries(goings)) {
    const site = createSite(t)
    const isOfServer = how.includes('server')
    if (isOfServer) await site.publish([makeBackend('vote', [A], { breaker: spec })])
    else await site.publish([plain], [way()])
    await site.pass(300)
    const slot = isOfServer ? site.breakerOf('vote', A) : site.wayOf('web')
    count(slot, 0, 20)
    count(slot, 1, 20)
    await site.pass(100)

    await go(site)

    const whose = isOfServer ? `server ${A} of backend "vote"` : 'frontend "web"'
    const name = `breaker ${BREAKER.condition} of ${whose}`
    assert.deepEqual(
      messages(site.lines),
      [`warn: ${name} is tripped`, `info: ${name} is gone; it was tripped`],
      how,
    )
    assert.equal(site.hooks.at(-1), 'http://hooks.test/good', how)
  }
})

test('a breaker that goes on standby says nothing', async (t) => {
  const site = createSite(t)
  const onStandby = { url: 'http://hooks.test/good', method: 'POST' }
  const options = { condition: BREAKER.condition, onStandby }
  const web = makeFrontend('web', 'vote', [{ kind: 'breaker', options }])
  await site.publish([makeBackend('vote', [A], { breaker: BREAKER })], [web])
  await site.pass(300)

  await site.publish([])
  await site.pass(61_000)

  assert.deepEqual([messages(site.lines), site.hooks], [[], []])
})

test('when ejection is switched off an ejected server is back at once', async (t) => {
  const site = createSite(t)
  const backend = makeBackend('vote', [A, B])
  await site.publish([backend])
  await site.pass(300)
  site.fail('vote', A, 5)
  await site.pass(100)
  assert.equal(site.report(A).state, 'ejected')

  await site.publish([{ ...backend, ejection: { ...backend.ejection, failures: 0 } }])

  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
})

test('the breaker of a server passes it over, and is another one under another condition', async (t) => {
  const site = createSite(t)
  const backend = makeBackend('vote', [A, B], { breaker: BREAKER })
  await site.publish([backend])
  await site.pass(300)
  const slot = site.breakerOf('vote', A)

  count(slot, 0, 20)
  count(slot, 1, 20)
  await site.pass(100)

  assert.deepEqual([site.trafficShare('vote', A), site.trafficShare('vote', B)], [NO_TRAFFIC, 0])
  assert.equal(site.report(A).state, 'up')
  await site.publish([{ ...backend, breaker: { ...BREAKER, fallbackMs: 60_000 } }])
  await site.pass(2000)
  assert.equal(site.trafficShare('vote', A), NO_TRAFFIC)
  const states = [...site.monitor.breakers()].map(({ server, state }) => [server, state])
  assert.deepEqual(states, [
    [A, 'tripped'],
    [B, 'standby'],
  ])
  const condition = 'ResponseCodeRatio(500, 600, 0, 600) > 0.9'
  await site.publish([{ ...backend, breaker: { ...BREAKER, condition } }])
  assert.equal(site.trafficShare('vote', A), 0)
})

test('an adaptive limit begins as it is declared and is shared by the frontends of a backend', async (t) => {
  const site = createSite(t)
  const spec = { kind: 'adaptive', options: { initial: 7, min: 5, max: 50 } }
  const frontends = ['one', 'two'].map((id) => makeFrontend(id, 'vote', [spec]))
  await site.publish([makeBackend('vote', [A])], frontends)
  const slot = site.wayOf('one')
  assert.equal(slot.number, site.wayOf('two').number)
  assert.equal(Atomics.load(slot.shared, slot.at + SHARED.limit), 7)

  await site.publish([makeBackend('vote', [A])], frontends.slice(1))
  for (let round = 0; round < 50; round++) {
    count(slot, COUNT.responses, 100)
    count(slot, COUNT.headMs, 1000)
    Atomics.store(slot.shared, slot.at + SHARED.inFlight, 10)
    await site.pass(100)
  }

  assert.ok(Atomics.load(slot.shared, slot.at + SHARED.limit) > 7)
  assert.deepEqual(
    Array.from(site.monitor.limits(), ({ backend, frontend }) => [backend, frontend]),
    [['vote', null]],
  )
})

test('quiet pools are not read, and one that fails is read until it is quiet again', async (t) => {
  const site = createSite(t)
  const backends = Array.from({ length: 50 }, (_, at) =>
    makeBackend(`b${at}`, [`http://10.0.1.${at}:80`, `http://10.0.2.${at}:80`]),
  )
  await site.publish(backends)
  await site.pass(200)
  const readsIn = async (ms: number): Promise<number> => {
    site.reads.count = 0
    await site.pass(ms)
    return site.reads.count
  }

  assert.equal(await readsIn(1000), 0)
  site.fail('b7', 'http://10.0.1.7:80', 1)
  const perTick = await readsIn(100)
  assert.ok(perTick > 0 && perTick <= 6, `${perTick} sums of two servers`)
  assert.equal(await readsIn(9000), 90 * perTick)
  await site.pass(2000)
  assert.equal(await readsIn(1000), 0)
})

test('a hold-up of our own never ejects a server', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B, C])])
  await site.pass(500)

  // This thread: what failed meanwhile is counted before its late tick, or right after.
  site.fail('vote', A, 20)
  await site.late(3000)
  site.fail('vote', A, 20)
  await site.pass(500)
  assert.equal(site.report(A).state, 'up')
  // A serving thread.
  await site.pass(12_000)
  site.stallMs = 400
  site.fail('vote', B, 20)
  await site.pass(500)
  site.stallMs = 0
  site.fail('vote', B, 20)
  await site.pass(500)
  assert.equal(site.report(B).state, 'up')
  // Rows that began then do not go on.
  await site.pass(2000)
  site.fail('vote', B, 1)
  await site.pass(500)
  assert.equal(site.report(B).state, 'up')
  assert.deepEqual(site.lines, [])
  // What fails without one tells.
  site.fail('vote', B, 5)
  await site.pass(100)
  assert.equal(site.report(B).state, 'ejected')
})

test('a change that comes right after a hold-up ejects nobody either', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B])])
  await site.pass(500)
  site.fail('vote', A, 3)
  await site.pass(100)

  site.stallMs = 2000
  await site.pass(100)
  site.fail('vote', A, 20)
  await site.publish([makeBackend('vote', [A, B, C])])
  site.stallMs = 0
  await site.pass(1500)

  assert.equal(site.report(A).state, 'up')
})

test('when a rack dies the first servers are told, and the others counted', async (t) => {
  const site = createSite(t)
  const urls = Array.from({ length: 200 }, (_, at) => `http://10.0.3.${at}:80`)
  await site.publish([makeBackend('vote', urls, { health: HEALTH })])
  await site.pass(3000)
  assert.equal(site.monitor.tally().changes.up, 200)

  for (const url of urls) site.unwell.add(url)
  await site.pass(6000)

  assert.equal(site.monitor.tally().changes.down, 200)
  const warnings = site.lines.filter(({ level }) => level === 'warn')
  assert.ok(warnings.length < 130, `${warnings.length} lines`)
  assert.ok(warnings.some(({ message }) => /^and \d+ more changes of servers/.test(message)))
})

test('a report has the protocol that was chosen only while the backend leaves the choice', async (t) => {
  const site = createSite(t)
  const url = 'https://10.0.0.1:443'
  const server = makeServer(url, { scheme: 'https' })
  await site.publish([makeBackend('vote', [server], { protocol: 'auto' })])
  const { shared, at } = site.slot('vote', url)
  Atomics.store(shared, at + SHARED.spoken, SPOKEN.h2)
  assert.equal(site.report(url).protocol, 'h2')

  await site.publish([makeBackend('vote', [server], { protocol: 'http/1.1' })])
  assert.equal(site.report(url).protocol, undefined)

  await site.publish([makeBackend('vote', [server], { protocol: 'h2' })])
  Atomics.store(shared, at + SHARED.spoken, SPOKEN['http/1.1'])
  assert.equal(site.report(url).protocol, undefined)
})

const FROM_ZERO = scaleOf({
  min: 0,
  zero: { idleMs: 60_000, graceMs: 0, maxPending: 10, timeoutMs: 30_000 },
})

test('a backend that scales from zero uses no server before its first success, and probes it often', async (t) => {
  const site = createSite(t)
  const health = { ...HEALTH, intervalMs: 5_000, waitHealthy: true, rise: 2 }
  site.unwell.add(A)
  await site.publish([makeBackend('vote', [A], { health, scale: FROM_ZERO })])
  await site.pass(3_000)
  const starting = [site.report(A).state, site.trafficShare('vote', A)]
  const probes = site.probes.length

  site.unwell.delete(A)
  await site.pass(400)

  assert.deepEqual(starting, ['unknown', NO_TRAFFIC])
  assert.ok(probes >= 10, `${probes} probes in 3 s`)
  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
  assert.deepEqual(messages(site.lines), [`info: server ${A} of backend "vote" is up`])
})

test('a backend that scales from zero without health waits for a connection to a new server, once', async (t) => {
  const site = createSite(t)
  site.unwell.add(A)
  await site.publish([makeBackend('vote', [A], { scale: FROM_ZERO })])
  await site.pass(1_000)
  const starting = site.trafficShare('vote', A)

  site.unwell.delete(A)
  await site.pass(400)
  const probes = site.probes.length
  await site.pass(20_000)

  assert.equal(starting, NO_TRAFFIC)
  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
  assert.equal(site.probes.length, probes)
})

test('a server that stopped is waited for again when requests wait', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A], { scale: FROM_ZERO })])
  await site.pass(500)
  const { shared, at } = site.slot('vote', A)
  Atomics.store(shared, at + SHARED.connectFailureStreak, 4)
  Atomics.store(shared, at + SHARED.backoffUntil, 300)
  site.unwell.add(A)

  site.monitor.wake('vote')
  await site.pass(1_000)
  const away = site.trafficShare('vote', A)
  site.unwell.delete(A)
  await site.pass(400)

  assert.equal(away, NO_TRAFFIC)
  assert.equal(site.trafficShare('vote', A), 0)
  assert.deepEqual(
    [shared[at + SHARED.connectFailureStreak], shared[at + SHARED.backoffUntil]],
    [0, 0],
  )
})

test('servers that are all down are no panic where requests wait, and are probed often then', async (t) => {
  const site = createSite(t)
  const health = { ...HEALTH, intervalMs: 5_000, downIntervalMs: 5_000 }
  await site.publish([makeBackend('vote', [A], { health, scale: FROM_ZERO })])
  await site.pass(500)
  site.unwell.add(A)
  await site.pass(15_000)
  const down = [site.report(A).state, site.trafficShare('vote', A)]

  site.monitor.wake('vote')
  await site.pass(200)
  site.unwell.delete(A)
  await site.pass(800)

  assert.deepEqual(down, ['down', NO_TRAFFIC])
  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
})

test('a server that does not start within a minute is down', async (t) => {
  const site = createSite(t)
  const health = { ...HEALTH, intervalMs: 1_000, waitHealthy: true, fall: 2 }
  site.unwell.add(A)
  await site.publish([makeBackend('vote', [A], { health, scale: FROM_ZERO })])

  await site.pass(59_000)
  const starting = site.report(A).state
  await site.pass(4_000)

  assert.equal(starting, 'unknown')
  assert.equal(site.report(A).state, 'down')
})
