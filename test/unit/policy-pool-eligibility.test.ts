import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decideEligibility,
  type EligibilityInput,
} from '../../src/policy/health/pool-eligibility.ts'
import { NO_TRAFFIC } from '../../src/scoreboard/layout.ts'

const good: EligibilityInput = {
  probe: 'up',
  ejected: false,
  failing: false,
  drain: false,
  backup: false,
  breaker: 0,
  ramp: 1,
}
const down: EligibilityInput = { ...good, probe: 'down' }
const waiting: EligibilityInput = { ...good, probe: 'waiting' }
const ejected: EligibilityInput = { ...good, ejected: true }
const draining: EligibilityInput = { ...good, drain: true }

function sharesOf(servers: readonly EligibilityInput[], panic = 0.5): readonly number[] {
  return decideEligibility(servers, panic).servers.map(({ trafficShare }) => trafficShare)
}

function states(servers: readonly EligibilityInput[]): readonly string[] {
  return decideEligibility(servers, 0.5).servers.map(({ state }) => state)
}

function backup(server: EligibilityInput): EligibilityInput {
  return { ...server, backup: true }
}

test('each state has its share, and the first that holds is told', () => {
  const servers = [
    good,
    { ...good, probe: 'unknown' as const },
    down,
    waiting,
    ejected,
    { ...down, drain: true, ejected: true },
    { ...down, ejected: true },
    { ...waiting, ejected: true },
  ]

  assert.deepEqual(states(servers), [
    ...['up', 'unknown', 'down', 'unknown', 'ejected'],
    ...['draining', 'down', 'unknown'],
  ])
  assert.deepEqual(sharesOf(servers, 0.1), [0, 0, -1, -1, -1, -1, -1, -1])
})

test('a server takes the lesser of what breaker and slow start allow', () => {
  const servers = [
    good,
    { ...good, ramp: 0.3 },
    { ...good, breaker: 200 },
    { ...good, ramp: 0.3, breaker: 200 },
    { ...good, ramp: 0.1, breaker: 200 },
    { ...good, ramp: 0.9999 },
    { ...good, breaker: NO_TRAFFIC },
    { ...good, ramp: 0.00001 },
  ]

  assert.deepEqual(sharesOf(servers), [0, 300, 200, 200, 100, 0, NO_TRAFFIC, 1])
})

test('slow start is a share of what the others take: when all have just come, none is spared', () => {
  assert.deepEqual(sharesOf([{ ...good, ramp: 0.1 }]), [0])
  assert.deepEqual(
    sharesOf([
      { ...good, ramp: 0.4 },
      { ...good, ramp: 0.1 },
    ]),
    [0, 250],
  )
  assert.deepEqual(sharesOf([{ ...good, ramp: 0.1 }, down], 0), [0, -1])
  assert.deepEqual(
    sharesOf([
      { ...good, ramp: 0.1 },
      { ...good, breaker: NO_TRAFFIC },
    ]),
    [0, -1],
  )
})

test('a pool panics below the share, not at it', () => {
  assert.deepEqual(sharesOf([good, good, down, down]), [0, 0, -1, -1])
  assert.deepEqual(sharesOf([good, down, down, ejected]), [0, 0, 0, 0])
  assert.equal(decideEligibility([good, good, down, down], 0.5).isPanic, false)
  assert.equal(decideEligibility([good, down, down, ejected], 0.5).isPanic, true)
})

test('a panic ignores health and ejection, neither breaker nor drain, and tells the states as they are', () => {
  const servers = [down, ejected, waiting, { ...down, breaker: NO_TRAFFIC }, draining]

  assert.deepEqual(sharesOf(servers), [0, 0, 0, NO_TRAFFIC, NO_TRAFFIC])
  assert.deepEqual(states(servers), ['down', 'ejected', 'unknown', 'down', 'draining'])
})

test('a share of 0 never panics', () => {
  assert.deepEqual(sharesOf([down, down], 0), [-1, -1])
})

test('draining servers are in neither number', () => {
  assert.deepEqual(sharesOf([good, down, draining, draining]), [0, -1, -1, -1])
  assert.equal(decideEligibility([draining, draining], 0.5).isPanic, false)
})

test('new servers that are not well yet are no reason to panic, unless there is nothing else', () => {
  assert.deepEqual(sharesOf([good, good, waiting, waiting, waiting]), [0, 0, -1, -1, -1])
  assert.deepEqual(sharesOf([waiting, waiting]), [0, 0])
  assert.deepEqual(sharesOf([down, waiting]), [0, 0])
})

test('backups count apart', () => {
  assert.deepEqual(sharesOf([good, down, backup(down), backup(down)]), [0, -1, -1, -1])
  assert.deepEqual(sharesOf([down, down, backup(down)]), [0, 0, -1])
})

test('primaries do not panic while a backup can take their place', () => {
  assert.deepEqual(sharesOf([down, down, down, backup(good)]), [-1, -1, -1, 0])
})

test('where there are only backups, they are judged as the others', () => {
  assert.deepEqual(sharesOf([backup(down), draining]), [0, -1])
})

test('an empty pool is none to panic about', () => {
  assert.deepEqual(decideEligibility([], 0.5), { servers: [], isPanic: false })
})

test('a pool whose requests can wait uses none that has not started, or has stopped', () => {
  const shares = (servers: readonly EligibilityInput[]): readonly number[] =>
    decideEligibility(servers, 0.5, true).servers.map(({ trafficShare }) => trafficShare)

  assert.deepEqual(shares([waiting, down]), [NO_TRAFFIC, NO_TRAFFIC])
  assert.deepEqual(shares([waiting, draining]), [NO_TRAFFIC, NO_TRAFFIC])
  assert.deepEqual(shares([ejected]), [0])
  assert.deepEqual(shares([good, down, down]), [0, 0, 0])
})
