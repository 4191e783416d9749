// What traffic notices of a Marathon that fails, deploys and forgets: nothing. It is a fake, see test/support/fake-marathon.ts.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startFakeMarathon, type FakeMarathon } from '../support/fake-marathon.ts'
import { startLoad, type Load, type Report } from '../support/load.ts'
import { createApp, HTTP_CHECK, type TaskForm } from '../support/marathon-apps.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { reportOf, untilSource, untilTable } from '../support/sources.ts'

const LABELS = { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: 'shop.test' }

interface Stage {
  readonly fake: FakeMarathon
  readonly program: Program
  readonly load: Load
  /** The ids of the tasks in force. */
  untilTasks(ids: readonly string[]): Promise<void>
}

async function startTask(t: TestContext, id: string, afterMs = 0): Promise<TaskForm> {
  const { port } = await startNamed(t, id, afterMs)
  return { id, host: '127.0.0.1', ports: [port], alive: [true] }
}

async function setStage(
  t: TestContext,
  tasks: readonly TaskForm[],
  source: object = {},
): Promise<Stage> {
  const fake = await startFakeMarathon(t, { nodes: 3 })
  fake.put(createApp({ id: '/shop', labels: LABELS, healthChecks: [], tasks }))
  const program = await startProgram(t, {
    workers: 2,
    data: makeFolder(t),
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    sources: { marathon: { endpoints: fake.endpoints, ...source } },
  })
  const request = (): string => 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n'
  return {
    fake,
    program,
    load: startLoad(t, { port: program.port, clients: 6, pauseMs: 5, request }),
    async untilTasks(ids) {
      const wanted = ids.map((id) => `shop_10000/${id}`).join()
      const isSo = ({ objects }: { objects: readonly { id: string }[] }): boolean =>
        objects
          .map(({ id }) => id)
          .toSorted()
          .join() === wanted
      await untilTable(program, '?kind=server', isSo, `the tasks ${ids.join()}`)
    },
  }
}

function assertUntouched(t: TestContext, report: Report): void {
  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
  assert.equal(report.refused, 0)
  t.diagnostic(`${report.answered} requests, none failed`)
}

test('a rolling deployment with slow requests fails none of them', async (t) => {
  const tasks = [await startTask(t, 'a1', 100), await startTask(t, 'a2', 100)]
  const { fake, load, untilTasks } = await setStage(t, tasks)
  fake.put({ ...fake.apps()[0], healthChecks: [HTTP_CHECK] })
  await load.more(20)

  for (const [next, old] of [
    ['b1', 'a1'],
    ['b2', 'a2'],
  ] as const) {
    const task = await startTask(t, next, 100)
    fake.task('/shop', { ...task, alive: null, state: 'TASK_STAGING' })
    fake.task('/shop', { ...task, alive: null, state: 'TASK_RUNNING' })
    fake.task('/shop', task)
    await untilTasks(old === 'a1' ? ['a1', 'a2', 'b1'] : ['a2', 'b1', 'b2'])
    fake.task('/shop', { id: old, state: 'TASK_KILLING' })
    await load.more(20)
    fake.removeTask('/shop', old)
  }
  await untilTasks(['b1', 'b2'])
  await load.more(20)

  assertUntouched(t, await load.stop())
})

test('all Marathons die and are back under load: the table stays, and is in step again', async (t) => {
  const one = await startTask(t, 'one')
  const { fake, program, load, untilTasks } = await setStage(t, [one])
  await load.more(100)

  await Promise.all([0, 1, 2].map((node) => fake.stop(node)))
  const stale = await untilSource(program, 'marathon', ({ state }) => state === 'stale', 'stale')
  await load.more(500)
  fake.task('/shop', await startTask(t, 'two'))
  await Promise.all([0, 1, 2].map((node) => fake.start(node)))
  await untilSource(program, 'marathon', ({ state }) => state === 'live', 'live')
  await untilTasks(['one', 'two'])
  await load.more(100)

  assert.notEqual(stale.error, null)
  assertUntouched(t, await load.stop())
})

test('the leader changes five times under load', async (t) => {
  const { fake, program, load, untilTasks } = await setStage(t, [await startTask(t, 'one')])

  for (let turn = 1; turn <= 5; turn++) {
    const { losses } = await reportOf(program, 'marathon')
    fake.lead(turn % 3)
    await untilSource(
      program,
      'marathon',
      (report) => report.state === 'live' && report.losses > losses,
      'live with the next leader',
    )
    await load.more(50)
  }
  fake.task('/shop', await startTask(t, 'two'))
  await untilTasks(['one', 'two'])

  assertUntouched(t, await load.stop())
})

test('a Marathon that comes back with no apps is held, and then believed', async (t) => {
  const source = { shrink: { hold: '1s' } }
  const { fake, program, load } = await setStage(t, [await startTask(t, 'one')], source)
  await load.more(100)

  await fake.stop(0)
  fake.wipe()
  await fake.start(0)
  const { held } = await untilSource(program, 'marathon', (report) => report.held !== null, 'held')
  await load.more(100)
  const report = await load.stop()
  await untilTable(program, '', ({ objects }) => objects.length === 1, 'only the listener is left')

  assertUntouched(t, report)
  assert.match(held?.reason ?? '', /empty/)
})

test('an app is offered on its service port, and only its own routes are there', async (t) => {
  const fake = await startFakeMarathon(t)
  const [shop, plain] = [await choosePort(), await choosePort()]
  const tasks = [await startTask(t, 'one')]
  fake.put(createApp({ id: '/shop', labels: LABELS, servicePorts: [shop], tasks }))
  fake.put(createApp({ id: '/plain', servicePorts: [plain], tasks }))
  const program = await startProgram(t, {
    workers: 1,
    data: makeFolder(t),
    listeners: { web: { address: '127.0.0.1:0' } },
    sources: { marathon: { endpoints: fake.endpoints, servicePorts: '127.0.0.1' } },
  })
  await program.until(
    () => Object.keys(program.ports).length === 3 || program.output().includes(`:${plain}`),
    'the listeners',
  )

  const ask = async (port: number, host: string): Promise<number> => {
    const client = await openClient(t, port)
    return (await client.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status
  }

  assert.equal(await ask(plain, 'any.test'), 200)
  assert.equal(await ask(shop, 'any.test'), 200)
  assert.equal(await ask(program.port, 'any.test'), 404)
  assert.equal(await ask(program.port, 'shop.test'), 200)
})
