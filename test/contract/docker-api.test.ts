/** A fake engine answers as a real one cannot be made to: APIs of other versions, nonsense, endless events. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import { createDockerProvider } from '../../src/providers/docker/docker-provider.ts'
import { SourceRefused } from '../../src/providers/provider.ts'
import { dockerSource } from '../support/docker-source.ts'
import {
  containerEvent,
  fakeContainer,
  idOf,
  startFakeDocker,
  type FakeDocker,
} from '../support/fake-docker.ts'
import { startServing } from '../support/servers.ts'
import { choosePort } from '../support/ports.ts'
import { watchRegistry, type RegistryWatch } from './registry-watch.ts'

const HEALTHY = { Status: 'Up 5 minutes (healthy)' }
const LABELS = { 'sluice.enable': 'true', 'sluice.host': 'web.test' }

function watch(t: TestContext, { endpoint }: FakeDocker, written: object = {}): RegistryWatch {
  const provider = createDockerProvider(dockerSource({ endpoint, ...written }), { ownId: null })
  return watchRegistry(t, provider)
}

async function failureOf(t: TestContext, docker: FakeDocker): Promise<Error> {
  const error = await watch(t, docker)
    .next()
    .then(
      () => assert.fail('it is read'),
      (error: unknown) => error,
    )
  assert.ok(error instanceof Error)
  return error
}

for (const [name, version, path] of [
  ['Docker 29', { ApiVersion: '1.52', MinAPIVersion: '1.44' }, '/v1.52/containers/json'],
  ['Docker 20.10', { ApiVersion: '1.41', MinAPIVersion: '1.12' }, '/v1.41/containers/json'],
  ['a later Docker', { ApiVersion: '1.70', MinAPIVersion: '1.44' }, '/v1.52/containers/json'],
] as const) {
  test(`the API of ${name} is read in a version that it has`, async (t) => {
    const docker = await startFakeDocker(t, { version })
    docker.containers.set(idOf('web'), fakeContainer('web', LABELS, HEALTHY))

    const watched = watch(t, docker)
    await watched.next()

    assert.ok(watched.objects().has('server web/web'))
    assert.ok(docker.requests.includes(path), docker.requests.join())
  })
}

test('an event makes only its container be read', async (t) => {
  const docker = await startFakeDocker(t)
  docker.containers.set(idOf('web'), fakeContainer('web', LABELS, HEALTHY))
  const watched = watch(t, docker)
  await watched.next()
  docker.requests.length = 0

  docker.start(fakeContainer('other', LABELS, HEALTHY))
  await watched.next()

  const reads = docker.requests.filter((path) => path !== '/version')
  assert.deepEqual(reads, [`/v1.52/containers/json?filters={"id":["${idOf('other')}"]}`])
  assert.ok(watched.objects().has('server other/other'))
  assert.ok(watched.objects().has('server web/web'))
})

test('a container that no event names is found by the periodic list', async (t) => {
  const docker = await startFakeDocker(t)
  const source = dockerSource({ endpoint: docker.endpoint })
  const watched = watchRegistry(t, createDockerProvider(source, { ownId: null, reconcileMs: 50 }))
  await watched.next()

  docker.containers.set(idOf('web'), fakeContainer('web', LABELS, HEALTHY))

  await watched.until((objects) => objects.has('server web/web'), 'its server')
})

test('an event that cannot be read makes all containers be read', async (t) => {
  const docker = await startFakeDocker(t)
  const watched = watch(t, docker)
  await watched.next()

  docker.containers.set(idOf('web'), fakeContainer('web', LABELS, HEALTHY))
  docker.emit('[7]')

  await watched.until((objects) => objects.has('server web/web'), 'its server')
})

test('Podman is read, which leaves out what others list, and names events in its own way', async (t) => {
  const version = { ApiVersion: '1.41', MinAPIVersion: '1.24', Version: '4.3.1' }
  const inspect = (): object => ({ HostConfig: { NetworkMode: 'host' } })
  const docker = await startFakeDocker(t, { version, inspect })
  const more = { ...HEALTHY, NetworkSettings: { Networks: null }, HostConfig: undefined }
  docker.containers.set(idOf('web'), fakeContainer('web', LABELS, more))
  const watched = watch(t, docker)
  await watched.next()
  const { value } = watched.objects().get('server web/web') ?? {}

  // Of SIGHUP, which it does not say.
  docker.emit(containerEvent('kill', idOf('web')))
  docker.containers.delete(idOf('web'))
  docker.emit(containerEvent('died', idOf('web')))
  await watched.until((objects) => objects.size === 0, 'its end')

  assert.deepEqual(value, { url: 'http://127.0.0.1:8080' })
})

test('a container that cannot be read sets aside itself', async (t) => {
  const docker = await startFakeDocker(t)
  docker.containers.set('broken', { ...fakeContainer('broken', LABELS), Id: '../../version' })
  docker.containers.set(idOf('web'), fakeContainer('web', LABELS, HEALTHY))

  const watched = watch(t, docker)
  const { problems } = await watched.next()

  assert.deepEqual(
    problems.map(({ key, message }) => [key, message]),
    [['container broken', 'has no id']],
  )
  assert.ok(watched.objects().has('server web/web'))
})

test('ports are not tried any more once the source has ended, also if its engine was lost before', async (t) => {
  const docker = await startFakeDocker(t)
  const onHost = { NetworkSettings: { Networks: null }, HostConfig: { NetworkMode: 'host' } }
  const labels = { ...LABELS, 'sluice.port': '80' }
  docker.containers.set(idOf('web'), fakeContainer('web', labels, onHost))
  let tries = 0
  const connect = (): Promise<string> => Promise.resolve(`refused ${(tries += 1)} times`)
  const spec = dockerSource({ endpoint: docker.endpoint })
  const provider = createDockerProvider(spec, { ownId: null, connect })
  const stopping = new AbortController()
  const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()
  await readings.next()
  docker.cut()
  await assert.rejects(async () => {
    while ((await readings.next()).done !== true);
  })
  const before = tries

  stopping.abort()
  // Nothing to wait for: that nothing happens is what is tested.
  await passed(500)

  assert.ok(before > 0)
  assert.equal(tries, before)
})

test('a port that does not accept connections is reported, and does not keep others back', async (t) => {
  const docker = await startFakeDocker(t)
  const [open, closed] = [await choosePort(), await choosePort()]
  await startServing(t, 'web', open, (_, response) => void response.end())
  const onHost = { NetworkSettings: { Networks: null }, HostConfig: { NetworkMode: 'host' } }
  const labels = {
    'sluice.enable': 'true',
    'sluice.frontends.a.host': 'a.test',
    'sluice.frontends.a.port': String(open),
    'sluice.frontends.b.host': 'b.test',
    'sluice.frontends.b.port': String(closed),
  }
  docker.containers.set(idOf('web'), fakeContainer('web', labels, onHost))

  const watched = watch(t, docker)
  await watched.next()

  const server = (id: string): unknown => watched.objects().get(`server ${id}/web`)?.fault
  assert.equal(server('web-a'), undefined)
  assert.equal(
    server('web-b'),
    `has not accepted a connection at 127.0.0.1 port ${closed} since it started: connection refused`,
  )
})

test('an engine that ends its events is lost', async (t) => {
  const docker = await startFakeDocker(t)
  const watched = watch(t, docker)
  await watched.next()

  docker.cut()

  assert.ok((await watched.lost(1_000)) < 1_000)
})

test('what is not an engine is named', async (t) => {
  const docker = await startFakeDocker(t, { version: { name: 'another API' } })

  assert.match((await failureOf(t, docker)).message, /does not answer as a Docker engine/)
})

test('a proxy that refuses a path is a refusal, with the path', async (t) => {
  const docker = await startFakeDocker(t)
  docker.answer('/containers/json', (response) => response.writeHead(403).end('Forbidden'))

  const error = await failureOf(t, docker)

  assert.ok(error instanceof SourceRefused)
  assert.match(error.message, /\/containers\/json with 403: Forbidden/)
})

const NONSENSE: Readonly<Record<string, readonly [text: string, reason: RegExp]>> = {
  '40 MB of nonsense': ['x'.repeat(40 << 20), /more than \d+ bytes/],
  '10 MB of nonsense': ['x'.repeat(10 << 20), /not JSON/],
  'JSON 10,000 levels deep': ['['.repeat(10_000) + ']'.repeat(10_000), /more than 64 levels/],
  'another type of value': ['{"containers": []}', /is not a list/],
  'half an answer': ['[{"Id": "a', /JSON/],
}
for (const [what, [text, reason]] of Object.entries(NONSENSE)) {
  test(`${what} instead of containers ends the watch with a reason`, async (t) => {
    const docker = await startFakeDocker(t)
    docker.answer('/containers/json', (response) => response.end(text))

    const { message } = await failureOf(t, docker)

    assert.match(message, reason)
    assert.match(message, /127\.0\.0\.1/)
    assert.ok(message.length < 600, message)
  })
}

test('a list without an end is given up', async (t) => {
  const docker = await startFakeDocker(t)
  docker.answer('/containers/json', (response) => void response.write('['))

  assert.match((await failureOf(t, docker)).message, /time/)
})

test('an event without an end ends the watch, and takes little memory', async (t) => {
  const docker = await startFakeDocker(t)
  const watched = watch(t, docker)
  await watched.next()

  docker.emit(`{"Type": "${'x'.repeat(3 << 20)}`)

  await watched.lost(5_000)
})

test('a flood of events is read without a list for each', async (t) => {
  const docker = await startFakeDocker(t)
  const watched = watch(t, docker)
  await watched.next()
  docker.requests.length = 0

  for (let at = 0; at < 20_000; at++)
    docker.emit(containerEvent('health_status: healthy', idOf(`c${at}`)))
  docker.start(fakeContainer('web', LABELS, HEALTHY))
  await watched.until((objects) => objects.has('server web/web'), 'its server')

  const lists = docker.requests.filter((path) => path.includes('/containers/json'))
  assert.ok(lists.length < 50, `${lists.length} lists`)
})

test('an engine that sends lists and no events is noticed within 5 s if it falls silent', async (t) => {
  const docker = await startFakeDocker(t)
  const watched = watch(t, docker)
  await watched.next()

  docker.answer('/version', () => {})

  await watched.lost(5_500)
})
