import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admitPool, type AdmissionInput } from '../../src/policy/health/pool-admission.ts'
import { ADMIT_NONE } from '../../src/scoreboard/layout.ts'

const good: AdmissionInput = {
  probe: 'up',
  ejected: false,
  failing: false,
  drain: false,
  backup: false,
  breaker: 0,
  ramp: 1,
}
const down: AdmissionInput = { ...good, probe: 'down' }
const waiting: AdmissionInput = { ...good, probe: 'waiting' }
const ejected: AdmissionInput = { ...good, ejected: true }
const draining: AdmissionInput = { ...good, drain: true }

function admits(servers: readonly AdmissionInput[], panic = 0.5): readonly number[] {
  return admitPool(servers, panic).servers.map(({ admit }) => admit)
}

function states(servers: readonly AdmissionInput[]): readonly string[] {
  return admitPool(servers, 0.5).servers.map(({ state }) => state)
}

function backup(server: AdmissionInput): AdmissionInput {
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
  assert.deepEqual(admits(servers, 0.1), [0, 0, -1, -1, -1, -1, -1, -1])
})

test('a server takes the lesser of what breaker and slow start allow', () => {
  const servers = [
    good,
    { ...good, ramp: 0.3 },
    { ...good, breaker: 200 },
    { ...good, ramp: 0.3, breaker: 200 },
    { ...good, ramp: 0.1, breaker: 200 },
    { ...good, ramp: 0.9999 },
    { ...good, breaker: ADMIT_NONE },
    { ...good, ramp: 0.00001 },
  ]

  assert.deepEqual(admits(servers), [0, 300, 200, 200, 100, 0, ADMIT_NONE, 1])
})

test('slow start is a share of what the others take: when all have just come, none is spared', () => {
  assert.deepEqual(admits([{ ...good, ramp: 0.1 }]), [0])
  assert.deepEqual(
    admits([
      { ...good, ramp: 0.4 },
      { ...good, ramp: 0.1 },
    ]),
    [0, 250],
  )
  assert.deepEqual(admits([{ ...good, ramp: 0.1 }, down], 0), [0, -1])
  assert.deepEqual(
    admits([
      { ...good, ramp: 0.1 },
      { ...good, breaker: ADMIT_NONE },
    ]),
    [0, -1],
  )
})

test('a pool panics below the share, not at it', () => {
  assert.deepEqual(admits([good, good, down, down]), [0, 0, -1, -1])
  assert.deepEqual(admits([good, down, down, ejected]), [0, 0, 0, 0])
  assert.equal(admitPool([good, good, down, down], 0.5).isPanic, false)
  assert.equal(admitPool([good, down, down, ejected], 0.5).isPanic, true)
})

test('a panic ignores health and ejection, neither breaker nor drain, and tells the states as they are', () => {
  const servers = [down, ejected, waiting, { ...down, breaker: ADMIT_NONE }, draining]

  assert.deepEqual(admits(servers), [0, 0, 0, ADMIT_NONE, ADMIT_NONE])
  assert.deepEqual(states(servers), ['down', 'ejected', 'unknown', 'down', 'draining'])
})

test('a share of 0 never panics', () => {
  assert.deepEqual(admits([down, down], 0), [-1, -1])
})

test('draining servers are in neither number', () => {
  assert.deepEqual(admits([good, down, draining, draining]), [0, -1, -1, -1])
  assert.equal(admitPool([draining, draining], 0.5).isPanic, false)
})

test('new servers that are not well yet are no reason to panic, unless there is nothing else', () => {
  assert.deepEqual(admits([good, good, waiting, waiting, waiting]), [0, 0, -1, -1, -1])
  assert.deepEqual(admits([waiting, waiting]), [0, 0])
  assert.deepEqual(admits([down, waiting]), [0, 0])
})

test('backups count apart', () => {
  assert.deepEqual(admits([good, down, backup(down), backup(down)]), [0, -1, -1, -1])
  assert.deepEqual(admits([down, down, backup(down)]), [0, 0, -1])
})

test('primaries do not panic while a backup can take their place', () => {
  assert.deepEqual(admits([down, down, down, backup(good)]), [-1, -1, -1, 0])
})

test('where there are only backups, they are judged as the others', () => {
  assert.deepEqual(admits([backup(down), draining]), [0, -1])
})

test('an empty pool is none to panic about', () => {
  assert.deepEqual(admitPool([], 0.5), { servers: [], isPanic: false })
})
