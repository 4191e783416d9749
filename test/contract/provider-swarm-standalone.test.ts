// needs: etcd
/** A standalone Swarm with its hosts in a real etcd and fake engines: nothing runs the program of that time any more. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { Declaration, Provider } from '../../src/providers/provider.ts'
import { swarmStandalone } from '../../src/providers/swarm-standalone/source.ts'
import { startEtcd } from '../support/etcd.ts'
import {
  fakeContainer,
  startFakeDocker,
  type FakeContainer,
  type FakeDocker,
} from '../support/fake-docker.ts'
import { messagesOf, readFile, valueOf } from '../support/parsed.ts'
import { SOURCE_PLACE } from '../support/source-place.ts'
import {
  routesOf,
  testProvider,
  watchProvider,
  type Routes,
  type Watcher,
} from './provider-suite.ts'

const etcd = await startEtcd({ after })
let prefixes = 0

interface Cluster {
  readonly provider: Provider
  readonly prefix: string
  /** A host that the registry lists. */
  host(): Promise<Host>
}

interface Host {
  readonly engine: FakeDocker
  readonly address: string
  run(name: string, labels?: Readonly<Record<string, string>>): void
  leave(): Promise<unknown>
}

async function open(t: TestContext): Promise<Cluster> {
  const prefix = `/cluster${++prefixes}/docker/swarm/nodes`
  const discovery = { kind: 'etcd', endpoints: [etcd.endpoint], prefix }
  const written = { kind: 'swarm-standalone', discovery }
  const spec = valueOf(swarmStandalone.parse('engines', written, SOURCE_PLACE))
  const provider = await swarmStandalone.open(
    valueOf(swarmStandalone.withFiles(spec, readFile)),
    () => {
      throw new Error('the layout is that of the hosts')
    },
  )
  return {
    provider,
    prefix,
    async host() {
      const engine = await startFakeDocker(t)
      const address = engine.endpoint.replace('tcp://', '')
      await etcd.put(`${prefix}/${address}`, address)
      return {
        engine,
        address,
        run: (name, labels = WEB) => engine.start(containerOn(engine, name, labels)),
        leave: () => etcd.del(`${prefix}/${address}`),
      }
    },
  }
}

const WEB = {
  'sluice.enable': 'true',
  'sluice.host': 'web.example',
  'sluice.port': '80',
  'sluice.name': 'web',
}

/** It publishes a port that accepts connections: that of the engine itself. */
function containerOn(
  engine: FakeDocker,
  name: string,
  labels: Readonly<Record<string, string>>,
): FakeContainer {
  const port = Number(engine.endpoint.split(':').at(-1))
  const published = { IP: '0.0.0.0', PrivatePort: 80, PublicPort: port, Type: 'tcp' }
  return fakeContainer(name, labels, { Ports: [published] })
}

testProvider('a standalone swarm', async (t) => {
  const { provider, host } = await open(t)
  let last: Host | null = null
  t.after(async () => {
    if (etcd.pid() === null) await etcd.start()
  })
  return {
    provider,
    /** On a host that comes in the place of the one before. */
    async write(routes: Routes) {
      if (etcd.pid() === null) await etcd.start()
      const before = last
      last = await host()
      for (const [name, route] of Object.entries(routes)) {
        last.run(name, { 'sluice.enable': 'true', 'sluice.rule': route, 'sluice.port': '80' })
      }
      await before?.leave()
    },
    async spoil() {
      for (const path of ['/version', '/events', '/containers/json']) {
        last?.engine.answer(path, (response) => void response.destroy())
      }
      last?.engine.cut()
    },
    remove: () => etcd.kill(),
  }
})

async function untilServers(watcher: Watcher, count: number): Promise<Declaration> {
  for (;;) {
    const reading = await watcher.next()
    assert.ok(reading.readable)
    if (serversOf(reading).length === count) return reading
  }
}

function serversOf({ objects }: Declaration): readonly string[] {
  return [...objects].filter(({ kind }) => kind === 'server').map(({ id }) => id)
}

test('containers of several hosts are servers of one backend, each at the address of its host', async (t) => {
  const cluster = await open(t)
  const [one, other] = [await cluster.host(), await cluster.host()]
  one.run('web-1')
  other.run('web-1')
  const watcher = watchProvider(t, cluster.provider)

  const reading = await untilServers(watcher, 2)

  const ids = [one, other].map(({ address }) => `web/web-1.${address}`)
  assert.deepEqual([...serversOf(reading)].sort(), ids.sort())
  const urls = [...reading.objects]
    .filter(({ kind }) => kind === 'server')
    .map(({ value }) => (value as { url: string }).url)
  assert.deepEqual(urls.sort(), [one, other].map(({ address }) => `http://${address}`).sort())
  assert.deepEqual(routesOf(reading), { web: 'Host("web.example")' })
  assert.deepEqual(reading.problems, [])
})

test('a host that is lost keeps its containers, and the others are followed', async (t) => {
  const cluster = await open(t)
  const [one, other] = [await cluster.host(), await cluster.host()]
  one.run('web-1')
  const watcher = watchProvider(t, cluster.provider)
  await untilServers(watcher, 1)

  one.engine.answer('/version', (response) => void response.destroy())
  one.engine.cut()
  other.run('web-2')
  const reading = await untilServers(watcher, 2)
  const lost = reading.problems.length > 0 ? reading : await watcher.next()

  assert.ok(lost.readable)
  assert.equal(serversOf(lost).length, 2)
  assert.deepEqual(
    lost.problems.map(({ key }) => key),
    [one.address],
  )
  assert.match(lost.problems[0]?.message ?? '', /; its 3 objects stay$/)
})

test('a host that leaves the registry takes its own containers along', async (t) => {
  const cluster = await open(t)
  const [one, other] = [await cluster.host(), await cluster.host()]
  one.run('web-1')
  other.run('web-2')
  const watcher = watchProvider(t, cluster.provider)
  await untilServers(watcher, 2)

  await one.leave()
  const reading = await untilServers(watcher, 1)

  assert.deepEqual(serversOf(reading), [`web/web-2.${other.address}`])
  assert.equal(reading.listed, null)
})

test('while the registry is away, its hosts are followed', async (t) => {
  const cluster = await open(t)
  const host = await cluster.host()
  host.run('web-1')
  const watcher = watchProvider(t, cluster.provider)
  await untilServers(watcher, 1)

  await etcd.kill()
  t.after(() => etcd.start())
  host.run('web-2')

  await untilServers(watcher, 2)
})

test('at a start without one of the hosts, what it declared before is not missing but unread', async (t) => {
  const cluster = await open(t)
  const [one, other] = [await cluster.host(), await cluster.host()]
  one.run('web-1')
  other.engine.answer('/version', (response) => void response.destroy())
  const watcher = watchProvider(t, cluster.provider)

  const first = await watcher.next()

  assert.ok(first.readable)
  const object = (part: string) =>
    ({ kind: 'server', id: 'web/x', value: {}, key: '', part }) as const
  assert.equal(first.isUnread?.(object(other.address)), true)
  assert.equal(first.isUnread?.(object(one.address)), false)
})

test('a key that names no engine, and a definition that differs, are problems of their own', async (t) => {
  const cluster = await open(t)
  const [one, other] = [await cluster.host(), await cluster.host()]
  one.run('web-1')
  other.run('web-2', { ...WEB, 'sluice.host': 'other.example' })
  await etcd.put(`${cluster.prefix}/nonsense`, 'http://a b/')
  const watcher = watchProvider(t, cluster.provider)

  const reading = await untilServers(watcher, 2)

  const [first = '', second = ''] = [one.address, other.address].sort()
  assert.deepEqual(
    reading.problems.map(({ key, message }) => `${key}: ${message}`),
    [
      `${cluster.prefix}/nonsense: names no engine, "http://a b/": it must be host:port`,
      `container web-${second === other.address ? 2 : 1} of ${second}: differs from that of container web-${first === one.address ? 1 : 2} of ${first}, which is in force`,
    ],
  )
})

test('what is wrong with the registry of a standalone swarm has its place', () => {
  const refusals = (discovery: unknown): string =>
    messagesOf(
      swarmStandalone.parse('engines', { kind: 'swarm-standalone', discovery }, SOURCE_PLACE),
    ).join('\n')

  assert.match(refusals('etcd'), /must be a map whose kind is etcd, consul-kv, zookeeper/)
  assert.match(refusals({ kind: 'etcd' }), /discovery\.endpoints/)
  assert.match(
    refusals({ kind: 'etcd', endpoints: ['a'], layout: 'vulcand' }),
    /has no effect here/,
  )
})
