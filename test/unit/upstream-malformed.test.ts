// When a response that is refused for its form tells against its server.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { makeBackend, openBoard, type TestBoard } from '../support/endpoints.ts'

function setUp(t: TestContext): { board: TestBoard; endpoint: Endpoint; failures: () => number } {
  const board = openBoard(t)
  const [endpoint] = board.endpoints(makeBackend({ a: 1 }))
  assert.ok(endpoint)
  return { board, endpoint, failures: () => board.shared('a', 'failureStreak') }
}

test('a server of which nothing is well any more is to blame after 30 s', (t) => {
  const { board, endpoint, failures } = setUp(t)
  endpoint.completed(200)
  endpoint.malformed(true, 1, false)

  board.now += 29_999
  endpoint.malformed(true, 1, false)
  const before = failures()
  board.now += 1
  endpoint.malformed(true, 1, false)
  endpoint.malformed(true, 1, false)

  assert.equal(before, 0)
  assert.equal(failures(), 2)
})

test('a whole response makes it well again', (t) => {
  const { board, endpoint, failures } = setUp(t)
  endpoint.malformed(true, 1, false)
  board.now += 60_000
  endpoint.malformed(true, 1, false)
  assert.equal(failures(), 1)

  endpoint.completed(200)
  endpoint.malformed(true, 1, false)
  endpoint.malformed(false, 1, false)

  assert.equal(failures(), 0)
})

test('one that has only ever brought something else than HTTP is to blame at once', (t) => {
  const { endpoint, failures } = setUp(t)

  endpoint.malformed(false, 1, false)
  endpoint.malformed(false, 1, false)

  assert.equal(failures(), 2)
})

test('what is refused while others are well counts for the success rate, and for no row', (t) => {
  const { board, endpoint, failures } = setUp(t)
  endpoint.responded(200, 1)
  endpoint.completed(200)

  endpoint.malformed(true, 1, false)
  endpoint.responded(200, 1)
  endpoint.malformed(true, 1, true)

  assert.equal(failures(), 0)
  assert.deepEqual([board.count('a', 'responses'), board.count('a', 'failed')], [1, 2])
})
