import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createSeenIndexes } from '../../src/providers/consul/seen-indexes.ts'
import { createStoreRollbackDetector } from '../../src/providers/embedded/rollback.ts'
import { createRollbackDetector } from '../../src/providers/redis/rollback.ts'

test('ignores a checkpoint of another kind', () => {
  const hostile = fc.oneof(
    fc.string(),
    // A map of digits is a checkpoint of Consul.
    fc.json().filter((text) => !/"\d{1,19}"/.test(text)),
    fc.constantFrom(
      '{"id":5,"revision":1}',
      '{"id":"a","revision":"1"}',
      '{"rev":1,"id":"x","runs":{}}',
      '{"rev":1,"id":"1-1","runs":null}',
      '{"":5}',
      '{"":"-5"}',
    ),
  )
  fc.assert(
    fc.property(hostile, (text) => {
      const [store, redis] = [createStoreRollbackDetector(), createRollbackDetector()]
      const consul = createSeenIndexes()
      store.restore(text)
      redis.restore(text)
      consul.restore(text)

      assert.equal(store.isAhead('a', 0), false)
      assert.equal(store.checkpoint, '')
      assert.equal(redis.checkpoint, '')
      assert.equal(consul.of(null).isAhead(0n), false)
    }),
  )
})

test('restores a checkpoint as it was written', () => {
  const [store, again] = [createStoreRollbackDetector(), createStoreRollbackDetector()]
  store.record('a', 7)
  again.restore(store.checkpoint)
  const redis = createRollbackDetector()
  const written = { rev: 4, id: '1526919030474-55', runs: { '10.0.0.1:6379': 'ab' } }
  redis.restore(JSON.stringify(written))

  const [consul, later] = [createSeenIndexes(), createSeenIndexes()]
  consul.of(null).record(7n)
  consul.of('other').record(2n ** 63n - 1n)
  later.restore(consul.checkpoint)

  assert.equal(later.of(null).isAhead(7n), false)
  assert.equal(later.of(null).isAhead(6n), true)
  assert.equal(later.of('other').isAhead(2n ** 63n - 2n), true)
  assert.equal(again.isAhead('a', 7), false)
  assert.equal(again.isAhead('a', 6), true)
  assert.equal(again.isAhead('b', 9), true)
  assert.deepEqual(JSON.parse(redis.checkpoint), written)
})
