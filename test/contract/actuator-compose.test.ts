// needs: docker-engine, compose
/** The actuator of compose with the real one at a real engine, and with programs that fail in its place. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { openCompose } from '../../src/scaling/actuators/compose.ts'
import type { Actuator } from '../../src/scaling/actuator.ts'
import { fetchCompose } from '../docker/users-engine.ts'
import {
  actuatorContext,
  createRotation,
  inTime,
  type FakeRotation,
  type TestContextOfActuator,
} from '../support/actuators.ts'
import { IMAGE, startDockerEngine } from '../support/docker-engine.ts'
import { eventually } from '../support/until.ts'

const engine = await startDockerEngine({ after })
const { docker } = engine
const plugins = join(engine.env['DOCKER_CONFIG'] ?? '', 'cli-plugins')
mkdirSync(plugins, { recursive: true })
symlinkSync(fetchCompose(), join(plugins, 'docker-compose'))
// The actuator runs it with the environment of its own process.
Object.assign(process.env, engine.env)

const FILE = `
services:
  web:
    image: ${IMAGE}
    network_mode: host
    stop_grace_period: 2s
    depends_on: [other]
    command: ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait']
  other:
    image: ${IMAGE}
    network_mode: host
    stop_grace_period: 2s
    command: ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait']
`

interface Site extends TestContextOfActuator {
  readonly actuator: Actuator
  readonly folder: string
}

function open(
  t: TestContext,
  { service = 'web', command = ['docker', 'compose'], rotation = createRotation() } = {},
): Site {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-compose-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'compose.yaml'), FILE)
  const context = actuatorContext({ config: join(folder, 'sluice.yaml'), rotation })
  const spec = {
    kind: 'compose',
    service,
    files: ['compose.yaml'],
    project: 'shop',
    command,
  } as const
  const actuator = openCompose(spec, context)
  t.after(async () => {
    await actuator.close()
    await engine.removeAll()
  })
  return { ...context, actuator, folder }
}

async function running(): Promise<string> {
  const names = await docker('ps', '--format', '{{.Names}}')
  return names.split('\n').sort().join(' ').trim()
}

function withServers(count: number): FakeRotation {
  return createRotation(...Array.from({ length: count }, (_, at) => ({ id: `shop-web-${at + 1}` })))
}

test('a service of compose is scaled up, down and to zero, and others stay as they are', async (t) => {
  const { actuator, folder } = open(t)
  const file = ['compose', '--file', join(folder, 'compose.yaml'), '--project-name', 'shop']
  await docker(...file, 'up', '--detach', '--scale', 'other=2', 'other')

  assert.equal(await actuator.observed(inTime()), 0)
  await actuator.setReplicas(3, inTime())
  await eventually(
    async () => (await running()) === 'shop-other-1 shop-other-2 shop-web-1 shop-web-2 shop-web-3',
    'three run beside the others',
  )
  assert.equal(await actuator.observed(inTime()), 3)
  await actuator.setReplicas(1, inTime())
  await eventually(
    async () => (await running()) === 'shop-other-1 shop-other-2 shop-web-1',
    'the first one is left',
  )
  await actuator.setReplicas(0, inTime())

  await eventually(async () => (await running()) === 'shop-other-1 shop-other-2', 'none runs')
})

test('the containers that compose will remove get no requests before it is called', async (t) => {
  const rotation = withServers(3)
  const { actuator } = open(t, { rotation })
  await actuator.setReplicas(3, inTime())
  const last = rotation.declared[2]
  assert.ok(last !== undefined)
  last.inFlight = 1

  const scaled = actuator.setReplicas(2, inTime())
  await eventually(() => rotation.held().join() === 'shop-web-3', 'the last one drains')
  const before = await running()
  last.inFlight = 0
  await scaled

  assert.equal(before, 'shop-web-1 shop-web-2 shop-web-3')
  await eventually(async () => (await running()) === 'shop-web-1 shop-web-2', 'it is gone')
  await eventually(() => rotation.held().length === 0, 'nothing is held')
})

test('a service that the files do not have is an error', async (t) => {
  const { actuator } = open(t, { service: 'nothing' })

  await assert.rejects(
    actuator.setReplicas(2, inTime()),
    /^Error: cannot scale the compose service "nothing" to 2: "docker compose" failed: it ended with 1: .*no such service: nothing/,
  )
})

function program(folder: string, name: string, lines: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${lines}\n`)
  chmodSync(path, 0o755)
  return path
}

test('a command that is missing, fails or talks nonsense is one error in one line', async (t) => {
  const { folder } = open(t)
  const cases = [
    ['/nowhere/compose', /: "\/nowhere\/compose" failed: there is no such program$/],
    [program(folder, 'fails', 'echo "no\nway" >&2; exit 17'), /failed: it ended with 17: no way$/],
    [program(folder, 'talks', 'echo NAME STATE'), /what compose writes is not JSON/],
    [program(folder, 'floods', 'yes x'), /failed: it writes more than 1048576 characters$/],
  ] as const

  for (const [command, reason] of cases) {
    const { actuator } = open(t, { command: [command] })
    await assert.rejects(actuator.setReplicas(2, inTime()), ({ message }: Error) => {
      assert.match(message, reason)
      assert.doesNotMatch(message, /\n/)
      return true
    })
  }
})

test('a call that is stopped, and an actuator that is closed, end the command', async (t) => {
  const { folder } = open(t)
  const { actuator } = open(t, { command: [program(folder, 'sleeps', 'exec sleep 1000')] })

  await assert.rejects(actuator.setReplicas(2, AbortSignal.timeout(100)), /it was stopped$/)
})
