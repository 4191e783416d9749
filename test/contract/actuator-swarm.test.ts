// needs: docker-networks
/** The actuator of Swarm at a real manager, and at a fake one for what a real one cannot be made to do. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { Actuator } from '../../src/scaling/actuator.ts'
import { openSwarm } from '../../src/scaling/actuators/swarm.ts'
import { actuatorContext, inTime } from '../support/actuators.ts'
import { IMAGE } from '../support/docker-engine.ts'
import { startSwarm } from '../support/docker-networks.ts'
import { startFakeDocker, type FakeDocker } from '../support/fake-docker.ts'
import { swarmSource } from '../support/swarm-source.ts'
import { eventually } from '../support/until.ts'

const manager = await startSwarm({ after })
const { docker } = manager

function open(t: TestContext, service: string, endpoint = `unix://${manager.socket}`): Actuator {
  const sources = [swarmSource({ endpoint })]
  const actuator = openSwarm({ kind: 'swarm', service, source: null }, actuatorContext({ sources }))
  t.after(() => actuator.close())
  return actuator
}

async function create(t: TestContext, name: string, ...args: readonly string[]): Promise<void> {
  await docker(
    ...['service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', name, ...args],
    ...[IMAGE, 'sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'],
  )
  t.after(() => docker('service', 'rm', name))
}

/** As often as it takes: the engine refuses an update of a version that another has changed since. */
async function update(...args: readonly string[]): Promise<void> {
  const words = ['service', 'update', '--detach', '--quiet', ...args]
  await eventually(
    () =>
      docker(...words).then(
        () => true,
        (error: unknown) => {
          if (/update out of sequence/.test(String(error))) return false
          throw error
        },
      ),
    'the engine takes the update',
  )
}

async function runningOf(name: string): Promise<number> {
  const found = await docker('ps', '-q', '-f', `label=com.docker.swarm.service.name=${name}`)
  return found === '' ? 0 : found.split('\n').length
}

async function inspect(name: string): Promise<Record<string, unknown>> {
  const [service] = JSON.parse(await docker('service', 'inspect', name)) as [
    { readonly Spec: Record<string, unknown> },
  ]
  return service.Spec
}

test('a service of a swarm is scaled up, to zero and back, and nothing else of it changes', async (t) => {
  await create(
    t,
    'web',
    '--replicas',
    '1',
    '--label',
    'team=vote',
    '--limit-memory',
    '64M',
    '--env',
    'A=1',
  )
  const actuator = open(t, 'web')
  const before = await inspect('web')

  assert.equal(await actuator.observed(inTime()), 1)
  await actuator.setReplicas(3, inTime())
  assert.equal(await actuator.observed(inTime()), 3)
  await eventually(async () => (await runningOf('web')) === 3, 'three tasks run')
  await actuator.setReplicas(0, inTime())
  assert.equal(await actuator.observed(inTime()), 0)
  await eventually(async () => (await runningOf('web')) === 0, 'no task runs')
  await actuator.setReplicas(1, inTime())
  await eventually(async () => (await runningOf('web')) === 1, 'one task runs')

  assert.deepEqual(await inspect('web'), before)
})

test('a number that a service has already is not written', async (t) => {
  await create(t, 'same', '--replicas', '0')
  const actuator = open(t, 'same')
  const version = (): Promise<string> =>
    docker('service', 'inspect', '-f', '{{.Version.Index}}', 'same')
  const before = await version()

  await actuator.setReplicas(0, inTime())

  assert.equal(await version(), before)
})

test('changes by others at the same time are kept, and the number is written all the same', async (t) => {
  await create(t, 'shared', '--replicas', '0')
  const others = Array.from({ length: 4 }, () => open(t, 'shared'))
  const labels = Array.from({ length: 8 }, (_, at) => `label-${at}`)

  const labelled = (async (): Promise<void> => {
    for (const label of labels) await update('--label-add', `${label}=1`, 'shared')
  })()
  await Promise.all(others.map((actuator, at) => actuator.setReplicas(at, inTime())))
  await labelled

  assert.deepEqual(Object.keys((await inspect('shared'))['Labels'] as object), labels)
  assert.ok(((await others[0]?.observed(inTime())) ?? 9) <= 3)
})

test('a service that is missing, global or named by the beginning of its id is an error', async (t) => {
  await create(t, 'each', '--mode', 'global', '--constraint', 'node.labels.none==1')
  const id = await docker('service', 'inspect', '-f', '{{.ID}}', 'each')
  const where = `of the swarm at unix://${manager.socket}`

  await assert.rejects(open(t, 'nothing').setReplicas(2, inTime()), {
    message: `cannot scale the service "nothing" ${where} to 2: there is no such service; docker service ls shows their names`,
  })
  await assert.rejects(open(t, id.slice(0, 8)).observed(inTime()), /there is no such service/)
  await assert.rejects(open(t, 'each').setReplicas(2, inTime()), /it is not replicated but global/)
})

test('an engine that is no manager, and one that is not there, are errors', async (t) => {
  const fake = await startFakeDocker(t)
  fake.answer('/services/web', (response) => {
    response.writeHead(503, { 'content-type': 'application/json' })
    response.end('{"message":"This node is not a swarm manager."}')
  })

  await assert.rejects(
    open(t, 'web', fake.endpoint).observed(inTime()),
    /is not a manager of a swarm/,
  )
  await assert.rejects(
    open(t, 'web', 'unix:///nowhere.sock').setReplicas(2, inTime()),
    /to 2: there is no socket \/nowhere\.sock: is the Docker engine running/,
  )
})

const SERVICE = {
  ID: 'abc',
  Version: { Index: 7 },
  Spec: { Name: 'web', Mode: { Replicated: { Replicas: 2 } } },
}

function answerService(fake: FakeDocker, service: unknown): void {
  fake.answer('/services/web', (response) => response.end(JSON.stringify(service)))
}

test('a manager that fails, refuses, hangs or talks nonsense is one error in one line', async (t) => {
  const fake = await startFakeDocker(t)
  const actuator = open(t, 'web', fake.endpoint)
  const nonsense = [
    [[], /there is no such service/],
    [{ ...SERVICE, Version: {} }, /without ID, Version or Spec$/],
    [
      { ...SERVICE, Spec: { Name: 'web', Mode: { Replicated: { Replicas: 'two' } } } },
      /without a number of replicas$/,
    ],
  ] as const

  for (const [body, reason] of nonsense) {
    answerService(fake, body)
    await assert.rejects(actuator.setReplicas(3, inTime()), reason)
  }
  answerService(fake, SERVICE)
  for (const [status, reason] of [
    [500, /\/services\/abc\/update with 500: no leader$/],
    [403, /\/services\/abc\/update with 403: no leader$/],
  ] as const) {
    fake.answer('/services/abc/update', (response) => response.writeHead(status).end('no\nleader'))
    await assert.rejects(actuator.setReplicas(3, inTime()), reason)
  }
  fake.answer('/services/abc/update', () => {})
  await assert.rejects(actuator.setReplicas(3, AbortSignal.timeout(100)), /no response in time$/)
})

test('a service that somebody else changes without end is given up', async (t) => {
  const fake = await startFakeDocker(t)
  answerService(fake, SERVICE)
  let tries = 0
  fake.answer('/services/abc/update', (response) => {
    tries += 1
    response
      .writeHead(500)
      .end('{"message":"rpc error: code = Unknown desc = update out of sequence"}')
  })

  await assert.rejects(
    open(t, 'web', fake.endpoint).setReplicas(3, inTime()),
    /another client changed it each of 10 times$/,
  )
  assert.equal(tries, 10)
})

test('a number of the specification that JavaScript would round is not written', async (t) => {
  const fake = await startFakeDocker(t)
  const limit = '"TaskTemplate":{"Resources":{"Limits":{"MemoryBytes":9223372036854775807}}}'
  const text = JSON.stringify(SERVICE).replace('"Name":"web"', `"Name":"web",${limit}`)
  fake.answer('/services/web', (response) => response.end(text))

  await assert.rejects(
    open(t, 'web', fake.endpoint).setReplicas(3, inTime()),
    /: its TaskTemplate\.Resources\.Limits\.MemoryBytes is a number that would be rounded$/,
  )
})
