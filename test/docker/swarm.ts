/**
 * examples/swarm as a user runs it: scaled and updated under load. The kernel of this machine may lack IPVS; then services have no
 * virtual address and no ingress, which Sluice does not use.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { EXAMPLES, isServing, startTraffic, until } from './traffic.ts'
import { startUsersEngine } from './users-engine.ts'

const engine = await startUsersEngine({ after })
const { docker } = engine
const STACK = join(EXAMPLES, 'swarm', 'stack.yml')
const SERVICE = 'shop_web'

await docker('swarm', 'init', '--advertise-addr', '127.0.0.1')

async function deploy(delayMs: number): Promise<void> {
  engine.env['DELAY_MS'] = String(delayMs)
  // Its images are here only.
  await docker('stack', 'deploy', '--resolve-image', 'never', '--compose-file', STACK, 'shop')
  await until(isServing, 'the first response', logs)
}

async function remove(): Promise<void> {
  await docker('stack', 'rm', 'shop')
  await until(async () => (await docker('ps', '-q')) === '', 'the containers are gone', logs)
  await until(
    async () => !(await docker('network', 'ls')).includes('shop_default'),
    'the network is gone',
    logs,
  )
}

async function logs(): Promise<string> {
  const [services, tasks, log] = await Promise.all([
    docker('service', 'ls'),
    docker('service', 'ps', '--no-trunc', SERVICE),
    docker('service', 'logs', '--raw', '--tail', '50', 'shop_sluice'),
  ])
  return [services, tasks, log].join('\n')
}

interface Task {
  readonly Status: {
    readonly Timestamp: string
    readonly State: string
    readonly ContainerStatus?: { readonly ContainerID: string }
  }
}

/** When each container of a running task was reported to run, ms since the epoch, by the beginning of its id. */
async function runningSince(): Promise<ReadonlyMap<string, number>> {
  const ids = await docker('service', 'ps', '-q', '--filter', 'desired-state=running', SERVICE)
  const tasks = JSON.parse(await docker('inspect', ...ids.split('\n'))) as readonly Task[]
  return new Map(
    tasks.map(({ Status }) => [
      Status.ContainerStatus?.ContainerID.slice(0, 12) ?? '',
      Date.parse(Status.Timestamp),
    ]),
  )
}

test('stack deploy brings the example up, and each task of a scaled service takes its turn', async (t) => {
  t.after(remove)
  await deploy(0)
  const before = await runningSince()
  const traffic = startTraffic(t, 4, 5)

  await docker('service', 'scale', '--detach', `${SERVICE}=5`)
  await until(() => traffic.containers.size === 5, 'five tasks answer', logs)

  await traffic.assertAllAnswered()
  const lags = traffic.lagsAfter(await runningSince(), before)
  t.diagnostic(`from a task that runs to its first response, ms: ${lags.join(', ')}`)
})

test('scaling to 5, 1 and 5, and a rolling update under load fail no request', async (t) => {
  t.after(remove)
  await deploy(2_000)
  const traffic = startTraffic(t, 60)

  for (const count of [5, 1, 5]) {
    await docker('service', 'scale', `${SERVICE}=${count}`)
    // Those that were in flight.
    await traffic.more(120)
    traffic.forget()
    await traffic.more(120)
    assert.equal(traffic.containers.size, count)
  }
  const before = new Set(traffic.containers.keys())
  await docker('service', 'update', '--quiet', '--force', SERVICE)
  await traffic.more(120)
  traffic.forget()
  await traffic.more(120)

  assert.equal(traffic.containers.size, 5)
  assert.ok([...traffic.containers.keys()].every((id) => !before.has(id)))
  const { answered } = traffic.report()
  await traffic.assertAllAnswered()
  t.diagnostic(`${answered} responses, 0 failed`)
})

test('an update of a single task with the order start-first fails no request', async (t) => {
  t.after(remove)
  await deploy(0)
  await docker('service', 'scale', `${SERVICE}=1`)
  const traffic = startTraffic(t, 4, 5)
  await traffic.more(20)
  const before = new Set(traffic.containers.keys())

  await docker('service', 'update', '--quiet', '--force', '--update-order', 'start-first', SERVICE)
  await until(
    () => [...traffic.containers.keys()].some((id) => !before.has(id)),
    'the new task answers',
    logs,
  )
  await traffic.more(100)

  await traffic.assertAllAnswered()
})
