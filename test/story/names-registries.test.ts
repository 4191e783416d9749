// needs: etcd, redis-server, zookeeper
// What connects by itself, too, is resolved with the names of servers: registries, and the Redis of shared rates.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connectClient } from '../support/client.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startEtcd } from '../support/etcd.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, makeFolder } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'
import { startZookeeper } from '../support/zookeeper.ts'

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
          redis: { url: `redis://rates.test:${redis.port}`, timeout: '10s', onFailure: 'deny' },
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
  const servers = [startEtcd(t), startRedis(t), startZookeeper(t)] as const
  const [etcd, redis, zookeeper] = await Promise.all(servers)
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
      zookeeper: { endpoints: [`zookeeper.test:${zookeeper.port}`] },
    },
  })
  const names = ['etcd.test', 'redis.test', 'zookeeper.test']
  for (const name of names) {
    await program.until(
      () => program.output().includes(`${name} cannot be resolved: the name does not exist`),
      `why ${name} is not reached`,
    )
  }

  for (const name of names) dns.set(name, { addresses: ['127.0.0.1'] })

  for (;;) {
    const { text } = await program.ask('/api/providers')
    const sources = JSON.parse(text) as readonly { kind: string; state: string }[]
    const live = sources.filter(({ state }) => state === 'live')
    if (live.length === 4) break
  }
})

const HERE = '127.0.0.1'
const THERE = '127.0.0.2'

test('what has moved to another address is followed: a server, its probes, registries, the Redis of shared rates', async (t) => {
  const [etcd, redis, origin] = await Promise.all([startEtcd(t), startRedis(t), startNamed(t, 'o')])
  const moved = {
    server: origin.port,
    etcd: Number(etcd.endpoint.split(':')[1]),
    redis: redis.port,
  }
  const dns = await startDnsServer(t)
  dns.setAll({ addresses: [HERE], ttl: 1 })
  const here = await forwardAll(t, HERE, moved)
  const [server, ofEtcd, ofRedis] = [here.ports.server, here.ports.etcd, here.ports.redis]
  const there = await forwardAll(t, THERE, moved, here.ports)
  const program = await startProgram(t, {
    workers: 1,
    data: makeFolder(t),
    resolver: { servers: [dns.address], search: [] },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        servers: { s: `http://server.test:${server}` },
        health: { kind: 'tcp', interval: '100ms', rise: 1 },
      },
    },
    frontends: {
      a: {
        route: 'Host("a.test")',
        backend: 'b',
        ratelimit: {
          requests: 1000,
          period: '1h',
          redis: { url: `redis://rates.test:${ofRedis}`, onFailure: 'deny' },
        },
      },
    },
    sources: {
      etcd: { endpoints: [`etcd.test:${ofEtcd}`] },
      redis: { endpoints: [`redis.test:${ofRedis}`] },
    },
  })
  const client = await connectClient(program.port)
  t.after(() => client.socket.destroy())
  const status = async (): Promise<number> =>
    (await client.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')).status
  await eventually(async () => (await status()) === 200, 'it serves')

  dns.setAll({ addresses: [THERE], ttl: 1 })
  await here.close()

  await eventually(async () => (await status()) === 200, 'it serves again')
  const areLive = async (): Promise<boolean> => {
    const { text } = await program.ask('/api/providers')
    const sources = JSON.parse(text) as readonly { name: string; state: string }[]
    return sources.every(({ state }) => state === 'live')
  }
  await eventually(areLive, 'the sources are live again')
  for (const [name, count] of Object.entries(there.connections)) assert.ok(count > 0, name)
})

interface Forwarders {
  readonly ports: Readonly<Record<string, number>>
  /** How many there were, by name. */
  readonly connections: Readonly<Record<string, number>>
  close(): Promise<void>
}

/** Passes connections to an address of this machine on to ports of 127.0.0.1. `ports`: those to listen on, by name. */
async function forwardAll(
  t: TestContext,
  host: string,
  targets: Readonly<Record<string, number>>,
  ports: Readonly<Record<string, number>> = {},
): Promise<Forwarders> {
  const sockets = new Set<Socket>()
  const servers: Server[] = []
  const bound: Record<string, number> = {}
  const connections: Record<string, number> = {}
  for (const [name, target] of Object.entries(targets)) {
    connections[name] = 0
    const server = createServer((client) => {
      connections[name] = (connections[name] ?? 0) + 1
      const upstream = connect(target, HERE)
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(socket)
        socket.pipe(other)
        socket.on('error', () => other.destroy())
        socket.on('close', () => other.destroy())
      }
    })
    const port = ports[name] ?? (await choosePort())
    server.listen(port, host)
    await once(server, 'listening')
    bound[name] = port
    servers.push(server)
  }
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await Promise.all(servers.map(async (server) => server.listening && stop(server)))
  }
  t.after(close)
  return { ports: bound, connections, close }
}

function stop(server: Server): Promise<unknown> {
  return new Promise((done) => server.close(done))
}
