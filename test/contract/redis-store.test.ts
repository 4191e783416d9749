// needs: redis-server
/** Compare-and-set against the stored value, also of other writers; and how readers learn of a write. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openRedisKeyStore } from '../../src/providers/redis/redis-provider.ts'
import { type KeyStore, StoreConflict } from '../../src/providers/store.ts'
import { startRedis } from '../support/redis.ts'
import type { RedisServer } from '../support/redis.ts'
import { redisSource } from '../support/redis-source.ts'
import { eventually } from '../support/until.ts'

const path = 'listeners/web'
const key = `sluice/${path}`

async function open(t: TestContext): Promise<{ server: RedisServer; keys: KeyStore }> {
  const server = await startRedis(t)
  const keys = await openRedisKeyStore(redisSource([server.endpoint]))
  t.after(() => keys.close())
  return { server, keys }
}

async function conflicts(attempt: Promise<unknown>, found: RegExp): Promise<void> {
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof StoreConflict)
    assert.match(error.message, found)
    return true
  })
}

test('compares with what others have set meanwhile', async (t) => {
  const { server, keys } = await open(t)
  const expected = await keys.put(path, '1', {})

  await server.command('SET', key, '2')
  await conflicts(keys.put(path, '3', { expected }), /expected revision .*, but it is at revision/)
  const now = await keys.get(path)
  await keys.put(path, '3', { expected: now?.revision ?? '' })

  assert.equal(now?.text, '2')
  assert.equal((await keys.get(path))?.text, '3')
})

test('takes what has expired for what is not there', async (t) => {
  const { server, keys } = await open(t)
  const expected = await keys.put(path, '1', { ttlMs: 20 })
  await conflicts(keys.put(path, '2', { expected: null }), /expected nothing there/)
  const before = performance.now()
  await eventually(() => performance.now() - before > 25, 'the end of the time to live')

  await conflicts(keys.put(path, '2', { expected }), /but it is not there/)
  await conflicts(keys.delete(path, { expected }), /but it is not there/)
  await keys.put(path, '2', { expected: null })

  assert.equal(await server.command('GET', key), '2')
})

test('compares with what is no string as with something else', async (t) => {
  const { server, keys } = await open(t)
  await server.command('RPUSH', key, '1')

  await conflicts(keys.put(path, '2', { expected: null }), /it is at revision list/)
  await assert.rejects(keys.get(path), /cannot read sluice\/listeners\/web: it is a list/)
  await keys.put(path, '2', {})

  assert.equal((await keys.get(path))?.text, '2')
})

test('appends each write that changed something to the log, numbered', async (t) => {
  const { server, keys } = await open(t)

  const expected = await keys.put(path, '1', {})
  await keys.put(path, '2', { expected: 'other' }).catch(() => {})
  await keys.delete('listeners/none', {})
  await keys.delete(path, { expected })

  assert.deepEqual(await readLog(server), [
    ['rev', '1', 'op', 'set', 'k', path],
    ['rev', '2', 'op', 'del', 'k', path],
  ])
  assert.equal(await server.command('GET', 'sluice:rev'), '2')
})

test('goes on with a server that was away, and one that has forgotten the script', async (t) => {
  const { server, keys } = await open(t)
  await keys.put(path, '1', {})
  await server.command('SCRIPT', 'FLUSH')
  await keys.put(path, '2', {})
  await server.kill()

  await assert.rejects(keys.put(path, '3', {}), /cannot (?:put sluice|reach Redis)/)
  await server.start()

  assert.equal((await keys.get(path))?.text, '2')
  await keys.put(path, '3', {})
})

test('refuses what no reader would take', async (t) => {
  const { server, keys } = await open(t)

  await assert.rejects(keys.put(path, 'x'.repeat((1 << 20) + 1), {}), /longer than 1 MiB/)

  assert.equal(await server.command('EXISTS', key), 0)
})

async function readLog(server: RedisServer): Promise<readonly unknown[]> {
  const entries = await server.command('XRANGE', 'sluice:log', '-', '+')
  assert.ok(Array.isArray(entries))
  return entries.map((entry: unknown) => (Array.isArray(entry) ? (entry[1] as unknown) : null))
}
