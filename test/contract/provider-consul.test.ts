// needs: consul
/** The catalogue of a real Consul against what control relies on from every provider, and what users of Consul rely on. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { createConsulProvider } from '../../src/providers/consul/consul-provider.ts'
import type { ConsulSource } from '../../src/providers/consul/source.ts'
import { consulSource } from '../support/consul-source.ts'
import { startConsul, type Consul, type ConsulService } from '../support/consul.ts'
import {
  startHttpFaultProxy,
  type Fault,
  type HttpFaultProxy,
} from '../support/http-fault-proxy.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { testProvider, type Routes } from './provider-suite.ts'
import { watchRegistry, type Objects, type RegistryWatch } from './registry-watch.ts'

const shared = await startConsul({ after })

testProvider('Consul', async (t) => {
  const server = await emptied()
  const proxy = await startTcpProxy(t, server.port)
  return {
    provider: createConsulProvider(consulSource([proxy.address])),
    async write(routes) {
      await proxy.pass()
      await declareRoutes(server, routes)
    },
    spoil: () => Promise.resolve(proxy.blackhole()),
    remove: () => proxy.refuse(),
  }
})

async function declareRoutes(server: Consul, routes: Routes): Promise<void> {
  const { text } = await server.call('GET', '/v1/agent/services')
  const known = Object.keys(JSON.parse(text) as object)
  for (const id of known) if (!(id in routes)) await server.deregister(id)
  for (const [name, rule] of Object.entries(routes)) {
    const Tags = ['sluice.enable=true', `sluice.rule=${rule}`]
    await server.register({ Name: name, Port: 80, Tags })
  }
}

test('each instance is a server, with the address of its node if it has none, and its weight', async (t) => {
  const { server, watch } = await watchCatalogue(t)

  await server.register(web('web-1', { Port: 81, Weights: { Passing: 5, Warning: 2 } }))
  await server.register(web('web-2', { Port: 82, Address: '10.0.0.2' }))
  await server.register(web('web-3', { Port: 83, Address: 'fd00::3' }))
  await watch.until((objects) => serversOf(objects).length === 3, 'three servers')

  assert.deepEqual(serversOf(watch.objects()), [
    'web/n1:web-1 http://127.0.0.1:81 5',
    'web/n1:web-2 http://10.0.0.2:82 1',
    'web/n1:web-3 http://[fd00::3]:83 1',
  ])
  assert.deepEqual(watch.objects().get('frontend web')?.value, {
    route: 'Host("web.test")',
    backend: 'web',
  })
})

test('metadata is read as tags are, with underscores for dots; a tag is preferred', async (t) => {
  const { server, watch } = await watchCatalogue(t)

  await server.register({
    Name: 'web',
    Port: 80,
    Tags: ['sluice.enable=true', 'sluice.host=tag.test'],
    Meta: { sluice_host: 'meta.test', sluice_balance: 'random', other: 'x' },
  })
  await watch.until((objects) => objects.has('frontend web'), 'the service')

  const { value: frontend } = watch.objects().get('frontend web') ?? {}
  assert.deepEqual(frontend, { route: 'Host("tag.test")', backend: 'web' })
  assert.deepEqual(watch.objects().get('backend web')?.value, { balance: 'random' })
})

test('an instance gets requests while it passes or warns, with the weight of that, and not in maintenance', async (t) => {
  const { server, watch } = await watchCatalogue(t)
  const Weights = { Passing: 4, Warning: 2 }
  await server.register(web('web-1', { Weights, Check: { TTL: '10m', Status: 'passing' } }))
  const untilServers = (servers: readonly string[]): Promise<unknown> =>
    watch.until((objects) => String(serversOf(objects)) === String(servers), `${servers}`)
  await untilServers(['web/n1:web-1 http://127.0.0.1:80 4'])

  await server.setCheck('service:web-1', 'warning')
  await untilServers(['web/n1:web-1 http://127.0.0.1:80 2'])
  await server.setCheck('service:web-1', 'critical')
  await untilServers([])
  const withoutServers = [...watch.objects().keys()].sort()
  await server.setCheck('service:web-1', 'passing')
  await untilServers(['web/n1:web-1 http://127.0.0.1:80 4'])
  await server.call('PUT', '/v1/agent/service/maintenance/web-1?enable=true')
  await untilServers([])
  await server.call('PUT', '/v1/agent/service/maintenance/web-1?enable=false')
  await untilServers(['web/n1:web-1 http://127.0.0.1:80 4'])
  await server.call('PUT', '/v1/agent/maintenance?enable=true')
  await untilServers([])

  assert.deepEqual(withoutServers, ['backend web', 'frontend web'])
})

test('strictChecks says in which status an instance gets requests', async (t) => {
  const { server, watch } = await watchCatalogue(t, { strictChecks: ['passing'] })
  await server.register(web('web-1', { Check: { TTL: '10m', Status: 'warning' } }))
  await server.register(web('web-2', { Check: { TTL: '10m', Status: 'passing' } }))

  await watch.until((objects) => serversOf(objects).length > 0, 'a server')

  assert.deepEqual(serversOf(watch.objects()), ['web/n1:web-2 http://127.0.0.1:80 1'])
})

test('a service of the same id on another node is a server of its own', async (t) => {
  const { server, watch } = await watchCatalogue(t)
  await server.register(web('web-1'))

  await server.call('PUT', '/v1/catalog/register', {
    Node: 'other',
    Address: '10.0.0.9',
    Service: { ID: 'web-1', Service: 'web', Port: 90, Tags: TAGS },
  })
  await watch.until((objects) => serversOf(objects).length === 2, 'two servers')

  assert.deepEqual(serversOf(watch.objects()), [
    'web/n1:web-1 http://127.0.0.1:80 1',
    'web/other:web-1 http://10.0.0.9:90 1',
  ])
})

test('only services with tags of ours are read, and no sidecar', async (t) => {
  const server = await emptied()
  const proxy = await startHttpFaultProxy(t, server.port)
  await server.register(web('web-1'))
  await server.register({ Name: 'db', Port: 5432, Tags: ['primary', 'sluicebox', 'traefikless'] })
  await server.call('PUT', '/v1/agent/service/register', {
    ...web('web-proxy', { Name: 'web-sidecar', Port: 91 }),
    Kind: 'connect-proxy',
    Proxy: { DestinationServiceName: 'web' },
  })
  const watch = watchRegistry(t, createConsulProvider(consulSource([proxy.address])))

  await watch.next()

  const read = proxy.seen.filter((path) => path.startsWith('/v1/health/service/'))
  assert.deepEqual(
    new Set(read),
    new Set(['/v1/health/service/web', '/v1/health/service/web-sidecar']),
  )
  assert.deepEqual(serversOf(watch.objects()), ['web/n1:web-1 http://127.0.0.1:80 1'])
})

test('services that never answer delay no other one of many, neither at the start nor later', async (t) => {
  const server = await emptied()
  const proxy = await startHttpFaultProxy(t, server.port)
  await registerMany(server, 140)
  proxy.fail((path) => (/^\/v1\/health\/service\/s1\d\d$/.test(path) ? { isSilent: true } : null))
  const began = performance.now()
  const watch = watchRegistry(t, createConsulProvider(consulSource([proxy.address])))

  const { problems } = await watch.next()
  const firstMs = performance.now() - began
  const first = serversOf(watch.objects()).length
  await server.setCheck('service:s7', 'critical')
  const changed = performance.now()
  await watch.until((objects) => !objects.has('server s7/n1:s7'), 'a change of another one')
  const changeMs = performance.now() - changed

  assert.equal(first, 100)
  assert.equal(problems.length, 40)
  assert.ok(firstMs < 9_000, `${firstMs} ms`)
  assert.ok(changeMs < 3_000, `${changeMs} ms`)
})

for (const [what, count] of [
  ['a few', 3],
  ['many', 100],
] as const) {
  test(`of ${what} services, one that cannot be read keeps its state, and the others are followed`, async (t) => {
    const server = await emptied()
    const proxy = await startHttpFaultProxy(t, server.port)
    await registerMany(server, count)
    const watch = watchRegistry(t, createConsulProvider(consulSource([proxy.address])))
    await watch.next()

    breakService(proxy, 's1')
    await server.setCheck('service:s1', 'critical')
    await server.setCheck('service:s2', 'critical')
    await watch.until((objects) => serversOf(objects).length === count - 1, 's2 is out')
    const broken = serversOf(watch.objects())
    proxy.fail(() => null)
    await watch.until((objects) => serversOf(objects).length === count - 2, 's1 is out, too')

    assert.ok(broken.includes('s1/n1:s1 http://127.0.0.1:80 1'))
    assert.ok(!broken.includes('s2/n1:s2 http://127.0.0.1:80 1'))
  })

  test(`of ${what} services, one that cannot be read at the start is named, and its last objects stay`, async (t) => {
    const server = await emptied()
    const proxy = await startHttpFaultProxy(t, server.port)
    await registerMany(server, count)
    const before = watchRegistry(t, createConsulProvider(consulSource([proxy.address])))
    await before.next()
    const known = [...before.objects().values()]
    await before.stop()
    breakService(proxy, 's1')
    const watch = watchRegistry(t, createConsulProvider(consulSource([proxy.address])))

    const { problems, isUnread } = await watch.next()

    const [problem] = problems
    assert.equal(problems.length, 1)
    assert.equal(problem?.key, 'service s1')
    assert.match(problem.message, /^cannot be read: .* responds .* with 500: no luck$/)
    assert.equal(serversOf(watch.objects()).length, count - 1)
    const kept = known.filter((object) => isUnread?.(object) === true)
    assert.deepEqual(kept.map(({ kind, id }) => `${kind} ${id}`).sort(), [
      'backend s1',
      'frontend s1',
      'server s1/n1:s1',
    ])
  })

  // traefik/traefik#3395, traefik/traefik#2552.
  test(`of ${what} services, one of two checks that fails and a node that leaves are followed`, async (t) => {
    const { server, watch } = await watchCatalogue(t, {}, (server) => registerMany(server, count))
    const Checks = ['a', 'b'].map((id) => ({ CheckID: id, TTL: '10m', Status: 'passing' }))
    await server.register(web('web-1', { Checks }))
    const far = { Node: 'far', Address: '10.0.0.9' }
    const Service = { Service: 'web', Port: 80, Tags: TAGS }
    await server.call('PUT', '/v1/catalog/register', { ...far, Service })
    await watch.until((objects) => serversOf(objects).length === count + 2, 'both instances')

    await server.setCheck('b', 'critical')
    await watch.until((objects) => !objects.has('server web/n1:web-1'), 'the first is out')
    await server.setCheck('b', 'passing')
    await watch.until((objects) => objects.has('server web/n1:web-1'), 'the first is back')
    await server.call('PUT', '/v1/catalog/deregister', { Node: 'far' })
    await watch.until((objects) => !objects.has('server web/far:web'), 'the node has left')

    assert.equal(serversOf(watch.objects()).length, count + 1)
  })

  test(`of ${what} services, an instance that comes, changes or goes is followed`, async (t) => {
    const { server, watch } = await watchCatalogue(t, {}, (server) => registerMany(server, count))

    await server.register(
      web('s0-b', { Name: 's0', Port: 99, Check: { TTL: '10m', Status: 'passing' } }),
    )
    await watch.until((objects) => serversOf(objects).length === count + 1, 'it comes')
    // Without a check that would report it.
    await server.register({ Name: 'late', Port: 70, Tags: TAGS })
    await watch.until((objects) => objects.has('server late/n1:late'), 'a service comes')
    await server.register({ Name: 'late', Port: 71, Tags: TAGS })
    await watch.until(
      (objects) => serversOf(objects).includes('late/n1:late http://127.0.0.1:71 1'),
      'it changes',
    )
    await server.deregister('s0-b')
    await server.deregister('late')
    await watch.until((objects) => serversOf(objects).length === count, 'they go')

    assert.ok(!watch.objects().has('frontend late'))
  })
}

test("fabio's tags expose a service by themselves; a route has the servers of all services that name it", async (t) => {
  const { server, watch } = await watchCatalogue(t)

  await server.register({ Name: 'shop', Port: 81, Tags: ['urlprefix-shop.test/cart proto=https'] })
  await server.register({ Name: 'shop2', Port: 82, Tags: ['blue', 'urlprefix-shop.test/cart'] })
  await server.register({ Name: 'db', Port: 83, Tags: ['urlprefix-:5432 proto=tcp'] })
  await watch.until(
    (objects) => serversOf(objects).length === 2 && objects.has('frontend :5432'),
    'three services',
  )

  assert.deepEqual(watch.objects().get('frontend shop.test:cart')?.value, {
    route: 'Host("shop.test") && Path("/cart<path:rest>")',
    backend: 'shop.test:cart',
  })
  assert.deepEqual(serversOf(watch.objects()), [
    'shop.test:cart/shop-127.0.0.1:81 https://127.0.0.1:81 1',
    'shop.test:cart/shop2-127.0.0.1:82 http://127.0.0.1:82 1',
  ])
})

test('a Consul that was wiped and comes back declares nothing, after the watch has thrown', async (t) => {
  const server = await startConsul(t)
  await registerMany(server, 3)
  const spec = consulSource([server.endpoint])
  const watch = watchRegistry(t, createConsulProvider(spec))
  await watch.next()

  await server.kill()
  await watch.lost(5_500)
  await server.wipe()
  await server.start()
  const again = watchRegistry(t, createConsulProvider(spec))
  const { listed } = await again.next()

  assert.equal(listed, 'first')
  assert.equal(again.objects().size, 0)
})

test('a Consul that comes back with a lower index and a part of its services has gone back, also for a later process', async (t) => {
  const server = await emptied()
  const proxy = await startHttpFaultProxy(t, server.port)
  await registerMany(server, 4)
  const spec = consulSource([proxy.address])
  const provider = createConsulProvider(spec)
  const watch = watchRegistry(t, provider)
  await watch.next()
  const saved = provider.checkpoint?.() ?? ''
  const part = listServices(1, ['s0', 's1', 's2'])

  proxy.fail(() => ({ status: 500 }))
  await watch.lost(5_500)
  proxy.fail((path) => (path === SERVICES ? part : null))
  const again = watchRegistry(t, provider)
  const { listed } = await again.next()
  const later = createConsulProvider(spec)
  later.restore?.(saved)
  const inLaterProcess = await watchRegistry(t, later).next()
  const fresh = await watchRegistry(t, createConsulProvider(spec)).next()

  assert.equal(listed, 'rewound')
  assert.equal(serversOf(again.objects()).length, 3)
  assert.equal(inLaterProcess.listed, 'rewound')
  assert.equal(fresh.listed, 'first')
})

test('of two data centers, one that comes back with a lower index has gone back, and loses nothing in single changes', async (t) => {
  const server = await emptied()
  const proxy = await startHttpFaultProxy(t, server.port)
  await registerMany(server, 4)
  const isOther = (query: string): boolean => query.includes('dc=other')
  const all = listServices(90, ['s0', 's1', 's2', 's3'])
  const part = listServices(80, ['s0', 's1'])
  const instances = new Map<string, Fault>()
  for (const path of ['s0', 's1', 's2', 's3'].map(servicePath)) {
    const { text } = await server.call('GET', path)
    instances.set(path, { headers: { 'x-consul-index': '70' }, body: [text] })
  }
  /** What the other data center answers; a blocking query for one of its services waits. */
  const other = (list: Fault) => (path: string, query: string) =>
    isOther(query) ? (query.includes('index=') ? SILENT : (instances.get(path) ?? list)) : null
  proxy.fail(other(all))
  const watch = watchRegistry(
    t,
    createConsulProvider(consulSource([proxy.address], { datacenters: ['dc1', 'other'] })),
  )
  await watch.next()
  const before = serversOf(watch.objects()).length

  proxy.fail((_path, query) => (isOther(query) ? { status: 500 } : null))
  await watch.next()
  proxy.fail(other(part))
  const { listed } = await watch.until((objects) => serversOf(objects).length < before, 'the part')

  assert.equal(before, 8)
  assert.equal(listed, 'rewound')
  assert.equal(serversOf(watch.objects()).length, 6)
})

test('a list is read of a leader that has loaded all of its data, unless stale reads are wanted', async (t) => {
  const server = await emptied()
  const proxy = await startHttpFaultProxy(t, server.port)
  await registerMany(server, 2)
  const part = listServices(1, ['s0'])
  proxy.fail((path, query) =>
    path === SERVICES && !/(^|&)(consistent|index)(=|&|$)/.test(query) ? part : null,
  )
  const watch = watchRegistry(t, createConsulProvider(consulSource([proxy.address])))
  await watch.next()
  const stale = watchRegistry(
    t,
    createConsulProvider(consulSource([proxy.address], { stale: true })),
  )
  await stale.next()

  assert.equal(serversOf(watch.objects()).length, 2)
  assert.equal(serversOf(stale.objects()).length, 1)
})

test('a list that is asked for reads the list of services again, and each of them', async (t) => {
  const server = await emptied()
  const proxy = await startHttpFaultProxy(t, server.port)
  await registerMany(server, 2)
  const { headers } = await server.call('GET', '/v1/catalog/services')
  const empty = { headers: { 'x-consul-index': String(headers['x-consul-index']) }, body: ['{}'] }
  proxy.fail((path) => (path === '/v1/catalog/services' ? empty : null))
  const provider = createConsulProvider(consulSource([proxy.address]))
  const watch = watchRegistry(t, provider)
  await watch.next()
  const first = watch.objects().size
  proxy.fail(() => null)

  provider.reload()
  while ((await watch.next()).listed !== 'asked');

  assert.equal(first, 0)
  assert.equal(serversOf(watch.objects()).length, 2)
})

test('services of two data centers are together; one that is lost keeps its state', async (t) => {
  const one = await startConsul(t, { datacenter: 'one' })
  const two = await startConsul(t, { datacenter: 'two', joinWan: one.wanPort })
  await one.register(web('web-1', { Port: 81 }))
  await two.register(web('web-1', { Port: 82 }))
  await untilJoined(one, 2)
  const spec = consulSource([one.endpoint], { datacenters: ['one', 'two'] })
  const watch = watchRegistry(t, createConsulProvider(spec))
  await watch.next()
  const together = serversOf(watch.objects())

  await two.kill()
  await one.register(web('web-2', { Port: 83 }))
  await watch.until((objects) => serversOf(objects).length === 3, 'a new server of the other')

  assert.deepEqual(together, [
    'web/one:n1:web-1 http://127.0.0.1:81 1',
    'web/two:n1:web-1 http://127.0.0.1:82 1',
  ])
  assert.ok(serversOf(watch.objects()).includes('web/two:n1:web-1 http://127.0.0.1:82 1'))
})

const TAGS = ['sluice.enable=true', 'sluice.host=web.test']

function web(ID: string, more: Partial<ConsulService> = {}): ConsulService {
  return { Name: 'web', ID, Port: 80, Tags: TAGS, ...more }
}

/** `s0`, `s1` ..., each with a check that passes. */
async function registerMany(server: Consul, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await server.register({
      Name: `s${i}`,
      Port: 80,
      Tags: ['sluice.enable=true', `sluice.host=s${i}.test`],
      Check: { TTL: '10m', Status: 'passing' },
    })
  }
}

const SERVICES = '/v1/catalog/services'
const SILENT: Fault = { isSilent: true }

function servicePath(name: string): string {
  return `/v1/health/service/${name}`
}

/** A list of services as Consul has it. */
function listServices(index: number, names: readonly string[]): Fault {
  const tags = ['sluice.enable=true']
  const services = Object.fromEntries(names.map((name) => [name, tags]))
  return { headers: { 'x-consul-index': String(index) }, body: [JSON.stringify(services)] }
}

function breakService(proxy: HttpFaultProxy, name: string): void {
  const fault = { status: 500, body: ['no luck'] }
  proxy.fail((path) => (path === `/v1/health/service/${name}` ? fault : null))
}

/** The one of all tests, without what those before have registered. */
async function emptied(): Promise<Consul> {
  await shared.call('PUT', '/v1/agent/maintenance?enable=false')
  const services = await shared.call('GET', '/v1/agent/services')
  for (const id of Object.keys(JSON.parse(services.text) as object)) await shared.deregister(id)
  const nodes = await shared.call('GET', '/v1/catalog/nodes')
  for (const { Node } of JSON.parse(nodes.text) as { readonly Node: string }[]) {
    if (Node !== shared.node) await shared.call('PUT', '/v1/catalog/deregister', { Node })
  }
  await eventually(
    async () => (await shared.call('GET', '/v1/catalog/services')).text === '{"consul":[]}',
    'no service is in the catalogue',
  )
  return shared
}

interface Watched {
  readonly server: Consul
  readonly watch: RegistryWatch
}

async function watchCatalogue(
  t: TestContext,
  settings: Partial<ConsulSource> = {},
  prepare: (server: Consul) => Promise<void> = () => Promise.resolve(),
): Promise<Watched> {
  const server = await emptied()
  await prepare(server)
  const provider = createConsulProvider(consulSource([server.endpoint], settings))
  const watch = watchRegistry(t, provider)
  await watch.next()
  return { server, watch }
}

/** `backend/id url weight`. */
function serversOf(objects: Objects): readonly string[] {
  return [...objects.values()]
    .filter(({ kind }) => kind === 'server')
    .map(({ id, value }) => {
      const { url, weight = 1 } = value as { readonly url: string; readonly weight?: number }
      return `${id} ${url} ${weight}`
    })
    .sort()
}

async function untilJoined(server: Consul, count: number): Promise<void> {
  for (;;) {
    const { text } = await server.call('GET', '/v1/catalog/datacenters')
    if ((JSON.parse(text) as unknown[]).length === count) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
