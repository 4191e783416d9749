import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFlapDamping } from '../../src/control/sources/flap-damping.ts'
import type { FlapDamping } from '../../src/control/sources/flap-damping.ts'

/** The server goes and comes back at each of the times; answers the waits. */
function flap(damping: FlapDamping, times: readonly number[], id = 'b/s'): number[] {
  return times.map((at) => {
    damping.removed(id, at)
    return damping.declared(id, at)
  })
}

function every(ms: number, times: number): number[] {
  return Array.from({ length: times }, (_, at) => at * ms)
}

test('lets a server in that comes for the first time', () => {
  const damping = createFlapDamping()

  assert.equal(damping.declared('b/s', 0), 0)
  assert.equal(damping.flaps, 0)
})

test('lets it back three times in a minute, then has it wait 1, 2, 4 ... 30 s', () => {
  const damping = createFlapDamping()

  const waits = flap(damping, every(1000, 10))

  assert.deepEqual(waits, [0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  assert.equal(damping.flaps, 10)
})

test('never damps what comes back less often than that', () => {
  const damping = createFlapDamping()

  assert.deepEqual(new Set(flap(damping, every(20_000, 50))), new Set([0]))
})

test('forgets a server after a quiet minute', () => {
  const damping = createFlapDamping()
  flap(damping, every(1000, 6))

  const early = flap(damping, [64_999])
  const late = flap(damping, [124_999, 125_000, 125_001, 125_002])

  assert.deepEqual(early, [0], 'three in a minute are free again')
  assert.deepEqual(late, [0, 0, 0, 1000], 'and it begins with the shortest wait')
})

test('does not take a server for flapping that was away for a minute', () => {
  const damping = createFlapDamping()
  damping.removed('b/s', 0)

  assert.equal(damping.declared('b/s', 60_000), 0)
  assert.equal(damping.flaps, 0)
})

test('knows servers apart', () => {
  const damping = createFlapDamping()
  flap(damping, every(10, 4), 'b/one')

  assert.deepEqual(flap(damping, [50], 'b/two'), [0])
})

test('remembers ten thousand servers, and forgets the longest quiet first', () => {
  const damping = createFlapDamping()
  flap(damping, every(1, 3), 'b/first')
  for (let at = 0; at < 9_999; at++) damping.removed(`b/${at}`, 10)

  const remembered = flap(damping, [20], 'b/first')
  for (let at = 0; at < 9_999; at++) damping.removed(`d/${at}`, 25)
  remembered.push(...flap(damping, [26], 'b/first'))
  for (let at = 0; at < 10_000; at++) damping.removed(`c/${at}`, 30)
  const forgotten = flap(damping, [40], 'b/first')

  assert.deepEqual(remembered, [1000, 2000])
  assert.deepEqual(forgotten, [0])
})
