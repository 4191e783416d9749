// needs: docker-networks
/** Containers in networks of a real engine, which is in namespaces of its own: its socket can be reached, its networks cannot. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { createDockerProvider } from '../../src/providers/docker/docker-provider.ts'
import { IMAGE } from '../support/docker-engine.ts'
import { startBridges } from '../support/docker-networks.ts'
import { dockerSource } from '../support/docker-source.ts'
import { watchRegistry, type RegistryWatch } from './registry-watch.ts'

const engine = await startBridges({ after })
const { docker } = engine
for (const network of ['back', 'front']) await docker('network', 'create', network)

async function watch(t: TestContext, written: object = {}): Promise<RegistryWatch> {
  await engine.removeAll()
  const source = dockerSource({ endpoint: `unix://${engine.socket}`, ...written })
  const options = { ownId: null, connect: () => Promise.resolve(null) }
  const watched = watchRegistry(t, createDockerProvider(source, options))
  await watched.next()
  return watched
}

async function run(name: string, ...args: readonly string[]): Promise<void> {
  const labels = ['sluice.enable=true', `sluice.host=${name}.test`, 'sluice.port=80']
  const flags = labels.flatMap((label) => ['--label', label])
  await docker('run', '-d', '--init', '--name', name, ...flags, ...args, IMAGE, 'sleep', '1000')
}

function addressIn(name: string, network: string): Promise<string> {
  return docker(
    'inspect',
    '-f',
    `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`,
    name,
  )
}

async function untilUrl(watched: RegistryWatch, url: string): Promise<void> {
  const isSo = (): boolean => {
    const { value } = watched.objects().get('server web/web') ?? {}
    return (value as { url?: string } | undefined)?.url === url
  }
  if (!isSo()) await watched.until(isSo, url)
}

test('a container is reached at its address in its network, also after a restart', async (t) => {
  const watched = await watch(t)
  await run('web', '--network', 'back')
  await untilUrl(watched, `http://${await addressIn('web', 'back')}:80`)

  await docker('stop', '-t', '1', 'web')
  await watched.until((objects) => objects.size === 0, 'its end')
  // Takes the address that was its own.
  await docker('run', '-d', '--network', 'back', IMAGE, 'sleep', '1000')
  await docker('start', 'web')

  await untilUrl(watched, `http://${await addressIn('web', 'back')}:80`)
})

test('of two networks the label chooses, and what joins or leaves later counts', async (t) => {
  const watched = await watch(t)
  await run('web', '--network', 'back', '--label', 'sluice.network=front')
  await watched.until((objects) => objects.has('server web/web'), 'its server')
  const before = watched.objects().get('server web/web')?.fault

  await docker('network', 'connect', 'front', 'web')
  await untilUrl(watched, `http://${await addressIn('web', 'front')}:80`)
  await docker('network', 'disconnect', 'front', 'web')
  await watched.until((objects) => objects.get('server web/web')?.fault !== undefined, 'its fault')

  assert.match(before ?? '', /is not in network "front" \(it is in "back"\)/)
})

test('two networks without a choice are a fault that names both', async (t) => {
  const watched = await watch(t)
  await run('web', '--network', 'back')
  await untilUrl(watched, `http://${await addressIn('web', 'back')}:80`)

  await docker('network', 'connect', 'front', 'web')
  await watched.until((objects) => objects.get('server web/web')?.fault !== undefined, 'its fault')

  assert.match(watched.objects().get('server web/web')?.fault ?? '', /"back", "front"/)
})

test('a published port is reached on the host of the engine', async (t) => {
  const watched = await watch(t, { publishedPorts: true, hostAddress: 'docker1.test' })
  await run('web', '-p', '80')
  const bound = await docker('port', 'web', '80/tcp')
  const port = /:(\d+)$/.exec(bound.split('\n')[0] ?? '')?.[1]

  await untilUrl(watched, `http://docker1.test:${port}`)
})

test('a container without a network is a server with a reason', async (t) => {
  const watched = await watch(t)

  await run('web', '--network', 'none')
  await watched.until((objects) => objects.get('server web/web')?.fault !== undefined, 'its fault')

  assert.match(watched.objects().get('server web/web')?.fault ?? '', /has no network/)
})
