// needs: redis-server
// As policy-examples.test.ts: ratelimit-redis.yaml, by two instances that share a rate, with Redis and without.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { from } from '../support/example.ts'
import { startRedis } from '../support/redis.ts'
import { openStage } from '../support/stage.ts'

test('ratelimit-redis.yaml: two instances keep one rate, and each its own while Redis is away', async (t) => {
  const redis = await startRedis(t, { appendOnly: false })
  const ports = new Map([[6379, redis.port]])
  const [one, other] = await Promise.all([openStage(t, ports), openStage(t, ports)])
  const [here, there] = await Promise.all([
    one.put(t, 'ratelimit-redis'),
    other.put(t, 'ratelimit-redis'),
  ])

  const responses = [...(await here.many(2)), ...(await there.many(3))]
  const statuses = responses.map(({ status }) => status)
  await redis.kill()
  const alone = await here.many(5)

  assert.deepEqual(statuses, [200, 200, 200, 200, 429])
  assert.deepEqual(alone.slice(0, 4).map(from), ['5001', '5001', '5001', '5001'])
  assert.equal(alone[4]?.status, 429, 'it counts by itself')
})
