/** A Marathon, a fake, on which anything happens in any order: at the end its apps are what is declared. */
import assert from 'node:assert/strict'
import { setTimeout as passed } from 'node:timers/promises'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createMarathonProvider } from '../../src/providers/marathon/marathon-provider.ts'
import type { Declaration, DeclaredObject, Provider } from '../../src/providers/provider.ts'
import { startFakeMarathon, type FakeMarathon } from '../support/fake-marathon.ts'
import { createApp, type TaskForm } from '../support/marathon-apps.ts'
import { marathonSource, translateApps } from '../support/marathon-source.ts'

const NODES = 3
const STATES = ['TASK_STAGING', 'TASK_RUNNING', 'TASK_RUNNING', 'TASK_KILLING', 'TASK_UNREACHABLE']
const FAULTS = [
  'cut',
  'lead',
  'away',
  'stop',
  'start',
  'garbage',
  'huge',
  'beat',
  'reload',
] as const

const change = fc.record({
  do: fc.constantFrom('task', 'task', 'joined'),
  app: fc.nat(5),
  task: fc.nat(3),
  state: fc.constantFrom(...STATES),
})
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('put'), app: fc.nat(5), tasks: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove'), app: fc.nat(5) }) },
  { weight: 5, arbitrary: change },
  { weight: 1, arbitrary: change.map((one) => ({ ...one, do: 'quiet' })) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom(...FAULTS), node: fc.nat(NODES - 1) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const plan = fc.record({
  steps: fc.array(step, { minLength: 30, maxLength: 60 }),
  /** Once all is well again. */
  changes: fc.array(change, { minLength: 3, maxLength: 3 }),
})

test('whatever happens to a Marathon, its apps are declared in the end', async (t) => {
  for (const [run, { steps, changes }] of fc.sample(plan, { numRuns: 16, seed: 11 }).entries()) {
    const fake = await startFakeMarathon(t, { nodes: NODES })
    const provider = createMarathonProvider(marathonSource(fake.endpoints))
    const following = follow(provider)
    t.after(() => following.stop())
    const assertInStep = async (isAsked: boolean): Promise<void> => {
      const expected = textOf(translateApps(fake.apps()).objects)
      const deadline = performance.now() + 5_000
      while (following.text() !== expected && performance.now() < deadline) {
        if (isAsked) provider.reload()
        await passed(10)
      }
      assert.equal(following.text(), expected, `run ${run}: ${JSON.stringify({ steps, changes })}`)
    }
    for (const one of steps) {
      await take(fake, provider, one)
      // Some of them meet in one read, others do not.
      if (run % 2 === 0) await passed(2)
    }

    await Promise.all(Array.from({ length: NODES }, (_, node) => fake.start(node)))
    if (fake.leader() === null) fake.lead(0)
    // What no event told has to be asked for.
    await assertInStep(true)
    for (const one of changes) {
      await take(fake, provider, one)
      await assertInStep(false)
    }
    await following.stop()
  }
})

async function take(fake: FakeMarathon, provider: Provider, step: Step): Promise<void> {
  const node = 'node' in step ? step.node : 0
  const id = 'app' in step ? `/app-${step.app}` : ''
  const isThere = fake.apps().some((app) => app['id'] === id)
  if ('tasks' in step) {
    const tasks = Array.from({ length: step.tasks }, (_, index) => taskOf(index, 'TASK_RUNNING'))
    const labels = { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: `app-${step.app}.test` }
    fake.put(createApp({ id, labels, servicePorts: [10_000 + step.app], tasks }))
  } else if ('state' in step) {
    if (!isThere) return
    const set = (): void => fake.task(id, taskOf(step.task, step.state))
    if (step.do === 'quiet') fake.quietly(set)
    else if (step.do === 'joined') fake.joined(set)
    else set()
  } else if (step.do === 'remove') fake.remove(id)
  else if (step.do === 'cut') fake.cutStreams()
  else if (step.do === 'lead') fake.lead(node)
  else if (step.do === 'away') fake.lead(null)
  else if (step.do === 'stop') await fake.stop(node)
  else if (step.do === 'start') await fake.start(node)
  else if (step.do === 'garbage') fake.emit('status_update_event', '{"appId":')
  else if (step.do === 'huge') fake.emit('deployment_info', 'x'.repeat(2 << 20))
  else if (step.do === 'beat') fake.keepAlive()
  else provider.reload()
}

function taskOf(index: number, state: string): TaskForm {
  return { id: `t${index}`, host: '10.0.0.1', ports: [31_000 + index], state }
}

/** As control does, but without a pause: a lost watch is begun again. */
function follow(provider: Provider): { text(): string; stop(): Promise<void> } {
  const stopping = new AbortController()
  let latest: Declaration | null = null

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        for await (const reading of provider.watch(stopping.signal)) {
          assert.ok(reading.readable)
          latest = reading
        }
      } catch {
        await passed(2)
      }
    }
  }

  const done = run()
  return {
    text: () => (latest === null ? 'nothing yet' : textOf(latest.objects)),
    async stop() {
      stopping.abort()
      await done
    },
  }
}

function textOf(objects: Iterable<DeclaredObject>): string {
  return [...objects]
    .map(({ kind, id, value }) => `${kind} ${id} ${JSON.stringify(value)}`)
    .sort()
    .join('\n')
}
