// needs: redis-server
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startRedis, type RedisServer } from '../support/redis.ts'
import { openTestRegistrar, registration } from '../support/registrars.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { testRegistrar, TTL_MS, type RegistryOfRegistrar } from './registrar-suite.ts'

testRegistrar('redis', open)

async function open(t: TestContext): Promise<RegistryOfRegistrar> {
  const server = await startRedis(t, { appendOnly: false })
  const proxy = await startTcpProxy(t, server.port)
  const written = { kind: 'redis', ttl: `${TTL_MS}ms` }
  return {
    written: { ...written, url: `redis://${server.endpoint}` },
    proxied: { ...written, endpoints: [proxy.address] },
    ...{ proxy, server },
    async ports(service) {
      const keys = await keysOf(server, `/sluice/backends/${service}/servers/*`)
      const urls = [...keys.values()].map((value) => (JSON.parse(value) as { url: string }).url)
      return urls.map((url) => Number(new URL(url).port)).sort((a, b) => a - b)
    },
    remove: (service, id) => server.command('DEL', `/sluice/backends/${service}/servers/${id}`),
  }
}

async function keysOf(server: RedisServer, pattern: string): Promise<ReadonlyMap<string, string>> {
  const keys = (await server.command('KEYS', pattern)) as readonly string[]
  const found = new Map<string, string>()
  for (const key of keys) {
    const value = await server.command('GET', key)
    // It may have expired just now.
    if (typeof value === 'string') found.set(key, value)
  }
  return found
}

test('redis logs registrations and removals for readers, and no renewals', async (t) => {
  const server = await startRedis(t, { password: 'secret' })
  const written = { kind: 'redis', url: `redis://:secret@${server.endpoint}/2`, ttl: '1s' }
  const command = async (...words: readonly [string, ...string[]]): Promise<unknown> => {
    await server.command('SELECT', 2)
    return server.command(...words)
  }
  const { registrar, is } = await openTestRegistrar(t, { ...written, prefix: 'team' })
  const since = performance.now()
  registrar.put(registration())
  await is('registered')

  await eventually(() => performance.now() - since > 2_500, 'time passes')
  const ttl = Number(await command('PTTL', 'team/backends/web/servers/one'))
  await registrar.remove(registration())
  const log = JSON.stringify(await command('XRANGE', 'team:log', '-', '+'))
  const left = await command('KEYS', 'team*')

  assert.ok(ttl > 200, `${ttl} ms are left`)
  const path = 'backends/web/servers/one'
  assert.ok(log.includes(JSON.stringify(['rev', '1', 'op', 'set', 'k', path])), log)
  assert.ok(log.includes(JSON.stringify(['rev', '2', 'op', 'del', 'k', path])), log)
  assert.equal((JSON.parse(log) as readonly unknown[]).length, 2)
  assert.deepEqual((left as string[]).sort(), ['team:log', 'team:rev'])
})

test('redis does not renew a key that somebody has overwritten', async (t) => {
  const server = await startRedis(t)
  const written = { kind: 'redis', url: `redis://${server.endpoint}`, ttl: '1s' }
  const { registrar, is } = await openTestRegistrar(t, written)
  registrar.put(registration())
  await is('registered')

  await server.command('SET', '/sluice/backends/web/servers/one', '"http://10.0.0.9:80"')
  await is('replaced')
  await registrar.close()

  const value = await server.command('GET', '/sluice/backends/web/servers/one')
  assert.equal(value, '"http://10.0.0.9:80"')
})

test('redis without memory takes nothing new, and keeps what is registered', async (t) => {
  const server = await startRedis(t)
  const written = { kind: 'redis', url: `redis://${server.endpoint}`, ttl: '1s' }
  const { registrar, states, links, until } = await openTestRegistrar(t, written)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  await server.command('CONFIG', 'SET', 'maxmemory', '1')
  registrar.put(registration({ id: 'two' }))
  await until(() => states.length === 2, 'the other is refused')
  const since = performance.now()
  await eventually(() => performance.now() - since > 2_000, 'time passes')

  assert.match(JSON.stringify(states[1]), /"missing".*OOM.*"isRefused":true/)
  assert.notEqual(await server.command('GET', '/sluice/backends/web/servers/one'), null)
  assert.deepEqual([states.length, links], [2, [{ status: 'up' }]])
})

test('redis renews the others of a user who may not write one key any more', async (t) => {
  const server = await startRedis(t)
  const allow = (...keys: readonly string[]): Promise<unknown> =>
    server.command(
      ...(['ACL', 'SETUSER', 'agent', 'on', '>pw', '+@all', 'resetkeys'] as const),
      ...keys.map((key) => `~${key}`),
    )
  await allow('/sluice*')
  const url = `redis://agent:pw@${server.endpoint}`
  const { registrar, states, links, until } = await openTestRegistrar(t, {
    ...{ kind: 'redis', url, ttl: '1s' },
  })
  registrar.put(registration())
  registrar.put(registration({ service: 'api' }))
  await until(() => states.length === 2, 'both are registered')

  await allow('/sluice/backends/web/*', '/sluice:*')
  await until(() => states.length === 3, 'one is refused')
  const since = performance.now()
  await eventually(() => performance.now() - since > 2_000, 'time passes')

  assert.match(JSON.stringify(states[2]), /NOPERM.*"isRefused":true/)
  assert.notEqual(await server.command('GET', '/sluice/backends/web/servers/one'), null)
  assert.deepEqual([states.length, links], [3, [{ status: 'up' }]])
})
