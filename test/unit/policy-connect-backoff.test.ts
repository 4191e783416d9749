import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffLeftMs, backoffUntil } from '../../src/policy/health/connect-backoff.ts'

test('a back-off doubles from 1 s to 30 s and then ends', () => {
  const lengths = [0, 1, 2, 3, 4, 5, 6, 100].map((failures) => {
    const now = 12_345
    return backoffLeftMs(backoffUntil(failures, now), now) / 1000
  })

  assert.deepEqual(lengths, [1, 2, 4, 8, 16, 30, 30, 30])
  assert.equal(backoffLeftMs(backoffUntil(0, 5_000), 6_000), 0)
  assert.equal(backoffLeftMs(0, 5_000), 0)
})

test('a back-off holds where its cell overflows, and one of long ago is over', () => {
  const late = 2 ** 31 * 100 - 500

  const cell = backoffUntil(0, late) | 0

  assert.equal(backoffLeftMs(cell, late + 300), 700)
  assert.equal(backoffLeftMs(cell, late + 1_000), 0)
  assert.equal(backoffLeftMs(cell, late + 1e9), 0)
})
