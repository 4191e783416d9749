// needs: etcd, redis-server
// What connects by itself, too, is resolved with the names of servers: registries, and the Redis of shared rates.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectClient } from '../support/client.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startEtcd } from '../support/etcd.ts'
import { startProgram, makeFolder } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { startNamed } from '../support/servers.ts'

test('registries and the Redis of shared rates are reached by names of the same resolver', async (t) => {
  const [etcd, redis] = await Promise.all([startEtcd(t), startRedis(t)])
  const origin = await startNamed(t, 'origin')
  const addresses = ['127.0.0.1']
  const dns = await startDnsServer(t, {
    'etcd.test': { addresses },
    'redis.test': { addresses },
    'rates.test': { addresses },
  })
  const endpointOf = (name: string, endpoint: string): string => endpoint.replace('127.0.0.1', name)

  const program = await startProgram(t, {
    workers: 1,
    data: makeFolder(t),
    resolver: { servers: [dns.address], search: [] },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: {
      a: {
        route: 'Host("a.test")',
        backend: 'b',
        ratelimit: {
          requests: 2,
          period: '1h',
          redis: { url: `redis://rates.test:${redis.port}`, timeout: '900ms', onFailure: 'deny' },
        },
      },
    },
    sources: {
      etcd: { endpoints: [endpointOf('etcd.test', etcd.endpoint)] },
      redis: { endpoints: [endpointOf('redis.test', `127.0.0.1:${redis.port}`)] },
    },
  })

  const client = await connectClient(program.port)
  t.after(() => client.socket.destroy())
  const statuses: number[] = []
  for (let times = 0; times < 3; times++) {
    statuses.push((await client.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')).status)
  }
  assert.deepEqual(statuses, [200, 200, 429])
  const { text } = await program.ask('/api/providers')
  const states = (JSON.parse(text) as readonly { name: string; state: string }[]).map(
    ({ name, state }) => `${name} ${state}`,
  )
  assert.ok(states.includes('etcd live') && states.includes('redis live'), states.join())
  for (const name of ['etcd.test', 'redis.test', 'rates.test']) {
    assert.ok(dns.questions.includes(`a ${name}`), name)
  }
})

test('a registry whose name does not exist is reported, and is live once it does', async (t) => {
  const [etcd, redis] = await Promise.all([startEtcd(t), startRedis(t)])
  const dns = await startDnsServer(t)
  const program = await startProgram(t, {
    workers: 0,
    data: makeFolder(t),
    start: '1s',
    resolver: { servers: [dns.address], search: [] },
    listeners: { web: { address: '127.0.0.1:0' } },
    sources: {
      etcd: { endpoints: [etcd.endpoint.replace('127.0.0.1', 'etcd.test')] },
      redis: { endpoints: [`redis.test:${redis.port}`] },
    },
  })
  for (const name of ['etcd.test', 'redis.test']) {
    await program.until(
      () => program.output().includes(`${name} cannot be resolved: the name does not exist`),
      `why ${name} is not reached`,
    )
  }

  for (const name of ['etcd.test', 'redis.test']) dns.set(name, { addresses: ['127.0.0.1'] })

  for (;;) {
    const { text } = await program.ask('/api/providers')
    const sources = JSON.parse(text) as readonly { kind: string; state: string }[]
    const live = sources.filter(({ state }) => state === 'live')
    if (live.length === 3) break
  }
})
