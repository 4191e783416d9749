import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonNumber } from '../../src/http/message/errors.ts'
import { DEFAULT_EJECTION } from '../../src/schema/ejection.ts'
import { SHARED } from '../../src/scoreboard/layout.ts'
import { createSite, HEALTH, makeBackend } from '../support/monitored.ts'

const A = 'http://10.0.0.1:80'
const B = 'http://10.0.0.2:80'
const OFF = { ...DEFAULT_EJECTION, failures: 0 }

test('a server that cannot be connected to is failing at once, with its reason, and up when it can be', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B], { ejection: OFF })])
  await site.pass(300)
  const { shared, at } = site.slot('vote', A)
  Atomics.store(shared, at + SHARED.lastFailure, reasonNumber('CONNECT_REFUSED') + 1)
  Atomics.store(shared, at + SHARED.connectFailureStreak, 1)
  Atomics.store(shared, at + SHARED.backoffUntil, 33)

  site.fail('vote', A, 1)
  await site.pass(100)
  const resting = site.report(A)
  await site.pass(3_000)
  const waiting = site.report(A)
  Atomics.store(shared, at + SHARED.connectFailureStreak, 0)
  Atomics.store(shared, at + SHARED.backoffUntil, 0)
  Atomics.store(shared, at + SHARED.failureStreak, 0)
  await site.pass(100)

  const why = 'connections to it fail: CONNECT_REFUSED'
  assert.deepEqual([resting.state, resting.admit], ['failing', 0])
  assert.match(resting.reason ?? '', new RegExp(`^${why}; passed over for 1\\.\\d s$`))
  assert.equal(resting.since, 1_001_400)
  assert.deepEqual([waiting.state, waiting.admit], ['failing', 1])
  assert.equal(waiting.reason, `${why}; the next request tries it`)
  assert.deepEqual([site.report(A).state, site.report(A).reason], ['up', null])
  const told = site.lines.map(({ level, message }) => `${level} ${message}`)
  assert.equal(told.length, 2)
  assert.match(
    told[0] ?? '',
    /^warn server .* of backend "vote" is failing: connections to it fail/,
  )
  assert.match(told[1] ?? '', /^info server .* of backend "vote" is up$/)
  assert.equal(site.report(A).tally.changes.failing, 1)
})

test('a server of which nothing goes well for a second is failing, one that fails now and then is not', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B], { ejection: OFF })])
  await site.pass(300)
  const ofA = site.slot('vote', A)
  const ofB = site.slot('vote', B)
  Atomics.store(ofA.shared, ofA.at + SHARED.lastFailure, reasonNumber('SERVER_CLOSED') + 1)

  site.fail('vote', A, 2)
  for (let round = 0; round < 20; round++) {
    site.fail('vote', B, 1)
    await site.pass(300)
    Atomics.store(ofB.shared, ofB.at + SHARED.failureStreak, 0)
    await site.pass(100)
  }

  assert.equal(site.report(A).state, 'failing')
  assert.equal(site.report(A).reason, 'the last 2 attempts in a row failed: SERVER_CLOSED')
  assert.equal(site.report(A).admit, 1)
  assert.equal(site.report(B).state, 'up')
  assert.equal(site.report(B).tally.changes.failing, 0)
})

test('one attempt that failed is told as one', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B], { ejection: OFF })])
  await site.pass(300)
  const ofA = site.slot('vote', A)
  Atomics.store(ofA.shared, ofA.at + SHARED.lastFailure, reasonNumber('SERVER_CLOSED') + 1)

  site.fail('vote', A, 1)
  await site.pass(1_300)

  assert.equal(site.report(A).state, 'failing')
  assert.equal(site.report(A).reason, 'the last attempt failed: SERVER_CLOSED')
})

test('a probe that goes well takes back what failed before it', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B], { health: HEALTH, ejection: OFF })])
  await site.pass(1_000)

  site.fail('vote', A, 1)
  await site.pass(30_000)

  assert.equal(site.report(A).state, 'up')
})
