// needs: etcd, consul
/**
 * The discovery methods of synapse but for ZooKeeper, which test/story/synapse.test.ts has: real etcd and Consul, and fakes of
 * Docker, Marathon and DNS. Each finds an instance, follows a change, and keeps it while its source is away.
 */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolverSchema } from '../../src/schema/resolver.ts'
import type { Declaration } from '../../src/providers/provider.ts'
import { createSynapseProvider } from '../../src/providers/synapse/synapse-provider.ts'
import { openConfig } from '../../src/providers/synapse/open-config.ts'
import { startConsul } from '../support/consul.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startEtcd } from '../support/etcd.ts'
import { fakeContainer, startFakeDocker } from '../support/fake-docker.ts'
import { startFakeMarathon } from '../support/fake-marathon.ts'
import { createApp } from '../support/marathon-apps.ts'
import { makeFolder } from '../support/program.ts'
import { createWatch } from '../support/until.ts'

const [etcd, consul] = await Promise.all([startEtcd({ after }), startConsul({ after })])
const RESOLVER = resolverSchema.parse(undefined)

interface Followed {
  /** Waits until the servers of the only backend are these. */
  servers(...urls: readonly string[]): Promise<Declaration>
  until(look: (declaration: Declaration) => boolean, what: string): Promise<Declaration>
}

async function follow(t: TestContext, config: object, open = openSynapse): Promise<Followed> {
  const file = join(makeFolder(t), 'synapse.conf.json')
  writeFileSync(file, JSON.stringify(config))
  const provider = await open(file)
  const end = new AbortController()
  const watch = createWatch()
  let last: Declaration | null = null
  const run = async (): Promise<void> => {
    for await (const one of provider.watch(end.signal)) {
      if (one.readable) last = { ...one, objects: [...one.objects] }
      watch.changed()
    }
  }
  void run()
  t.after(() => end.abort())
  const until: Followed['until'] = (look, what) =>
    watch.until(() => (last !== null && look(last) ? last : null), what)
  return {
    until,
    servers: (...urls) =>
      until((one) => String(serversIn(one)) === String(urls), `servers ${urls.join()}`),
  }
}

type Open = (file: string) => ReturnType<typeof openConfig>

const openSynapse: Open = async (file) =>
  createSynapseProvider({ name: 'synapse', file, resolver: RESOLVER })

function serversIn({ objects }: Declaration): readonly string[] {
  return [...objects].flatMap(({ kind, value }) =>
    kind === 'server' ? (value as { url: string }).url.replace('tcp://', '') : [],
  )
}

function service(discovery: object, more: object = {}): object {
  return { services: { web: { discovery, haproxy: { port: 3213 }, ...more } } }
}

test('etcd: keys as nerve writes them, also those of a configuration beside them', async (t) => {
  const path = '/nerve/web'
  await etcd.put(`${path}/one`, '{"host":"10.0.0.1","port":80}')
  await etcd.put('/nerve/other/one', '{"host":"10.0.0.9","port":80}')
  const { servers } = await follow(
    t,
    service({ method: 'etcd', host: '127.0.0.1', port: etcd.port, path }),
  )

  await servers('10.0.0.1:80')
  await etcd.put(`${path}/two`, '{"host":"10.0.0.2","port":"81"}')
  await servers('10.0.0.1:80', '10.0.0.2:81')
  await etcd.del(`${path}/one`)
  await servers('10.0.0.2:81')
})

test('consul: passing instances with a tag, their metadata as labels', async (t) => {
  const register = (id: string, port: number, zone: string): Promise<void> =>
    consul.register({
      Name: 'web',
      ID: id,
      Address: '10.0.0.3',
      Port: port,
      Tags: ['v2'],
      Meta: { zone },
    })
  await register('a', 80, 'here')
  await register('b', 81, 'there')
  await consul.register({ Name: 'web', ID: 'old', Address: '10.0.0.3', Port: 79 })
  const filters = [{ label: 'zone', value: 'there', condition: 'not-equals' }]
  const discovery = {
    method: 'consul',
    hosts: [consul.endpoint],
    tag: 'v2',
    label_filters: filters,
  }
  const { servers } = await follow(t, service(discovery))

  await servers('10.0.0.3:80')
  await register('c', 82, 'here')
  await servers('10.0.0.3:80', '10.0.0.3:82')
  await consul.deregister('a')
  await servers('10.0.0.3:82')
})

test('docker: containers of the image that publish the port', async (t) => {
  const docker = await startFakeDocker(t)
  const [host = '', port = ''] = docker.endpoint.replace(/^.*\/\//, '').split(':')
  const publish = (
    name: string,
    image: string,
    published?: number,
  ): ReturnType<typeof fakeContainer> => {
    const ports = published === undefined ? {} : { PublicPort: published, IP: '0.0.0.0' }
    return fakeContainer(
      name,
      {},
      { Image: image, Ports: [{ PrivatePort: 80, Type: 'tcp', ...ports }] },
    )
  }
  docker.start(publish('one', 'hub:5000/shop/web:7', 49153))
  docker.start(publish('two', 'hub:5000/shop/web:7'))
  docker.start(publish('other', 'hub:5000/shop/api:7', 49155))
  const { servers } = await follow(
    t,
    service({
      method: 'docker',
      servers: [{ name: 'a', host, port }],
      image_name: 'hub:5000/shop/web',
      container_port: 80,
    }),
  )

  await servers(`${host}:49153`)
  const three = publish('three', 'hub:5000/shop/web:8', 49160)
  docker.start(three)
  await servers(`${host}:49153`, `${host}:49160`)
  docker.cut()
  docker.stop(publish('one', '').Id)
  await servers(`${host}:49160`)
})

test('marathon: started tasks at the port of the index', async (t) => {
  const marathon = await startFakeMarathon(t)
  const tasks = [
    { id: 'a', host: '10.0.0.5', ports: [31000, 31001], startedAt: '2026-01-01T00:00:00.000Z' },
    { id: 'b', host: '10.0.0.6', ports: [31002], startedAt: '2026-01-01T00:00:00.000Z' },
  ]
  marathon.put(createApp({ id: '/shop/web', servicePorts: [1, 2], tasks }))
  const discovery = {
    ...{
      method: 'marathon',
      marathon_api_url: `http://${marathon.endpoints[0] ?? ''}`,
      check_interval: 1,
    },
    ...{ application_name: '/shop/web', port_index: 1 },
  }
  const { servers } = await follow(t, service(discovery))

  const { problems } = await servers('10.0.0.5:31001')
  assert.match(problems[0]?.message ?? '', /no port with the index 1/)
  marathon.remove('/shop/web')
  marathon.put(
    createApp({
      id: '/shop/web',
      servicePorts: [1, 2],
      tasks: tasks.slice(0, 1).map((one) => ({ ...one, host: '10.0.0.7' })),
    }),
  )
  await servers('10.0.0.7:31001')
})

test('dns: the addresses of names, at the port that is written or overridden', async (t) => {
  const dns = await startDnsServer(t)
  dns.set('web.internal', { addresses: ['10.0.0.8', '10.0.0.7'], ttl: 1 })
  const discovery = {
    method: 'dns',
    nameserver: dns.address,
    servers: [{ host: 'web.internal', port: 80 }, '10.0.0.1'],
  }
  const { servers } = await follow(t, service(discovery, { backend_port_override: '8080' }))

  await servers('10.0.0.1:8080', '10.0.0.7:8080', '10.0.0.8:8080')
})

test('frontrunner: the list of tasks is a stream for each service port', async (t) => {
  const marathon = await startFakeMarathon(t)
  const task = { id: 'a', host: '10.0.0.5', ports: [31000], startedAt: '2026-01-01T00:00:00.000Z' }
  marathon.put(createApp({ id: '/shop', servicePorts: [9000], tasks: [task] }))
  const written = {
    marathon: { url: `http://${marathon.endpoints[0] ?? ''}` },
    activeProxy: 'haproxy',
  }
  const spec = { ...{ kind: 'synapse', name: 'synapse', required: true }, resolver: RESOLVER }

  const { until } = await follow(t, written, (file) =>
    openConfig({ ...spec, file, shrink: { holdMs: 0, share: 1, allowEmpty: true } }),
  )
  const { objects } = await until((one) => [...one.objects].length > 0, 'objects')

  const listener = [...objects].find(({ kind }) => kind === 'listener')
  assert.deepEqual(listener?.value, {
    address: '0.0.0.0:9000',
    protocol: 'tcp',
    backend: 'shop_9000',
  })
  assert.deepEqual(
    [...objects].filter(({ kind }) => kind === 'frontend'),
    [],
  )
})
