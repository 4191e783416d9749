/** Processes of this machine, as the actuator starts and ends them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Actuator } from '../../src/scaling/actuator.ts'
import { openProcesses } from '../../src/scaling/actuators/process.ts'
import {
  actuatorContext,
  createRotation,
  inTime,
  type TestContextOfActuator,
} from '../support/actuators.ts'
import { adjacentPorts } from '../support/ports.ts'
import { eventually } from '../support/until.ts'

/** Serves its process id and replica; ends at SIGTERM. */
const SERVE = `require('node:http').createServer((_, response) =>
  response.end(process.pid + ' ' + process.env.REPLICA)).listen(process.env.PORT, '127.0.0.1')`
/** Ignores SIGTERM. */
const STUBBORN = `process.on('SIGTERM', () => {}); ${SERVE}`
const STOP_MS = 500

interface Site extends TestContextOfActuator {
  readonly actuator: Actuator
  readonly port: number
}

async function open(
  t: TestContext,
  command: readonly string[],
  { replicas = 3, stopMs = STOP_MS } = {},
): Promise<Site> {
  const [port = 0] = await adjacentPorts(replicas)
  const rotation = createRotation(
    ...Array.from({ length: replicas }, (_, at) => ({
      id: String(at + 1),
      url: `http://127.0.0.1:${port + at}`,
    })),
  )
  const context = actuatorContext({ rotation, config: join(tmpdir(), 'sluice.yaml') })
  const actuator = await openProcesses({ kind: 'process', command, port, stopMs }, context)
  t.after(() => actuator.close())
  return { ...context, actuator, port }
}

async function ask(port: number): Promise<readonly string[] | null> {
  const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => null)
  return response === null ? null : (await response.text()).split(' ')
}

function isAlive(pid: string | undefined): boolean {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}

test('each replica has its port, and gets requests while it accepts connections', async (t) => {
  const { actuator, rotation, port } = await open(t, [process.execPath, '-e', SERVE])

  assert.deepEqual([rotation.held(), await actuator.observed(inTime())], [[], 0])
  await actuator.setReplicas(2, inTime())
  assert.ok(rotation.held().includes('3'))
  await eventually(() => rotation.held().join() === '3', 'two serve')
  const answers = [await ask(port), await ask(port + 1), await ask(port + 2)]

  assert.deepEqual(
    answers.map((answer) => answer?.[1]),
    ['1', '2', undefined],
  )
  assert.equal(await actuator.observed(inTime()), 2)
})

test('the last replica is out of rotation first, and ends when its requests have ended', async (t) => {
  const { actuator, rotation, port } = await open(t, [process.execPath, '-e', SERVE], {
    stopMs: 60_000,
  })
  await actuator.setReplicas(3, inTime())
  await eventually(() => rotation.held().length === 0, 'three serve')
  const last = rotation.declared[2]
  assert.ok(last !== undefined)
  last.inFlight = 1

  await actuator.setReplicas(2, inTime())

  assert.deepEqual([rotation.held(), await actuator.observed(inTime())], [['3'], 2])
  assert.equal((await ask(port + 2))?.[1], '3')
  last.inFlight = 0
  await eventually(async () => (await ask(port + 2)) === null, 'the last one has ended')
  assert.equal((await ask(port))?.[1], '1')
})

test('a replica that is wanted again while it drains goes on, and one that has its signal starts anew', async (t) => {
  const { actuator, rotation, port } = await open(t, [process.execPath, '-e', STUBBORN])
  await actuator.setReplicas(1, inTime())
  await eventually(() => !rotation.held().includes('1'), 'it serves')
  const [first] = (await ask(port)) ?? []
  const [server] = rotation.declared
  assert.ok(server !== undefined)
  server.inFlight = 1

  await actuator.setReplicas(0, inTime())
  await actuator.setReplicas(1, inTime())
  const [kept] = (await ask(port)) ?? []
  server.inFlight = 0
  await actuator.setReplicas(0, inTime())
  await eventually(() => !isAlive(first), 'SIGKILL has ended it')
  await actuator.setReplicas(1, inTime())
  await eventually(() => !rotation.held().includes('1'), 'it serves again')
  const [second] = (await ask(port)) ?? []

  assert.equal(kept, first)
  assert.notEqual(second, first)
})

test('a process that ends is started again, after pauses that grow, and its output is logged', async (t) => {
  const failing = 'console.error("no database"); process.exit(3)'
  const { actuator, lines } = await open(t, [process.execPath, '-e', failing])

  await actuator.setReplicas(1, inTime())
  await eventually(() => lines.some((line) => /again in 1 s/.test(line)), 'three ends')

  const ends = lines.filter((line) => line.startsWith('warn'))
  assert.deepEqual(ends.slice(0, 3), [
    'warn: replica 1 of backend "vote" has ended (code 3) and is started again in 0.25 s',
    'warn: replica 1 of backend "vote" has ended (code 3) and is started again in 0.5 s',
    'warn: replica 1 of backend "vote" has ended (code 3) and is started again in 1 s',
  ])
  assert.ok(lines.includes('info: no database'))
})

test('a program that does not exist, and a port beyond the last one, are errors', async (t) => {
  const { actuator } = await open(t, ['/nowhere/serve', '--port={port}'])

  await assert.rejects(actuator.setReplicas(2, inTime()), {
    message:
      'cannot scale the processes of backend "vote" to 2: cannot start "/nowhere/serve": there is no such program',
  })
  await assert.rejects(actuator.setReplicas(65_000, inTime()), /the last one would have port \d+$/)
  assert.equal(await actuator.observed(inTime()), 0)
})

test('arguments have the port and the replica, and no shell reads them', async (t) => {
  const script = `console.log(process.argv.slice(1).join('|')); ${SERVE}`
  const words = ['--port={port}', '{replica}', '$HOME; {other}']
  const { actuator, port, lines } = await open(t, [process.execPath, '-e', script, '--', ...words])

  await actuator.setReplicas(1, inTime())

  await eventually(() => lines.includes(`info: --port=${port}|1|$HOME; {other}`), 'its arguments')
})

test('what a process has started ends with it', async (t) => {
  const parent = `const child = require('node:child_process').spawn(process.execPath,
    ['-e', ${JSON.stringify(SERVE)}], { stdio: 'inherit' }); setInterval(() => {}, 1000)`
  const { actuator, rotation, port } = await open(t, [process.execPath, '-e', parent])
  await actuator.setReplicas(1, inTime())
  await eventually(() => !rotation.held().includes('1'), 'the child serves')
  const [pid] = (await ask(port)) ?? []

  await actuator.close()

  await eventually(() => !isAlive(pid), 'the child has ended')
})

test('a port that another process has is waited for, and what responds there serves meanwhile', async (t) => {
  const { actuator, rotation, port, lines } = await open(t, [process.execPath, '-e', SERVE])
  const other = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')

  await actuator.setReplicas(1, inTime())
  await eventually(() => !rotation.held().includes('1'), 'the other one serves')
  other.close()
  await eventually(async () => (await ask(port))?.[1] === '1', 'the replica has the port')

  assert.ok(
    lines.includes(
      `warn: replica 1 of backend "vote" waits for port ${port}, which another process has`,
    ),
  )
})

test('all of them end after their requests when the actuator is closed', async (t) => {
  const { actuator, rotation, port } = await open(t, [process.execPath, '-e', SERVE], {
    stopMs: 60_000,
  })
  await actuator.setReplicas(2, inTime())
  await eventually(() => rotation.held().join() === '3', 'two serve')
  rotation.declared = rotation.declared.map((one) => ({ ...one, inFlight: 1 }))

  const closed = actuator.close()
  const held = rotation.held()
  await eventually(async () => (await ask(port)) !== null, 'it serves its request')
  rotation.declared = rotation.declared.map((one) => ({ ...one, inFlight: 0 }))
  await closed

  assert.deepEqual(held, ['1', '2', '3'])
  assert.equal(await ask(port), null)
})

test('a program that cannot be started is an error, whatever the system says', async (t) => {
  const { actuator } = await open(t, ['/etc/passwd/program'])

  await assert.rejects(actuator.setReplicas(1, inTime()), {
    message:
      'cannot scale the processes of backend "vote" to 1: cannot start "/etc/passwd/program": spawn ENOTDIR',
  })
  assert.equal(await actuator.observed(inTime()), 0)
})

test('a program that replaces another goes on with the replicas that respond', async (t) => {
  const old = await open(t, [process.execPath, '-e', SERVE])
  await old.actuator.setReplicas(2, inTime())
  await eventually(() => old.rotation.held().join() === '3', 'two serve')
  const [before] = (await ask(old.port)) ?? []
  const context = actuatorContext({
    rotation: createRotation(...old.rotation.declared),
    replaces: true,
  })
  const command = [process.execPath, '-e', SERVE]
  const spec = { kind: 'process', command, port: old.port, stopMs: STOP_MS } as const
  const actuator = await openProcesses(spec, context)
  t.after(() => actuator.close())

  assert.deepEqual([await actuator.observed(inTime()), context.rotation.held()], [2, ['3']])
  await old.actuator.close()

  const found = await eventually(async () => {
    const [pid] = (await ask(old.port)) ?? []
    return pid !== undefined && pid !== before && pid
  }, 'another process has the port')
  assert.ok(isAlive(found))
})

test('before it is told a number, what responds is counted and left as it is', async (t) => {
  const { actuator, rotation, port } = await open(t, [process.execPath, '-e', SERVE])
  const other = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')

  assert.deepEqual([await actuator.observed(inTime()), rotation.held()], [1, []])
})

test('processes end when the program that started them is killed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-guard-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [port = 0] = await adjacentPorts(2)
  const support = fileURLToPath(new URL('../support/actuators.ts', import.meta.url))
  const kind = fileURLToPath(new URL('../../src/scaling/actuators/process.ts', import.meta.url))
  const script = join(folder, 'program.mjs')
  writeFileSync(
    script,
    `import { openProcesses } from ${JSON.stringify(kind)}
     import { actuatorContext, inTime } from ${JSON.stringify(support)}
     const command = ${JSON.stringify([process.execPath, '-e', STUBBORN])}
     const spec = { kind: 'process', command, port: ${port}, stopMs: 100 }
     const actuator = await openProcesses(spec, actuatorContext({ config: ${JSON.stringify(script)} }))
     await actuator.setReplicas(2, inTime())
     setInterval(() => {}, 1000)`,
  )
  const program = spawn(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit'] })
  t.after(() => program.kill('SIGKILL'))
  const one = await eventually(() => ask(port), 'the first one serves')
  const two = await eventually(() => ask(port + 1), 'the second one serves')

  program.kill('SIGKILL')

  await eventually(() => !isAlive(one[0]) && !isAlive(two[0]), 'both have ended')
})
