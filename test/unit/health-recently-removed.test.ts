// What is known of servers that are taken out and come back: after a lapse all of it, later only what speaks against them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_TRAFFIC, SHARED } from '../../src/scoreboard/layout.ts'
import { count, type Slot } from '../../src/scoreboard/scoreboard.ts'
import { BREAKER, createSite, HEALTH, makeBackend, type Line } from '../support/monitored.ts'
import { eventually } from '../support/until.ts'

const A = 'http://10.0.0.1:80'
const B = 'http://10.0.0.2:80'
const C = 'http://10.0.0.3:80'
const D = 'http://10.0.0.4:80'

const messages = (lines: readonly Line[]): readonly string[] => lines.map(({ message }) => message)

/** Something is under way there, so that the slot stays its own however long the test takes. */
function occupy({ shared, at }: Slot): void {
  Atomics.add(shared, at + SHARED.inFlight, 1)
}

/** Whether the backend stays meanwhile with its other servers, or goes with them. */
const LAPSES = { 'of one': [B, C, D], 'of all': [] }

for (const [which, meanwhile] of Object.entries(LAPSES)) {
  test(`after a lapse ${which} a server is ejected as before, and its growth goes on`, async (t) => {
    const site = createSite(t)
    const all = makeBackend('vote', [A, B, C, D])
    const rest = meanwhile.length === 0 ? [] : [makeBackend('vote', meanwhile)]
    await site.publish([all])
    for (const url of [A, B, C, D]) occupy(site.slot('vote', url))
    await site.pass(300)
    site.fail('vote', A, 5)
    await site.pass(10_000)
    const before = site.report(A)

    await site.publish(rest)
    await site.pass(300)
    await site.publish([all])

    const { state, reason, since, tally } = site.report(A)
    assert.deepEqual([state, site.trafficShare('vote', A)], ['ejected', NO_TRAFFIC])
    assert.deepEqual([reason, since, tally], [before.reason, before.since, before.tally])
    await site.pass(19_000)
    assert.equal(site.report(A).state, 'ejected')
    await site.pass(1000)
    assert.equal(site.report(A).state, 'up')
    site.fail('vote', A, 5)
    await site.pass(100)
    assert.equal(site.report(A).reason, '5 gateway failures in a row; for 60 s')
  })

  test(`after a lapse ${which} a server has its state, and probes go on`, async (t) => {
    const site = createSite(t)
    const health = { ...HEALTH, waitHealthy: true }
    const all = makeBackend('vote', [A, B, C, D], { health })
    const rest = meanwhile.length === 0 ? [] : [makeBackend('vote', meanwhile, { health })]
    await site.publish([all])
    for (const url of [A, B, C, D]) occupy(site.slot('vote', url))
    await site.pass(500)
    site.unwell.add(A)
    await site.pass(3000)
    assert.equal(site.report(A).state, 'down')

    await site.publish(rest)
    await site.pass(300)
    await site.publish([all])
    assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['down', NO_TRAFFIC])
    // A change that comes before its probes have said anything.
    await site.publish([{ ...all, panic: 0.1 }])
    assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['down', NO_TRAFFIC])
    assert.deepEqual([site.report(B).state, site.trafficShare('vote', B)], ['up', 0])
    await site.pass(3000)
    assert.equal(site.report(A).state, 'down')
    site.unwell.delete(A)
    await site.pass(3000)
    assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
    await site.publish([all])
    assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])

    assert.equal(messages(site.lines).filter((line) => line.includes(`${A} of`)).length, 3)
  })

  test(`after a lapse ${which} the breaker of a server is as it was`, async (t) => {
    const site = createSite(t)
    const breaker = { ...BREAKER, fallbackMs: 5000 }
    const all = makeBackend('vote', [A, B, C, D], { breaker })
    const rest = meanwhile.length === 0 ? [] : [makeBackend('vote', meanwhile, { breaker })]
    await site.publish([all])
    await site.pass(300)
    for (const url of [A, B, C, D]) occupy(site.slot('vote', url))
    const slot = site.breakerOf('vote', A)
    occupy(slot)
    count(slot, 0, 20)
    count(slot, 1, 20)
    await site.pass(100)

    await site.publish(rest)
    await site.pass(300)
    // A slot that was given back is cleared.
    Atomics.store(slot.shared, slot.at + SHARED.trafficShare, 0)
    await site.publish([all])

    assert.deepEqual([site.trafficShare('vote', A), site.trafficShare('vote', B)], [NO_TRAFFIC, 0])
    assert.equal(Atomics.load(slot.shared, slot.at + SHARED.trafficShare), NO_TRAFFIC)
    await site.pass(4000)
    const stateOfA = (): unknown =>
      [...site.monitor.breakers()].find(({ server }) => server === A)?.state
    assert.equal(stateOfA(), 'tripped')
    await site.pass(1000)
    assert.equal(stateOfA(), 'recovering')
  })
}

test('one that waits for its first success waits after a lapse, too', async (t) => {
  const site = createSite(t)
  const health = { ...HEALTH, waitHealthy: true, intervalMs: 10_000 }
  const [all, rest] = [[A, B], [A]].map((urls) => makeBackend('vote', urls, { health }))
  assert.ok(all && rest)
  site.unwell.add(B)
  await site.publish([all])
  occupy(site.slot('vote', B))
  await site.pass(500)
  assert.deepEqual([site.report(B).state, site.trafficShare('vote', B)], ['unknown', NO_TRAFFIC])

  await site.publish([rest])
  await site.pass(300)
  await site.publish([all])

  assert.deepEqual([site.report(B).state, site.trafficShare('vote', B)], ['unknown', NO_TRAFFIC])
})

test('after a lapse slow start goes on where it was, after longer it begins anew', async (t) => {
  const site = createSite(t)
  const [one, two] = [[A], [A, B]].map((urls) => makeBackend('vote', urls, { slowStartMs: 10_000 }))
  assert.ok(one && two)
  await site.publish([one])
  await site.pass(200)
  await site.publish([two])
  await site.pass(5000)
  assert.equal(site.trafficShare('vote', B), 550)
  occupy(site.slot('vote', B))

  await site.publish([one])
  await site.pass(1000)
  await site.publish([two])
  assert.equal(site.trafficShare('vote', B), 640)

  await site.publish([one])
  await site.pass(10_000)
  await site.publish([two])
  assert.equal(site.trafficShare('vote', B), 100)
})

test('one that is away for longer than a lapse is asked anew, and still ejected', async (t) => {
  const site = createSite(t)
  const health = { ...HEALTH, waitHealthy: true }
  const [all, rest] = [
    [A, B, C, D],
    [C, D],
  ].map((urls) => makeBackend('vote', urls, { health }))
  assert.ok(all && rest)
  await site.publish([all])
  await site.pass(500)
  site.fail('vote', A, 5)
  await site.pass(100)
  for (const url of [A, B]) occupy(site.slot('vote', url))

  await site.publish([rest])
  await site.pass(10_000)
  await site.publish([all])

  assert.deepEqual(
    [A, B].map((url) => [site.report(url).state, site.trafficShare('vote', url)]),
    [
      ['unknown', NO_TRAFFIC],
      ['unknown', NO_TRAFFIC],
    ],
  )
  await site.pass(500)
  assert.deepEqual([site.report(A).state, site.report(B).state], ['ejected', 'up'])
})

test('one that comes back to another slot is a new one', async (t) => {
  const site = createSite(t)
  const [all, rest] = [
    [A, B, C],
    [B, C],
  ].map((urls) => makeBackend('vote', urls))
  assert.ok(all && rest)
  await site.publish([all])
  await site.pass(300)
  site.fail('vote', A, 5)
  await site.pass(100)
  const { number } = site.slot('vote', A)

  await site.publish([rest])
  await eventually(() => site.scoreboard.allocate() === number, 'its slot is given to another')
  await site.publish([all])

  assert.deepEqual([site.report(A).state, site.trafficShare('vote', A)], ['up', 0])
  assert.equal(site.report(A).ejections, 0)
})

test('ejected ones that come back are never more than the share', async (t) => {
  const site = createSite(t)
  const [all, none] = [
    [A, B, C, D],
    [C, D],
  ].map((urls) => makeBackend('vote', urls))
  assert.ok(all && none)
  await site.publish([all])
  await site.pass(300)
  for (const url of [A, B]) {
    occupy(site.slot('vote', url))
    site.fail('vote', url, 5)
  }
  await site.pass(100)
  await site.publish([none])
  await site.pass(100)
  site.fail('vote', C, 5)
  await site.pass(100)
  assert.equal(site.report(C).state, 'ejected')

  // Our own process is held up: nothing is judged, and nobody returns for that either.
  site.stallMs = 400
  await site.pass(100)
  await site.publish([all])

  const out = [A, B, C, D].filter((url) => site.report(url).state === 'ejected')
  assert.equal(out.length, 2)
  assert.equal(
    [A, B, C, D].filter((url) => site.trafficShare('vote', url) === NO_TRAFFIC).length,
    2,
  )
})

test('of very many servers that go the oldest are forgotten first', async (t) => {
  const site = createSite(t)
  const others = Array.from({ length: 1000 }, (_, at) => `http://10.1.${at >> 8}.${at & 255}:80`)
  const breaker = { ...BREAKER, fallbackMs: 60_000 }
  await site.publish([makeBackend('vote', [A], { breaker }), makeBackend('more', others)])
  await site.pass(300)
  const slot = site.breakerOf('vote', A)
  count(slot, 0, 20)
  count(slot, 1, 20)
  await site.pass(100)
  await site.publish([makeBackend('more', others)])
  await site.publish([makeBackend('more', others.slice(0, 1))])
  const isGone = (): boolean => site.lines.some(({ message }) => message.includes('is gone'))
  assert.equal(isGone(), false)

  await site.publish([])

  assert.equal(isGone(), true)
})
