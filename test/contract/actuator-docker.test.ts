// needs: docker-engine
/** A pool of containers at a real engine, and at a fake one for what a real one cannot be made to do. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { openDockerPool } from '../../src/scaling/actuators/docker.ts'
import type { Actuator } from '../../src/scaling/actuator.ts'
import {
  actuatorContext,
  createRotation,
  inTime,
  type FakeRotation,
  type TestContextOfActuator,
} from '../support/actuators.ts'
import { IMAGE, startDockerEngine } from '../support/docker-engine.ts'
import { dockerSource } from '../support/docker-source.ts'
import { fakeContainer, startFakeDocker } from '../support/fake-docker.ts'
import { eventually } from '../support/until.ts'

const engine = await startDockerEngine({ after })
const { docker } = engine
const LABEL = 'pool=vote'

interface Site extends TestContextOfActuator {
  readonly actuator: Actuator
}

async function open(
  t: TestContext,
  { rotation = createRotation(), endpoint = `unix://${engine.socket}`, stopMs = 2_000 } = {},
): Promise<Site> {
  const context = actuatorContext({ sources: [dockerSource({ endpoint })], rotation })
  const spec = { kind: 'docker', label: LABEL, source: null, stopMs } as const
  const actuator = openDockerPool(spec, context)
  t.after(() => actuator.close())
  return { ...context, actuator }
}

/** Containers that end at SIGTERM, in this order. */
async function createPool(t: TestContext, names: readonly string[]): Promise<FakeRotation> {
  t.after(() => engine.removeAll())
  for (const name of names) {
    await docker(
      ...['create', '--name', name, '--network', 'host', '--label', LABEL, IMAGE],
      ...['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'],
    )
  }
  return createRotation(...names.map((id) => ({ id })))
}

async function running(): Promise<string> {
  const names = await docker('ps', '--format', '{{.Names}}')
  return names.split('\n').sort().join(' ').trim()
}

test('of a pool so many containers run, and the others get no requests', async (t) => {
  const rotation = await createPool(t, ['aa', 'bb', 'cc'])
  const { actuator } = await open(t, { rotation })

  assert.equal(await actuator.observed(inTime()), 0)
  await actuator.setReplicas(2, inTime())
  assert.deepEqual([await running(), await actuator.observed(inTime())], ['aa bb', 2])
  await actuator.setReplicas(3, inTime())
  assert.equal(await running(), 'aa bb cc')
  await actuator.setReplicas(1, inTime())
  assert.equal(await actuator.observed(inTime()), 1)
  await eventually(async () => (await running()) === 'aa', 'one runs')
  await actuator.setReplicas(3, inTime())

  assert.deepEqual([await running(), rotation.held()], ['aa bb cc', []])
})

test('the least loaded container is stopped, once its requests have ended', async (t) => {
  const rotation = await createPool(t, ['aa', 'bb'])
  const { actuator } = await open(t, { rotation, stopMs: 60_000 })
  await actuator.setReplicas(2, inTime())
  for (const server of rotation.declared) server.inFlight = server.id === 'aa' ? 1 : 2

  await actuator.setReplicas(1, inTime())

  assert.deepEqual(rotation.held(), ['aa'])
  assert.equal(await running(), 'aa bb')
  const [first] = rotation.declared
  if (first !== undefined) first.inFlight = 0
  await eventually(async () => (await running()) === 'bb', 'the other one runs')
})

test('a container that is wanted again while it drains goes on serving', async (t) => {
  const rotation = await createPool(t, ['aa', 'bb'])
  const { actuator } = await open(t, { rotation, stopMs: 60_000 })
  await actuator.setReplicas(2, inTime())
  for (const server of rotation.declared) server.inFlight = 1
  const started = await docker('inspect', '-f', '{{.State.StartedAt}}', 'aa', 'bb')

  await actuator.setReplicas(0, inTime())
  assert.deepEqual([rotation.held(), await actuator.observed(inTime())], [['aa', 'bb'], 0])
  await actuator.setReplicas(2, inTime())

  await eventually(() => rotation.held().length === 0, 'both get requests')
  assert.equal(await actuator.observed(inTime()), 2)
  assert.equal(await docker('inspect', '-f', '{{.State.StartedAt}}', 'aa', 'bb'), started)
})

test('a container that somebody else starts, or makes anew by its name, gets requests', async (t) => {
  const rotation = await createPool(t, ['aa', 'bb'])
  const { actuator } = await open(t, { rotation })
  await actuator.setReplicas(2, inTime())
  await actuator.setReplicas(0, inTime())
  await eventually(async () => (await running()) === '', 'none runs')
  await eventually(async () => (await actuator.observed(inTime())) === 0, 'both are stopped')
  assert.deepEqual(rotation.held(), ['aa', 'bb'])

  await docker('start', 'aa')
  await docker('rm', 'bb')

  assert.equal(await actuator.observed(inTime()), 1)
  assert.deepEqual(rotation.held(), [])
})

test('a request that does not end delays the stop for a limited time', async (t) => {
  const rotation = await createPool(t, ['aa'])
  const { actuator } = await open(t, { rotation, stopMs: 1_000 })
  await actuator.setReplicas(1, inTime())
  for (const server of rotation.declared) server.inFlight = 1

  await actuator.setReplicas(0, inTime())

  await eventually(async () => (await running()) === '', 'none runs')
})

test('a pool that is too small, and one that is empty, are errors', async (t) => {
  await createPool(t, ['aa', 'bb'])
  const { actuator } = await open(t)
  const what = `the containers with label "${LABEL}" at unix://${engine.socket}`

  await assert.rejects(actuator.setReplicas(5, inTime()), {
    message: `cannot scale ${what} to 5: there are only 2: make more of them, or lower max`,
  })
  assert.equal(await running(), 'aa bb')
  await engine.removeAll()
  await assert.rejects(
    actuator.setReplicas(1, inTime()),
    /there are none: make them with docker create/,
  )
})

test('a container that does not start is an error that names it, and the others start', async (t) => {
  await createPool(t, ['aa', 'bb'])
  await docker(
    'create',
    '--name',
    'broken',
    '--network',
    'host',
    '--label',
    LABEL,
    IMAGE,
    '/nowhere',
  )
  const { actuator } = await open(t)

  await assert.rejects(
    actuator.setReplicas(3, inTime()),
    /to 3: container "broken" does not start: the Docker engine at .* responds to .* with \d+/,
  )
  assert.equal(await running(), 'aa bb')
})

test('an engine that fails, hangs or refuses to stop is said, and the container gets requests again', async (t) => {
  const fake = await startFakeDocker(t)
  const container = fakeContainer('aa', { pool: 'vote' })
  fake.containers.set(container.Id, container)
  const rotation = createRotation({ id: 'aa' })
  const { actuator, lines } = await open(t, { rotation, endpoint: fake.endpoint })
  fake.answer(`/containers/${container.Id}/stop`, (response) =>
    response.writeHead(500).end('no\nway'),
  )

  await actuator.setReplicas(0, inTime())
  await eventually(() => lines.length > 0, 'the refusal is logged')
  assert.match(lines[0] ?? '', /^warn: cannot stop container "aa": .* with 500: no way$/)
  assert.deepEqual([rotation.held(), await actuator.observed(inTime())], [[], 1])
  fake.answer('/containers/json', (response) => response.end('{}'))
  await assert.rejects(actuator.observed(inTime()), /is not a list/)
  fake.answer('/containers/json', () => {})

  await assert.rejects(actuator.setReplicas(2, AbortSignal.timeout(100)), /no response in time$/)
})
