// needs: docker-engine
/** The life of a container at a real engine: when it becomes a server, when it gets no more requests, when it is gone. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { createDockerProvider } from '../../src/providers/docker/docker-provider.ts'
import { startDockerEngine } from '../support/docker-engine.ts'
import { dockerSource } from '../support/docker-source.ts'
import { choosePort } from '../support/ports.ts'
import { watchRegistry, type Objects, type RegistryWatch } from './registry-watch.ts'

const engine = await startDockerEngine({ after })

async function watch(t: TestContext): Promise<RegistryWatch> {
  const { socket } = engine
  await engine.removeAll()
  const found = watchRegistry(
    t,
    createDockerProvider(dockerSource({ endpoint: `unix://${socket}` })),
  )
  await found.next()
  return found
}

function labels(port: number): Record<string, string> {
  return { 'sluice.enable': 'true', 'sluice.host': 'web.test', 'sluice.port': String(port) }
}

const SERVE = (port: number): readonly string[] => ['httpd', '-f', '-p', `127.0.0.1:${port}`]
/** Serves once `docker exec touch /tmp/go` has been run. */
const SERVE_LATER = (port: number): readonly string[] => [
  ...['sh', '-c'],
  `until test -f /tmp/go; do sleep 0.02; done; exec httpd -f -p 127.0.0.1:${port}`,
]
/** As an image with a handler: a second passes before it ends. */
const SERVE_AND_DRAIN = (port: number): readonly string[] => [
  ...['sh', '-c'],
  `trap "sleep 1; exit 0" TERM; httpd -f -p 127.0.0.1:${port} & while true; do wait; done`,
]

const isServing = (objects: Objects): boolean => objects.has('server web/web')
const isDrained = (objects: Objects): boolean => !isServing(objects) && objects.has('frontend web')

test('a container is a server once its port accepts a connection', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()

  await engine.run('web', labels(port), { command: SERVE_LATER(port) })
  await watched.until(isDrained, 'its route')
  await engine.docker('exec', 'web', 'touch', '/tmp/go')
  await watched.until(isServing, 'its server')

  assert.deepEqual(watched.objects().get('server web/web')?.value, {
    url: `http://127.0.0.1:${port}`,
  })
  assert.equal(watched.objects().get('server web/web')?.key, 'container web')
})

test('a container with a health check is a server while it is healthy', async (t) => {
  const watched = await watch(t)
  const check = ['--health-cmd', 'test -f /tmp/ok', '--health-interval', '100ms']
  const args = [...check, '--health-retries', '1']

  await engine.run('web', labels(await choosePort()), { args })
  await watched.until(isDrained, 'its route')
  await engine.docker('exec', 'web', 'touch', '/tmp/ok')
  await watched.until(isServing, 'its server')
  await engine.docker('exec', 'web', 'sh', '-c', 'busybox rm /tmp/ok')

  await watched.until(isDrained, 'its removal')
})

test('a container that is stopped gets no requests before it has ended, and is gone after', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()
  await engine.run('web', labels(port), { command: SERVE_AND_DRAIN(port) })
  await watched.until(isServing, 'its server')

  const stopping = engine.docker('stop', 'web')
  const drained = await watched.until(isDrained, 'its drain')
  const isRunning = await engine.docker('inspect', '-f', '{{.State.Running}}', 'web')
  const gone = await watched.until((objects) => objects.size === 0, 'its end')
  await stopping

  assert.equal(isRunning, 'true')
  assert.deepEqual([drained.listed, gone.listed], [null, null])
})

test('a signal that does not stop a container changes nothing', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()
  const args = ['--stop-signal', 'SIGWINCH']
  await engine.run('web', labels(port), { command: SERVE_AND_DRAIN(port), args })
  await watched.until(isServing, 'its server')

  for (const signal of ['HUP', 'USR1', 'WINCH']) await engine.docker('kill', '-s', signal, 'web')
  const change = await watched.next()

  // Its own signal, the last one, is the first that changes something.
  assert.deepEqual(change.changes?.deletes, [{ kind: 'server', id: 'web/web' }])
})

test('a container that is paused gets no requests until it runs again', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()
  await engine.run('web', labels(port), { command: SERVE(port) })
  await watched.until(isServing, 'its server')

  await engine.docker('pause', 'web')
  await watched.until(isDrained, 'its pause')
  await engine.docker('unpause', 'web')

  await watched.until(isServing, 'its server again')
})

test('a container that is started again is a server again', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()
  await engine.run('web', labels(port), { command: SERVE_AND_DRAIN(port) })
  await watched.until(isServing, 'its server')

  const restarting = engine.docker('restart', 'web')
  await watched.until(isDrained, 'its drain')
  await watched.until(isServing, 'its server again')

  await restarting
})

test('a container that is renamed has the new name', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()
  const name = { 'sluice.name': 'web' }
  await engine.run('web', { ...labels(port), ...name }, { command: SERVE(port) })
  await watched.until(isServing, 'its server')

  await engine.docker('rename', 'web', 'shop')

  await watched.until((objects) => objects.has('server web/shop'), 'its new name')
  assert.ok(!isServing(watched.objects()))
})

test('containers of one service are servers of one backend', async (t) => {
  const watched = await watch(t)
  const ports = [await choosePort(), await choosePort()]
  const of = (number: number): Record<string, string> => ({
    'com.docker.compose.project': 'shop',
    'com.docker.compose.service': 'web',
    'com.docker.compose.container-number': String(number),
    'com.docker.compose.oneoff': 'False',
  })

  for (const [at, port] of ports.entries()) {
    const { 'sluice.port': own = '', ...same } = labels(port)
    await engine.run(
      `shop-web-${at + 1}`,
      { ...same, ...of(at + 1), 'sluice.port': own },
      {
        command: SERVE(port),
      },
    )
  }
  await watched.until((objects) => objects.has('server web-shop/shop-web-2'), 'both servers')

  assert.deepEqual([...watched.objects().keys()].sort(), [
    ...['backend web-shop', 'frontend web-shop'],
    ...['server web-shop/shop-web-1', 'server web-shop/shop-web-2'],
  ])
})

test('a container of "docker compose run" is none', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()
  const oneOff = { 'com.docker.compose.oneoff': 'True' }
  await engine.run('task', { ...labels(port), ...oneOff }, { command: SERVE(port) })

  await engine.run('web', labels(port), { command: ['sleep', '1000'] })
  await watched.until(isServing, 'another container')

  assert.ok(!watched.objects().has('frontend task'))
})

test('a server has its address from the container whose network it uses', async (t) => {
  const watched = await watch(t)
  const port = await choosePort()
  await engine.run('vpn', {}, { command: SERVE(port) })
  await engine.docker(
    ...['run', '-d', '--name', 'web', '--network', 'container:vpn'],
    ...Object.entries(labels(port)).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
    ...['sluice-test:1', 'sleep', '1000'],
  )

  await watched.until(isServing, 'its server')
})

test('VIRTUAL_HOST is read from the environment if the option says so', async (t) => {
  await engine.removeAll()
  const port = await choosePort()
  const args = ['-e', 'VIRTUAL_HOST=env.test', '-e', `VIRTUAL_PORT=${port}`]
  await engine.run('web', {}, { command: SERVE(port), args })
  const source = dockerSource({ endpoint: `unix://${engine.socket}`, virtualHost: true })

  const watched = watchRegistry(t, createDockerProvider(source))
  await watched.next()

  assert.match(JSON.stringify([...watched.objects().values()]), /env\.test/)
})
