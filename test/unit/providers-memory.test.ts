import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createStoreMemory } from '../../src/providers/embedded/memory.ts'
import { createMarks } from '../../src/providers/redis/marks.ts'

test('a memory that is none of the own kind is ignored', () => {
  const hostile = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom(
      '{"id":5,"revision":1}',
      '{"id":"a","revision":"1"}',
      '{"rev":1,"id":"x","runs":{}}',
      '{"rev":1,"id":"1-1","runs":null}',
    ),
  )
  fc.assert(
    fc.property(hostile, (text) => {
      const [store, marks] = [createStoreMemory(), createMarks()]
      store.recall(text)
      marks.recall(text)

      assert.equal(store.isAhead('a', 0), false)
      assert.equal(store.text, '')
      assert.equal(marks.text, '')
    }),
  )
})

test('a memory is recalled as it was told', () => {
  const [store, again] = [createStoreMemory(), createStoreMemory()]
  store.take('a', 7)
  again.recall(store.text)
  const marks = createMarks()
  const told = { rev: 4, id: '1526919030474-55', runs: { '10.0.0.1:6379': 'ab' } }
  marks.recall(JSON.stringify(told))

  assert.equal(again.isAhead('a', 7), false)
  assert.equal(again.isAhead('a', 6), true)
  assert.equal(again.isAhead('b', 9), true)
  assert.deepEqual(JSON.parse(marks.text), told)
})
