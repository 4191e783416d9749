import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slowStartShare } from '../../src/policy/health/pool-eligibility.ts'

test('a server begins with a tenth of its share and grows in a line', () => {
  assert.equal(slowStartShare(0, 10_000), 0.1)
  assert.equal(slowStartShare(5_000, 10_000), 0.55)
  assert.equal(slowStartShare(10_000, 10_000), 1)
  assert.equal(slowStartShare(1e9, 10_000), 1)
})

test('without slow start it has the whole at once', () => {
  assert.equal(slowStartShare(0, 0), 1)
})

test('a time before it came is its beginning', () => {
  assert.equal(slowStartShare(-5, 10_000), 0.1)
})
