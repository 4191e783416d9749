import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_TRAFFIC } from '../../src/scoreboard/layout.ts'
import { createSite, makeBackend } from '../support/monitored.ts'

const A = 'http://10.0.0.1:80'
const B = 'http://10.0.0.2:80'
const C = 'http://10.0.0.3:80'

test('a server that is held gets no requests until its last hold is released', async (t) => {
  const site = createSite(t)
  await site.publish([makeBackend('vote', [A, B]), makeBackend('other', [A])])

  const first = site.monitor.hold('vote', ({ url }) => url === A)
  const second = site.monitor.hold('vote', ({ url }) => url === A)
  await site.pass(100)
  const held = [site.trafficShare('vote', A), site.trafficShare('vote', B)]
  first.release()
  first.release()
  await site.pass(100)
  const still = site.trafficShare('vote', A)
  const { state, reason } = site.report(A)
  second.release()
  await site.pass(100)

  assert.deepEqual([held, still], [[NO_TRAFFIC, 0], NO_TRAFFIC])
  assert.deepEqual(
    [state, reason],
    ['draining', 'what runs it is to stop it, or has not started it'],
  )
  assert.equal(site.trafficShare('vote', A), 0)
  assert.equal(site.trafficShare('other', A), 0)
})

test('a hold counts for servers that are declared later, and changes with what it is asked', async (t) => {
  const site = createSite(t)
  const held = new Set([B, C])
  const hold = site.monitor.hold('vote', ({ url }) => held.has(url))
  await site.publish([makeBackend('vote', [A, B])])
  await site.publish([makeBackend('vote', [A, B, C])])
  await site.pass(100)
  const before = [B, C].map((url) => site.trafficShare('vote', url))

  held.delete(C)
  hold.update()
  await site.pass(100)

  assert.deepEqual(before, [NO_TRAFFIC, NO_TRAFFIC])
  assert.deepEqual(
    [A, B, C].map((url) => site.trafficShare('vote', url)),
    [0, NO_TRAFFIC, 0],
  )
  assert.deepEqual(
    site.monitor.serversOf('vote').map(({ id, inFlight }) => [id, inFlight]),
    [
      [A, 0],
      [B, 0],
      [C, 0],
    ],
  )
  assert.deepEqual(site.monitor.serversOf('none'), [])
})
