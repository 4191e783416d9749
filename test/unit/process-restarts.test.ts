import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRestarts } from '../../src/process/restarts.ts'

test('a thread that dies after each first part of the table waits longer each time', () => {
  const restarts = createRestarts()
  let now = 0

  const pauses = Array.from({ length: 8 }, () => {
    restarts.serves(0, (now += 10))
    restarts.serves(0, (now += 10))
    return restarts.died(0, (now += 10))
  })

  assert.deepEqual(pauses, [0, 400, 800, 1600, 3200, 5000, 5000, 5000])
})

test('one that never served waits as long, however long its start took', () => {
  const restarts = createRestarts()

  assert.deepEqual(
    [9_000, 18_000, 27_000].map((now) => restarts.died(0, now)),
    [0, 400, 800],
  )
})

test('one that served for a while begins anew, and others are not held against it', () => {
  const restarts = createRestarts()
  restarts.died(0, 0)
  restarts.died(0, 0)

  restarts.serves(0, 1_000)

  assert.equal(restarts.died(1, 2_000), 0)
  assert.equal(restarts.died(0, 6_000), 0)
  assert.equal(restarts.died(0, 6_100), 0)
  assert.equal(restarts.died(0, 6_200), 400)
})
