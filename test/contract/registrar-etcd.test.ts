// needs: etcd
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { startEtcd, type Etcd } from '../support/etcd.ts'
import { openTestRegistrar, registration } from '../support/registrars.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { testRegistrar, TTL_MS, type RegistryOfRegistrar } from './registrar-suite.ts'

testRegistrar('etcd', open, { tickMs: 500 })

async function open(t: TestContext): Promise<RegistryOfRegistrar> {
  const server = await startEtcd(t)
  const proxy = await startTcpProxy(t, server.port)
  const written = (endpoint: string): RegistryOfRegistrar['written'] => ({
    ...{ kind: 'etcd', endpoints: [endpoint], ttl: `${TTL_MS}ms` },
  })
  return {
    written: written(server.endpoint),
    proxied: written(proxy.address),
    ...{ proxy, server },
    async ports(service) {
      const keys = await keysOf(server, `/sluice/backends/${service}/servers/`)
      return keys.map(({ value }) => portOf(value)).sort((a, b) => a - b)
    },
    remove: (service, id) => server.del(`/sluice/backends/${service}/servers/${id}`),
  }
}

interface Key {
  readonly key: string
  readonly value: string
  readonly lease: string
}

/** Over its JSON gateway, which shares no code with ours. */
async function keysOf(server: Etcd, prefix: string): Promise<readonly Key[]> {
  const end = Buffer.from(prefix)
  end[end.length - 1] = (end.at(-1) ?? 0) + 1
  const key = Buffer.from(prefix).toString('base64')
  const body = { key, range_end: end.toString('base64') }
  const { kvs = [] } = (await server.call('/v3/kv/range', body)) as { kvs?: readonly Key[] }
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString()
  return kvs.map((one) => ({ ...one, key: text(one.key), value: text(one.value) }))
}

function portOf(value: string): number {
  const { url = '' } = JSON.parse(value) as { url?: string }
  return Number(new URL(url).port)
}

test('etcd has each layout as its readers expect it, with all keys of a registrar under one lease', async (t) => {
  const server = await startEtcd(t)
  for (const layout of ['sluice', 'nerve', 'vulcand', 'registrator']) {
    const written = { kind: 'etcd', endpoints: server.endpoint, layout, prefix: `/${layout}` }
    const { registrar, states, until } = await openTestRegistrar(t, written)
    registrar.put(registration())
    registrar.put(registration({ id: 'two', host: '::1' }))
    await until(() => states.length === 2, 'both are registered')
  }

  const keys = await keysOf(server, '/')

  assert.deepEqual(
    keys.map(({ key, value }) => [key, value]),
    [
      ['/nerve/web/one', '{"host":"127.0.0.1","port":8080,"name":"one"}'],
      ['/nerve/web/two', '{"host":"::1","port":8080,"name":"two"}'],
      ['/registrator/web/one', '127.0.0.1:8080'],
      ['/registrator/web/two', '[::1]:8080'],
      ['/sluice/backends/web/servers/one', '{"url":"http://127.0.0.1:8080"}'],
      ['/sluice/backends/web/servers/two', '{"url":"http://[::1]:8080"}'],
      ['/vulcand/backends/web/servers/one', '{"URL":"http://127.0.0.1:8080"}'],
      ['/vulcand/backends/web/servers/two', '{"URL":"http://[::1]:8080"}'],
    ],
  )
  assert.equal(new Set(keys.map(({ lease }) => lease)).size, 4)
})

function b64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** root, pw, and the user agent, secret, who may write the servers of these backends. */
async function enableUsers(server: Etcd, ...backends: readonly string[]): Promise<void> {
  await server.call('/v3/auth/user/add', { name: 'root', password: 'pw' })
  await server.call('/v3/auth/role/add', { name: 'root' })
  await server.call('/v3/auth/user/grant', { user: 'root', role: 'root' })
  await server.call('/v3/auth/user/add', { name: 'agent', password: 'secret' })
  await server.call('/v3/auth/role/add', { name: 'agent' })
  for (const backend of backends) {
    const perm = { permType: 'READWRITE', ...rangeOf(backend) }
    await server.call('/v3/auth/role/grant', { name: 'agent', perm })
  }
  await server.call('/v3/auth/user/grant', { user: 'agent', role: 'agent' })
  await server.call('/v3/auth/enable', {})
}

function rangeOf(backend: string): { readonly key: string; readonly range_end: string } {
  return {
    key: b64(`/sluice/backends/${backend}/`),
    range_end: b64(`/sluice/backends/${backend}0`),
  }
}

test('etcd with users and TLS takes a login, and reports a key that the user may not write', async (t) => {
  const authority = createAuthority(t)
  const leaf = authority.issue('127.0.0.1')
  const server = await startEtcd(t, { tls: { cert: leaf.certPath, key: leaf.keyPath } })
  await enableUsers(server, 'web')
  const written = {
    ...{ kind: 'etcd', endpoints: `https://${server.endpoint}`, tls: { ca: authority.certPath } },
    username: 'agent',
  }

  const wrong = await openTestRegistrar(t, { ...written, password: 'guess' })
  const isRefused = (): boolean => wrong.links.some((one) => one.status === 'down' && one.isRefused)
  await wrong.until(isRefused, 'the login is refused')
  const right = await openTestRegistrar(t, { ...written, password: 'secret' })
  right.registrar.put(registration())
  await right.is('registered')
  right.registrar.put(registration({ service: 'other' }))
  await right.is('missing')
  const { token } = await server.call('/v3/auth/authenticate', { name: 'root', password: 'pw' })
  const key = b64('/sluice/backends/web/servers/one')
  const { count } = await server.call('/v3/kv/range', { key }, String(token))

  assert.match(JSON.stringify(wrong.links), /cannot log in as ."agent/)
  assert.doesNotMatch(JSON.stringify(wrong.links), /guess/)
  assert.equal(count, '1')
  assert.match(JSON.stringify(right.states.at(-1)), /permission denied/)
})

test('etcd takes other keys while the user may not use one any more, and what is left is reported', async (t) => {
  const server = await startEtcd(t)
  await enableUsers(server, 'web', 'api')
  const login = { username: 'agent', password: 'secret' }
  const { registrar, states, links, until } = await openTestRegistrar(t, {
    ...{ kind: 'etcd', endpoints: server.endpoint, ttl: '2s', ...login },
  })
  registrar.put(registration())
  registrar.put(registration({ service: 'api' }))
  await until(() => states.length === 2, 'both are registered')

  const { token } = await server.call('/v3/auth/authenticate', { name: 'root', password: 'pw' })
  await server.call('/v3/auth/role/revoke', { role: 'agent', ...rangeOf('api') }, String(token))
  await until(() => states.length === 3, 'one is refused')
  registrar.put(registration({ id: 'two' }))
  await until(() => states.length === 4, 'another one is registered')

  assert.match(JSON.stringify(states[2]), /permission denied.*"isRefused":true/)
  assert.equal(states[3]?.status, 'registered')
  assert.deepEqual(links, [{ status: 'up' }])
  await assert.rejects(registrar.remove({ service: 'api', id: 'one' }), /permission denied/)
  await assert.rejects(registrar.close(), /permission denied/)
})

test('etcd without space takes nothing new, and keeps what is registered', async (t) => {
  const server = await startEtcd(t)
  const written = { kind: 'etcd', endpoints: server.endpoint, ttl: '2s' }
  const { registrar, states, links, until } = await openTestRegistrar(t, written)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  await server.call('/v3/maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' })
  registrar.put(registration({ id: 'two' }))
  await until(() => states.length === 2, 'the other is refused')
  const since = performance.now()
  await eventually(() => performance.now() - since > 3_000, 'time passes')
  const keys = await keysOf(server, '/sluice/')

  assert.match(JSON.stringify(states[1]), /space exceeded.*"isRefused":true/)
  assert.deepEqual(
    keys.map(({ key }) => key),
    ['/sluice/backends/web/servers/one'],
  )
  assert.deepEqual([states.length, links], [2, [{ status: 'up' }]])
})
