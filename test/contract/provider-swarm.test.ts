// needs: docker-networks
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { Declaration } from '../../src/providers/provider.ts'
import { createSwarmProvider } from '../../src/providers/swarm/swarm-provider.ts'
import { IMAGE } from '../support/docker-engine.ts'
import { startSwarm } from '../support/docker-networks.ts'
import { swarmSource } from '../support/swarm-source.ts'
import {
  routesOf,
  testProvider,
  watchProvider,
  type Routes,
  type Watcher,
} from './provider-suite.ts'

const manager = await startSwarm({ after })
const { docker } = manager

type Labels = Readonly<Record<string, string>>

async function create(name: string, labels: Labels, ...args: readonly string[]): Promise<void> {
  await docker(
    ...['service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', name],
    ...Object.entries(labels).flatMap(([key, text]) => ['--label', `${key}=${text}`]),
    ...(args.includes('--mode') ? args : ['--replicas', '0', ...args]),
    ...[IMAGE, 'sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'],
  )
}

async function names(): Promise<readonly string[]> {
  const names = await docker('service', 'ls', '--format', '{{.Name}}')
  return names === '' ? [] : names.split('\n')
}

/** One service for each frontend, without tasks. */
async function write(routes: Routes): Promise<void> {
  const before = await names()
  const gone = before.filter((name) => routes[name] === undefined)
  if (gone.length > 0) await docker('service', 'rm', ...gone)
  for (const [name, route] of Object.entries(routes)) {
    if (before.includes(name)) continue
    await create(name, { 'sluice.enable': 'true', 'sluice.rule': route, 'sluice.port': '80' })
  }
}

async function removeAll(): Promise<void> {
  const all = await names()
  if (all.length > 0) await docker('service', 'rm', ...all)
}

function open(
  written: Readonly<Record<string, unknown>> = {},
): ReturnType<typeof createSwarmProvider> {
  const spec = swarmSource({ endpoint: `unix://${manager.socket}`, ...written })
  // Tasks are in other namespaces than this process.
  return createSwarmProvider(spec, { connect: async () => null })
}

testProvider('swarm', async (t) => {
  await removeAll()
  t.after(restore)

  async function restore(): Promise<void> {
    if (manager.pid() === null) await manager.start()
    const state = await docker('info', '--format', '{{.Swarm.LocalNodeState}}')
    if (state !== 'active') await docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
  }

  return {
    provider: open(),
    async write(routes) {
      await restore()
      await write(routes)
    },
    async spoil() {
      await docker('swarm', 'leave', '--force')
    },
    remove: () => manager.kill(),
  }
})

const WEB = { 'sluice.enable': 'true', 'sluice.host': 'web.example', 'sluice.port': '8000' }

test('swarm declares the running tasks of a service as servers, and drains those that are to stop', async (t) => {
  await withNetwork(t, 'shop')
  await create('web', WEB, '--replicas', '2', '--network', 'shop')
  const watcher = watchProvider(t, open())
  await untilServers(watcher, ['web/web.1', 'web/web.2'])

  await docker('service', 'scale', '--detach', 'web=3')
  const three = await untilServers(watcher, ['web/web.1', 'web/web.2', 'web/web.3'])
  const containers = await runningContainers()
  await docker('service', 'scale', '--detach', 'web=0')
  await untilServers(watcher, [])

  assert.equal(new Set(urlsOf(three)).size, 3)
  assert.ok(urlsOf(three).every((url) => /^http:\/\/10\.\d+\.\d+\.\d+:8000$/.test(url)))
  // They are not stopped yet: Swarm gives others time to notice.
  assert.deepEqual(await runningContainers(), containers)
})

test('swarm reaches tasks at ports that they publish on their node, each declared once', async (t) => {
  await withNetwork(t, 'shop')
  await create('web', WEB, '--replicas', '2', '--publish', 'mode=host,target=8000')
  const watcher = watchProvider(t, open({ address: 'host' }))

  const two = await untilServers(watcher, ['web/web.1', 'web/web.2'])

  assert.equal(new Set(urlsOf(two)).size, 2)
  assert.ok(urlsOf(two).every((url) => /^http:\/\/127\.0\.0\.1:\d+$/.test(url)))
})

test('swarm names the server of a global service by its task, and reaches it over the gateway bridge', async (t) => {
  await withNetwork(t, 'shop')
  await create('web', WEB, '--mode', 'global', '--network', 'shop')
  const watcher = watchProvider(t, open({ address: 'gateway' }))

  const reading = await untilServerCount(watcher, 1)

  const task = await docker('service', 'ps', '-q', '--no-trunc', 'web')
  const subnet = await docker(
    'network',
    'inspect',
    '-f',
    '{{(index .IPAM.Config 0).Subnet}}',
    'docker_gwbridge',
  )
  assert.deepEqual(
    serversOf(reading).map(({ id }) => id),
    [`web/web.${task}`],
  )
  assert.equal(urlsOf(reading)[0]?.split('.')[0], `http://${subnet.split('.')[0]}`)
})

test('swarm keeps the routes of a service without tasks, and says why a task is no server', async (t) => {
  await withNetwork(t, 'shop')
  await create('idle', { ...WEB, 'sluice.host': 'idle.example' })
  await create('web', { ...WEB, 'sluice.network': 'other' }, '--replicas', '1', '--network', 'shop')
  const watcher = watchProvider(t, open())

  const reading = await untilServerCount(watcher, 1)

  assert.deepEqual(Object.keys(routesOf(reading)).sort(), ['idle', 'web'])
  const [server] = [...reading.objects].filter(({ kind }) => kind === 'server')
  assert.equal(server?.fault, 'is not in the network "other", but in "shop"')
  assert.equal(server?.key, 'service web')
})

test('swarm follows a service through an update and its removal', async (t) => {
  await withNetwork(t, 'shop')
  await create('web', WEB, '--replicas', '2', '--network', 'shop', '--update-order', 'start-first')
  const watcher = watchProvider(t, open())
  const before = urlsOf(await untilServers(watcher, ['web/web.1', 'web/web.2']))

  await docker('service', 'update', '--quiet', '--env-add', 'VERSION=2', 'web')
  const after = await untilUrls(
    watcher,
    (urls) => urls.length === 2 && urls.every((url) => !before.includes(url)),
  )
  await docker('service', 'rm', 'web')
  await watcher.until({})

  assert.equal(new Set(after).size, 2)
})

test('an engine that is no manager is an error that says what would help', async (t) => {
  await docker('swarm', 'leave', '--force')
  t.after(() => docker('swarm', 'init', '--advertise-addr', '127.0.0.1'))

  const watching = watchProvider(t, open()).next()

  await assert.rejects(watching, {
    message: `the engine at unix://${manager.socket} is not a manager of a swarm: name a manager as endpoint, or make it one (docker swarm init, docker node promote)`,
  })
})

async function runningContainers(): Promise<readonly string[]> {
  const ids = await docker('ps', '-q', '--no-trunc')
  return ids.split('\n').sort()
}

/** Without services, and with this network. */
async function withNetwork(t: TestContext, name: string): Promise<void> {
  await removeAll()
  // A manager that has left its swarm has lost it.
  await docker('network', 'inspect', name).catch(() =>
    docker('network', 'create', '--driver', 'overlay', name),
  )
  t.after(removeAll)
}

async function untilServers(watcher: Watcher, ids: readonly string[]): Promise<Declaration> {
  for (;;) {
    const reading = await watcher.next()
    assert.ok(reading.readable)
    const found = serversOf(reading).map(({ id }) => id)
    if (JSON.stringify(found.sort()) === JSON.stringify(ids)) return reading
  }
}

async function untilServerCount(watcher: Watcher, count: number): Promise<Declaration> {
  for (;;) {
    const reading = await watcher.next()
    assert.ok(reading.readable)
    if (serversOf(reading).length === count) return reading
  }
}

async function untilUrls(
  watcher: Watcher,
  isSo: (urls: readonly string[]) => boolean,
): Promise<readonly string[]> {
  for (;;) {
    const reading = await watcher.next()
    assert.ok(reading.readable)
    const urls = urlsOf(reading)
    if (isSo(urls)) return urls
  }
}

function serversOf(reading: Declaration): readonly { id: string; value: unknown }[] {
  return [...reading.objects].filter(({ kind }) => kind === 'server')
}

function urlsOf(reading: Declaration): readonly string[] {
  return serversOf(reading).map(({ value }) => (value as { url: string }).url)
}
