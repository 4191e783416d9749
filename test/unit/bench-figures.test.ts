// The bench warms a contender up until two figures agree.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agree } from '../../bench/figures.ts'

test('two figures agree within 3 %, whichever is the larger', () => {
  assert.equal(agree(100, 103), true)
  assert.equal(agree(103, 100), true)
  assert.equal(agree(100, 104), false)
  assert.equal(agree(104, 100), false)
})

test('a first figure agrees with nothing before it', () => {
  assert.equal(agree(NaN, 100), false)
})
