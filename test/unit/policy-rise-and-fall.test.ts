import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RiseAndFall } from '../../src/policy/health/rise-and-fall.ts'

const spec = { rise: 2, fall: 3, waitHealthy: true }

function record(server: RiseAndFall, results: readonly boolean[]): (string | null)[] {
  return results.map((ok) => server.record(ok))
}

test('the first success makes an unknown server up', () => {
  const server = new RiseAndFall(spec)

  assert.equal(server.state, 'unknown')
  assert.deepEqual(record(server, [false, false, true]), [null, null, 'up'])
  assert.equal(server.state, 'up')
})

test('only so many failures in a row make it down, so many successes in a row up again', () => {
  const server = new RiseAndFall(spec)

  assert.deepEqual(record(server, [true, false, false, true, false, false, false]), [
    'up',
    ...[null, null, null, null, null],
    'down',
  ])
  assert.deepEqual(record(server, [true, false, true, true]), [null, null, null, 'up'])
})

test('an unknown server goes down after as many failures as any other', () => {
  const server = new RiseAndFall(spec)

  assert.deepEqual(record(server, [false, false, false]), [null, null, 'down'])
  assert.deepEqual(record(server, [true, true]), [null, 'up'])
})

test('a state is told once', () => {
  const server = new RiseAndFall(spec)

  assert.deepEqual(record(server, [true, true, true]), ['up', null, null])
})

test('it waits for its first result that says something, where that is asked for', () => {
  const waiting = new RiseAndFall(spec)
  const trusted = new RiseAndFall({ ...spec, waitHealthy: false })

  assert.deepEqual([waiting.isWaiting, trusted.isWaiting], [true, false])
  waiting.record(true)
  assert.equal(waiting.isWaiting, false)
})

test('a change keeps the state and begins the streak again', () => {
  const server = new RiseAndFall(spec)
  record(server, [true, false, false])

  server.update({ ...spec, fall: 2 })

  assert.equal(server.state, 'up')
  assert.deepEqual(record(server, [false, false]), [null, 'down'])
})
