// needs: docker-engine, redis-server
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import {
  startContainerAgent,
  type ContainerAgent,
} from '../../src/agent/containers/container-agent.ts'
import { containersSchema, readContainers } from '../../src/agent/containers/options.ts'
import { openRegistrar, parseRegistrar } from '../../src/agent/registrar/catalog.ts'
import { createLog } from '../../src/observe/log.ts'
import { startDockerEngine } from '../support/docker-engine.ts'
import { startRedis, type RedisServer } from '../support/redis.ts'
import { eventually } from '../support/until.ts'

const engine = await startDockerEngine({ after })

interface Stage {
  readonly redis: RedisServer
  readonly agent: ContainerAgent
  readonly log: () => string
  /** Ids in the registry, with their addresses. */
  services(): Promise<readonly string[]>
}

async function start(
  t: TestContext,
  redis: RedisServer,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Stage> {
  const written = { kind: 'redis', endpoints: redis.endpoint, layout: 'registrator', ttl: '2s' }
  const spec = parseRegistrar('redis', { ...written, ...more }, ['registry'])
  assert.ok(spec.ok)
  const form = { endpoint: `unix://${engine.socket}`, hostname: 'host-1', hostAddress: '10.0.0.5' }
  let lines = ''
  const agent = await startContainerAgent({
    spec: readContainers(containersSchema.parse(form), (message) => assert.fail(message)),
    openRegistrar: (listener) => openRegistrar(spec.value, listener),
    log: createLog('info', { write: (text) => void (lines += String(text)) }),
  })
  t.after(() => agent.stop().catch(() => {}))
  return { redis, agent, log: () => lines, services: () => servicesIn(redis) }
}

async function servicesIn(redis: RedisServer): Promise<readonly string[]> {
  const keys = (await redis.command('KEYS', '/services/*')) as readonly string[]
  const found = await Promise.all(
    keys.map(
      async (key) => `${key.slice('/services/'.length)} ${String(await redis.command('GET', key))}`,
    ),
  )
  return found.sort()
}

/** In the host's network: it has no other here. */
function run(name: string, labels: Readonly<Record<string, string>>): Promise<string> {
  return engine.run(name, labels, { args: ['--expose', '8080', '--expose', '8081/udp'] })
}

test('containers are registered while they run, and removed as they are stopped', async (t) => {
  t.after(() => engine.removeAll())
  await run('old', { SERVICE_NAME: 'shop', SERVICE_8081_IGNORE: '1' })
  const { services, agent, log } = await start(t, await startRedis(t))

  await eventually(async () => (await services()).length === 1, 'the first is registered')
  await run('new', { SERVICE_NAME: 'shop', SERVICE_REGION: 'us2' })
  await run('ignored', { SERVICE_IGNORE: '1' })
  await eventually(async () => (await services()).length === 3, 'the second is registered')
  const both = await services()
  await engine.docker('stop', '--time', '60', 'old')
  await eventually(async () => (await services()).length === 2, 'the first is removed')
  await engine.docker('rm', '-f', 'new')
  await eventually(async () => (await services()).length === 0, 'the second is removed')
  await run('last', {})
  await eventually(async () => (await services()).length === 2, 'the last is registered')
  const last = await services()
  await agent.stop()

  assert.deepEqual(both, [
    'shop-8080/host-1:new:8080 10.0.0.5:8080',
    'shop-8080/host-1:old:8080 10.0.0.5:8080',
    'shop-8081/host-1:new:8081:udp 10.0.0.5:8081',
  ])
  assert.deepEqual(last, [
    'sluice-test-8080/host-1:last:8080 10.0.0.5:8080',
    'sluice-test-8081/host-1:last:8081:udp 10.0.0.5:8081',
  ])
  assert.deepEqual(await services(), [])
  assert.doesNotMatch(log(), /"level":"(?:error|warn)"/)
})

test('a container leaves the registry as it gets the signal to stop, before it has ended', async (t) => {
  t.after(() => engine.removeAll())
  const command = ['sh', '-c', 'trap "sleep 100000" TERM; sleep 100000 & wait']
  await engine.run('slow', {}, { args: ['--expose', '8080', '--stop-timeout', '60'], command })
  const { services } = await start(t, await startRedis(t))
  await eventually(async () => (await services()).length === 1, 'it is registered')

  const stopped = engine.docker('stop', 'slow').catch(() => {})
  await eventually(async () => (await services()).length === 0, 'it is removed')
  const isRunning = await engine.docker('inspect', '-f', '{{.State.Running}}', 'slow')
  await engine.docker('kill', 'slow')
  await stopped

  assert.equal(isRunning, 'true')
})

test('an engine that is away changes nothing, and is listed again when it is back', async (t) => {
  t.after(() => engine.removeAll())
  await run('stays', { SERVICE_8081_IGNORE: '1' })
  await run('goes', { SERVICE_8081_IGNORE: '1' })
  const { services, log } = await start(t, await startRedis(t))
  await eventually(async () => (await services()).length === 2, 'both are registered')

  await engine.kill()
  await eventually(() => log().includes('the engine is not reached'), 'it is reported')
  const during = await services()
  await engine.start()
  await engine.docker('rm', '-f', 'goes')
  await eventually(async () => (await services()).length === 1, 'one is removed')

  assert.equal(during.length, 2)
  assert.deepEqual(await services(), ['sluice-test-8080/host-1:stays:8080 10.0.0.5:8080'])
})
