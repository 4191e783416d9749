import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createAgent, type Agent } from '../../src/agent/agent.ts'
import type { CheckSpec, LimitSpec, ServiceSpec } from '../../src/agent/spec/agent-spec.ts'
import type { LeveledLog } from '../../src/observe/log.ts'
import { createFakeRegistry, FAKE_SPEC, type FakeRegistry } from '../support/fake-registrar.ts'
import { createWatch, eventually, type Watch } from '../support/until.ts'

interface World {
  readonly agent: Agent
  readonly registry: FakeRegistry
  readonly lines: readonly string[]
  /** The result of the next runs of a check, by its name; null passes. */
  readonly results: Map<string, string | null>
  /** How often a check has run. */
  readonly runs: Map<string, number>
  readonly until: Watch['until']
}

function createWorld(t: TestContext): World {
  const registry = createFakeRegistry()
  const results = new Map<string, string | null>()
  const runs = new Map<string, number>()
  const lines: string[] = []
  const watch = createWatch()
  const write = (level: string) => (_fields: object, message: string) => {
    lines.push(`${level}: ${message}`)
    watch.changed()
  }
  const log: Omit<LeveledLog, 'level' | 'setLevel'> = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  }
  const agent = createAgent({
    openRegistrar: registry.open,
    createCheck:
      ({ name }) =>
      async () => {
        runs.set(name, (runs.get(name) ?? 0) + 1)
        watch.changed()
        return results.get(name) ?? null
      },
    log,
    now: () => performance.now(),
  })
  t.after(() => agent.stop(1_000))
  return { agent, registry, lines, results, runs, until: watch.until }
}

function checkNamed(name: string, more: Partial<CheckSpec> = {}): CheckSpec {
  const how = { kind: 'exec', command: 'true', args: [] } as const
  return { name, intervalMs: 5, timeoutMs: 1_000, rise: 1, fall: 1, how, ...more }
}

interface Written {
  readonly host?: string
  readonly id?: string
  readonly checks?: readonly CheckSpec[]
  readonly limit?: LimitSpec
  readonly registry?: string
  readonly reopenMs?: number
}

function serviceNamed(name: string, written: Written = {}): ServiceSpec {
  const { host = '10.0.0.1', id = 'a', checks = [checkNamed('c')], limit = null } = written
  return {
    name,
    registration: {
      ...{ service: name, id, host, port: 80, scheme: null, weight: null, backup: false },
      ...{ labels: {}, haproxyServerOptions: null, path: null, tags: [] },
    },
    registry: { ...FAKE_SPEC, name: written.registry ?? 'etcd' },
    ...{ checks, limit },
    reopenMs: written.reopenMs ?? 60_000,
  }
}

test('a service is registered when all of its checks pass, and removed when one fails', async (t) => {
  const { agent, registry, results } = createWorld(t)
  results.set('second', 'it is away')
  agent.apply({
    services: [serviceNamed('web', { checks: [checkNamed('first'), checkNamed('second')] })],
  })
  await eventually(() => agent.report().services[0]?.state === 'down', 'it is down')
  assert.equal(registry.entries.size, 0)

  results.set('second', null)
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')
  results.set('first', 'it is away')
  await registry.until(() => registry.entries.size === 0, 'it is removed')

  assert.deepEqual(
    registry.calls.filter((call) => !call.endsWith('open')),
    ['etcd put web/a 10.0.0.1:80', 'etcd remove web/a'],
  )
})

test('a service without checks is registered as long as the agent runs', async (t) => {
  const { agent, registry } = createWorld(t)

  agent.apply({ services: [serviceNamed('web', { checks: [] })] })
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')

  assert.equal(await agent.stop(1_000), true)
  assert.equal(registry.entries.size, 0)
})

test('a check is not run twice at a time, however long it takes', async (t) => {
  const registry = createFakeRegistry()
  const watch = createWatch()
  let running = 0
  let most = 0
  let runs = 0
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const agent = createAgent({
    openRegistrar: registry.open,
    createCheck: () => (signal) =>
      new Promise((resolve) => {
        most = Math.max(most, ++running)
        signal.addEventListener('abort', () => {
          running--
          runs++
          watch.changed()
          resolve('it was called off')
        })
      }),
    log: quiet,
    now: () => performance.now(),
  })
  t.after(() => agent.stop(1_000))

  agent.apply({
    services: [serviceNamed('web', { checks: [checkNamed('hangs', { timeoutMs: 15 })] })],
  })
  await watch.until(() => runs >= 4, 'it has run several times')

  assert.equal(most, 1)
  assert.equal(registry.entries.size, 0)
})

test('a check that does not even end when it is called off counts as failed', async (t) => {
  const registry = createFakeRegistry()
  const agent = createAgent({
    openRegistrar: registry.open,
    createCheck: () => () => new Promise(() => {}),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    now: () => performance.now(),
  })
  t.after(() => agent.stop(1_000))

  agent.apply({
    services: [serviceNamed('web', { checks: [checkNamed('hangs', { timeoutMs: 10 })] })],
  })
  await eventually(() => agent.report().services[0]?.state === 'down', 'it is down')

  const [check] = agent.report().services[0]?.checks ?? []
  assert.deepEqual([check?.state, check?.reason], ['down', 'no result within 10 ms'])
})

test('what the registry has lost is told, and counts as registered once it is there again', async (t) => {
  const { agent, registry, lines, until } = createWorld(t)
  agent.apply({ services: [serviceNamed('web')] })
  await until(() => lines.includes('info: registered'), 'it is registered')

  registry.isThere = false
  registry.wipe()
  await until(() => lines.includes('warn: the registration is lost'), 'the loss is told')
  assert.equal(agent.report().services[0]?.registration?.status, 'missing')
  registry.isThere = true

  await until(() => lines.filter((line) => line === 'info: registered').length === 2, 'it is back')
  assert.equal(agent.report().services[0]?.registration?.status, 'registered')
})

test('the client of a registry in which a service stays missing is opened anew', async (t) => {
  const { agent, registry, lines } = createWorld(t)
  registry.isThere = false

  agent.apply({ services: [serviceNamed('web', { reopenMs: 50 })] })
  await registry.until(
    () => registry.calls.filter((call) => call === 'etcd open').length === 2,
    'it is opened again',
  )
  registry.isThere = true
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')

  assert.ok(
    lines.some((line) => /^warn: not kept in the registry for .* is opened anew$/.test(line)),
  )
})

test('a service that the registry refuses is reported, and leaves the others as they are', async (t) => {
  const { agent, registry, lines, until } = createWorld(t)
  registry.refused = 'web'

  agent.apply({ services: [serviceNamed('web', { reopenMs: 20 }), serviceNamed('api')] })
  await until(() => lines.includes('error: the registry refuses the registration'), 'it is told')
  await until(() => lines.includes('info: registered'), 'the other is registered')

  assert.deepEqual([...registry.entries.keys()], ['etcd api/a'])
  registry.refused = null
  registry.isThere = true
  await registry.until(() => registry.entries.size === 2, 'both are registered')
})

test('a check that this machine cannot run leaves the state as it is, and is told once', async (t) => {
  const registry = createFakeRegistry()
  const watch = createWatch()
  const lines: string[] = []
  const write = (_fields: object, message: string): void => {
    lines.push(message)
    watch.changed()
  }
  let runs = 0
  const outcomes = [null, 'EMFILE', 'EMFILE', 'EAGAIN', null, 'EMFILE', 'it is away']
  const agent = createAgent({
    openRegistrar: registry.open,
    createCheck: () => async () => {
      const outcome = outcomes[Math.min(runs++, outcomes.length - 1)] ?? null
      if (outcome === null || !/^E[A-Z]+$/.test(outcome)) return outcome
      throw Object.assign(new Error(`spawn ${outcome}`), { code: outcome })
    },
    log: { debug() {}, info: write, warn: write, error: write },
    now: () => performance.now(),
  })
  t.after(() => agent.stop(1_000))

  agent.apply({ services: [serviceNamed('web')] })
  await watch.until(() => lines.includes('a check fails'), 'it fails')

  assert.deepEqual(
    lines.filter((line) => line.startsWith('a check')),
    [
      'a check passes',
      'a check cannot be run: its state stays up',
      'a check cannot be run: its state stays up',
      'a check fails',
    ],
  )
})

test('changes beyond the limit wait for a token, and only the last state counts', async (t) => {
  const { agent, registry, results, lines, runs, until } = createWorld(t)
  const limit = { rate: 0, burst: 1, initial: 1, isShadow: false }
  agent.apply({ services: [serviceNamed('web', { limit })] })
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')

  results.set('c', 'it is away')
  const told = 'warn: the removal is limited by its rate: it stays registered for now'
  await until(() => lines.includes(told), 'the limit is told')
  const before = runs.get('c') ?? 0
  await until(() => (runs.get('c') ?? 0) > before + 5, 'it goes on failing')

  assert.equal(registry.entries.size, 1)
  assert.equal(lines.filter((line) => line === told).length, 1)
  assert.equal(agent.report().services[0]?.isLimited, true)
  results.set('c', null)
  await eventually(() => agent.report().services[0]?.isLimited === false, 'nothing waits')
  assert.equal(agent.report().services[0]?.isLimited, false)
  assert.equal(registry.calls.filter((call) => call.includes(' put ')).length, 1)
})

test('a limit in shadow mode only tells what it would do', async (t) => {
  const { agent, registry, results, lines } = createWorld(t)
  const limit = { rate: 0, burst: 1, initial: 1, isShadow: true }
  agent.apply({ services: [serviceNamed('web', { limit })] })
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')

  results.set('c', 'it is away')
  await registry.until(() => registry.entries.size === 0, 'it is removed')

  const told = 'warn: the removal would be limited by its rate: it is done all the same'
  assert.ok(lines.includes(told))
  assert.equal(agent.report().services[0]?.limited, 1)
})

test('a changed service is registered at its new place before it is removed from the old one', async (t) => {
  const { agent, registry } = createWorld(t)
  agent.apply({ services: [serviceNamed('web', { id: 'old' })] })
  await registry.until(() => registry.entries.get('etcd web/old'), 'it is registered')

  agent.apply({ services: [serviceNamed('web', { id: 'new', host: '10.0.0.2' })] })
  await registry.until(() => !registry.entries.has('etcd web/old'), 'the old one is removed')

  assert.deepEqual([...registry.entries], [['etcd web/new', '10.0.0.2:80']])
  assert.deepEqual(registry.calls.slice(1), [
    'etcd put web/old 10.0.0.1:80',
    'etcd put web/new 10.0.0.2:80',
    'etcd remove web/old',
  ])
})

test('a service that keeps its entry is replaced in place, without a removal', async (t) => {
  const { agent, registry, runs, until } = createWorld(t)
  agent.apply({ services: [serviceNamed('web')] })
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')
  const before = runs.get('c') ?? 0

  agent.apply({ services: [serviceNamed('web', { host: '10.0.0.2' })] })
  await registry.until(() => registry.entries.get('etcd web/a') === '10.0.0.2:80', 'it is changed')
  await until(() => (runs.get('c') ?? 0) > before + 3, 'it is checked')

  assert.deepEqual(registry.calls.slice(1), [
    'etcd put web/a 10.0.0.1:80',
    'etcd put web/a 10.0.0.2:80',
  ])
})

test('the entry of a changed service that does not pass is removed', async (t) => {
  const { agent, registry, results } = createWorld(t)
  results.set('bad', 'it is away')
  agent.apply({ services: [serviceNamed('web')] })
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')

  agent.apply({ services: [serviceNamed('web', { checks: [checkNamed('bad')] })] })

  await registry.until(() => registry.entries.size === 0, 'it is removed')
})

test('checks that have not changed go on with their state', async (t) => {
  const { agent, registry, results } = createWorld(t)
  const checks = [checkNamed('c', { rise: 100 })]
  agent.apply({ services: [serviceNamed('web', { checks })] })
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')

  const weighted = serviceNamed('web', { checks })
  agent.apply({
    services: [{ ...weighted, registration: { ...weighted.registration, weight: 7 } }],
  })

  assert.equal(agent.report().services[0]?.state, 'up')
  results.set('c', 'it is away')
  await registry.until(() => registry.entries.size === 0, 'it is removed')
})

test('a service whose new registry is away stays in the old one', async (t) => {
  const { agent, registry } = createWorld(t)
  agent.apply({ services: [serviceNamed('web')] })
  await registry.until(() => registry.entries.get('etcd web/a'), 'it is registered')

  registry.isThere = false
  agent.apply({ services: [serviceNamed('web', { registry: 'redis' })] })
  await registry.until(() => registry.calls.includes('redis put web/a 10.0.0.1:80'), 'it is put')
  assert.deepEqual([...registry.entries.keys()], ['etcd web/a'])
  registry.isThere = true

  await registry.until(() => registry.calls.includes('etcd close'), 'the old client is closed')
  assert.deepEqual([...registry.entries.keys()], ['redis web/a'])
})

test('a service that is not configured any more is removed, and others are left alone', async (t) => {
  const { agent, registry } = createWorld(t)
  agent.apply({ services: [serviceNamed('web'), serviceNamed('api')] })
  await registry.until(() => registry.entries.size === 2, 'both are registered')

  agent.apply({ services: [serviceNamed('api')] })
  await registry.until(() => registry.entries.size === 1, 'one is removed')

  assert.deepEqual([...registry.entries.keys()], ['etcd api/a'])
  assert.equal(registry.calls.filter((call) => call.includes('put api')).length, 1)
})

test('two changes in a row end both services before', async (t) => {
  const { agent, registry } = createWorld(t)
  for (const id of ['one', 'two', 'three']) agent.apply({ services: [serviceNamed('web', { id })] })

  await registry.until(() => registry.entries.has('etcd web/three'), 'the last is registered')
  await registry.until(() => registry.entries.size === 1, 'it is alone')

  assert.equal(await agent.stop(1_000), true)
  assert.equal(registry.calls.filter((call) => call === 'etcd close').length, 1)
})

test('a stop removes all, and tells whether all is confirmed', async (t) => {
  const { agent, registry } = createWorld(t)
  agent.apply({ services: [serviceNamed('web'), serviceNamed('api')] })
  await registry.until(() => registry.entries.size === 2, 'both are registered')

  assert.equal(await agent.stop(1_000), true)
  assert.equal(registry.entries.size, 0)
  assert.equal(registry.calls.at(-1), 'etcd close')
})

test('a stop while the registry is away is not confirmed', async (t) => {
  const { agent, registry, lines } = createWorld(t)
  agent.apply({ services: [serviceNamed('web')] })
  await registry.until(() => registry.entries.size === 1, 'it is registered')

  registry.isThere = false

  assert.equal(await agent.stop(1_000), false)
  assert.ok(lines.some((line) => /could not be removed: they expire/.test(line)))
})
