// needs: redis-server
/** A real cluster of three masters: with a hash tag everything is on one of them, without one it is read from all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import { createLayout } from '../support/layouts.ts'
import { createRedisProvider, openRedisKeyStore } from '../../src/providers/redis/redis-provider.ts'
import { frontendsOf, numbered, putFrontends } from './registry-suite.ts'
import { watchRegistry } from './registry-watch.ts'
import { choosePort } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import type { RedisServer } from '../support/redis.ts'
import { redisSource } from '../support/redis-source.ts'

const layout = createLayout('sluice', { sealKey: null })
const bounds = [0, 5461, 10923, 16384]
const value = JSON.stringify({ route: 'Host("x")', backend: 'b' })

async function startCluster(t: TestContext): Promise<readonly RedisServer[]> {
  const buses = await Promise.all([choosePort(), choosePort(), choosePort()])
  const servers = await Promise.all(
    buses.map((port) => {
      const args = ['--cluster-enabled', 'yes', '--cluster-port', String(port)]
      return startRedis(t, { args, appendOnly: false })
    }),
  )
  const [first] = servers
  for (const [at, server] of servers.entries()) {
    const [from = 0, to = 0] = bounds.slice(at)
    await server.command('CLUSTER', 'ADDSLOTSRANGE', from, to - 1)
    if (first !== undefined && server !== first) {
      await server.command('CLUSTER', 'MEET', '127.0.0.1', first.port, buses[0] ?? 0)
    }
  }
  for (const server of servers) {
    for (;;) {
      const info = String(await server.command('CLUSTER', 'INFO'))
      if (/cluster_state:ok[^]*cluster_slots_ok:16384[^]*cluster_known_nodes:3/.test(info)) break
      await passed(10)
    }
  }
  return servers
}

/** Wherever it belongs. */
async function command(servers: readonly RedisServer[], ...words: string[]): Promise<void> {
  const [name = '', ...args] = words
  for (const server of servers) {
    try {
      await server.command(name, ...args)
      return
    } catch (error) {
      if (!String(error).includes('MOVED')) throw error
    }
  }
  throw new Error(`no master has ${args[0]}`)
}

test('follows a prefix with a hash tag on the one master that has it', async (t) => {
  const servers = await startCluster(t)
  for (const prefix of ['{sluice}', '{other}', 'x{third}']) {
    const spec = redisSource([servers[0]?.endpoint ?? ''], { cluster: true, prefix })
    const keys = await openRedisKeyStore(spec)
    t.after(() => keys.close())
    await putFrontends(keys, numbered(50))
    const watch = watchRegistry(t, createRedisProvider(spec, layout))
    await watch.next()
    const listed = frontendsOf(watch.objects()).length

    await putFrontends(keys, ['late'])
    await watch.until((objects) => objects.has('frontend late'), 'the write through the log')
    await command(servers, 'SET', `${prefix}/frontends/plain/frontend`, value)
    await watch.until((objects) => objects.has('frontend plain'), 'the plain write')
    await keys.delete('frontends/late/frontend', {})
    await watch.until((objects) => !objects.has('frontend late'), 'the delete')

    assert.equal(listed, 50)
    assert.equal((await keys.list()).length, 51)
    await watch.stop()
  }
})

test('reads a prefix without a hash tag from all masters, and says why it cannot write there', async (t) => {
  const servers = await startCluster(t)
  const spec = redisSource(
    servers.map(({ endpoint }) => endpoint),
    { cluster: true },
  )
  for (const id of numbered(30)) {
    await command(servers, 'SET', `sluice/frontends/${id}/frontend`, value)
  }
  const watch = watchRegistry(t, createRedisProvider(spec, layout))
  await watch.next()
  const listed = frontendsOf(watch.objects()).length

  for (const id of numbered(30)) await command(servers, 'DEL', `sluice/frontends/${id}/frontend`)
  const { listed: reason } = await watch.until((objects) => objects.size === 0, 'all deletes')
  const keys = await openRedisKeyStore(spec)
  t.after(() => keys.close())
  await command(servers, 'SET', 'sluice/listeners/web', '{}')

  assert.equal(listed, 30)
  assert.equal(reason, null)
  assert.equal((await keys.get('listeners/web'))?.text, '{}')
  assert.deepEqual(
    (await keys.list()).map(({ path }) => path),
    ['listeners/web'],
  )
  await assert.rejects(keys.put('listeners/web', '{}', {}), /hash tag: "\{sluice\}"/)
})

test('throws when one master of the cluster is gone, whichever it is', async (t) => {
  const servers = await startCluster(t)
  const spec = redisSource(
    servers.map(({ endpoint }) => endpoint),
    { cluster: true },
  )
  const watch = watchRegistry(t, createRedisProvider(spec, layout))
  await watch.next()

  await servers[1]?.kill()

  await watch.lost(5_000)
  await assert.rejects(watchRegistry(t, createRedisProvider(spec, layout)).next())
})
