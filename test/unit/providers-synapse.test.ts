/** The provider with registries in memory: what it declares as they answer, are lost and come back, and as its file changes. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createFileOutput } from '../../src/providers/synapse/file-output.ts'
import type { Feed } from '../../src/providers/synapse/feed-plan.ts'
import { placesOf } from '../../src/providers/synapse/feeds.ts'
import { readInstance, type Instance } from '../../src/providers/synapse/instance.ts'
import { createSynapseProvider } from '../../src/providers/synapse/synapse-provider.ts'
import { createNotifier } from '../../src/providers/notifier.ts'
import type { Declaration, DeclaredObject, Provider } from '../../src/providers/provider.ts'
import { createWatch } from '../support/until.ts'

const ZOOKEEPER = { method: 'zookeeper', path: '/services/web', hosts: ['zk:2181'] }
const CONFIG = { services: { web: { discovery: ZOOKEEPER, haproxy: { port: 3213 } } } }

/** A registry in memory, of which each feed has the same instances at every place. */
class Registry {
  instances: readonly Instance[] = []
  isAway = false
  opened = 0
  readonly #notify = new Set<() => void>()

  readonly open = async (feed: Feed): Promise<Provider> => {
    this.opened += 1
    return {
      name: feed.key,
      watch: (signal) => this.#watch(feed, signal),
      reload: () => this.change(),
    }
  }

  change(): void {
    for (const notify of this.#notify) notify()
  }

  async *#watch(feed: Feed, signal: AbortSignal): AsyncGenerator<Declaration> {
    const notifier = createNotifier()
    this.#notify.add(notifier.notify)
    signal.addEventListener('abort', notifier.notify)
    for (let listed: string | null = 'first'; !signal.aborted; listed = null) {
      if (this.isAway) throw new Error('the registry is away')
      const objects = placesOf(feed).flatMap((part) =>
        this.instances.map((value): DeclaredObject => {
          const key = `${value.host}:${value.port}`
          return { kind: 'server', id: `x/${key}`, key, part, value }
        }),
      )
      yield {
        ...{ readable: true, revision: '', objects, changes: null, listed, problems: [] },
        changedAt: performance.now(),
      }
      await notifier.wait()
    }
  }
}

interface Stage {
  readonly registry: Registry
  readonly provider: Provider
  readonly folder: string
  /** Waits for a declaration whose servers are at these ports. */
  ports(...wanted: number[]): Promise<Declaration>
  until(look: (declaration: Declaration) => boolean, what: string): Promise<Declaration>
  write(config: object | string): void
}

function start(
  t: TestContext,
  config: object,
  {
    registry = new Registry(),
    checkpoint = '',
    now = Date.now,
  }: { registry?: Registry; checkpoint?: string; now?: () => number } = {},
): Stage {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-synapse-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'synapse.conf.json')
  const write = (next: object | string): void =>
    writeFileSync(file, typeof next === 'string' ? next : JSON.stringify(next))
  write(config)
  const resolver = {} as never
  const provider = createSynapseProvider({
    name: 'synapse',
    file,
    resolver,
    open: registry.open,
    answerMs: 200,
    now,
  })
  if (checkpoint !== '') provider.restore?.(checkpoint)
  const end = new AbortController()
  const watch = createWatch()
  let last: Declaration | null = null
  let ended: unknown = null
  const run = async (): Promise<void> => {
    for await (const one of provider.watch(end.signal)) {
      assert.ok(one.readable)
      last = { ...one, objects: [...one.objects] }
      watch.changed()
    }
  }
  run().catch((error: unknown) => {
    ended = error
    watch.changed()
  })
  t.after(() => end.abort())
  const until: Stage['until'] = (look, what) =>
    watch.until(() => {
      if (ended !== null) throw ended as Error
      return last !== null && look(last) ? last : null
    }, what)
  return {
    ...{ registry, provider, folder, write, until },
    ports: (...wanted) =>
      until((one) => String(portsIn(one)) === String(wanted), `servers at ${String(wanted)}`),
  }
}

function portsIn({ objects }: Declaration): readonly number[] {
  return [...objects].flatMap(({ kind, value }) =>
    kind === 'server' ? Number((value as { url: string }).url.split(':').at(-1)) : [],
  )
}

function at(port: number): Instance {
  const read = readInstance({ host: '10.0.0.1', port })
  assert.ok(read.ok)
  return read.value
}

test('instances come and go, and the last ones stay when none is left', async (t) => {
  const { registry, ports } = start(t, CONFIG)

  registry.instances = [at(1), at(2)]
  await ports(1, 2)
  registry.instances = [at(2)]
  registry.change()
  await ports(2)
  registry.instances = []
  registry.change()
  const { problems } = await ports(2)

  assert.deepEqual(problems, [])
})

test('a registry that is lost ends nothing: what it said stays, and it is followed again', async (t) => {
  const { registry, ports, until } = start(t, CONFIG)
  registry.instances = [at(1)]
  await ports(1)

  registry.isAway = true
  registry.change()
  const lost = await until(({ problems }) => problems.length > 0, 'a problem')
  registry.isAway = false
  registry.instances = [at(2)]
  const found = await ports(2)

  assert.deepEqual(portsIn(lost), [1])
  assert.match(lost.problems[0]?.message ?? '', /is away; what is known of its services stays/)
  assert.deepEqual(found.problems, [])
})

test('a start without its registry has the default servers', async (t) => {
  const registry = new Registry()
  registry.isAway = true
  const service = { ...CONFIG.services.web, default_servers: [{ host: '10.0.0.9', port: 9 }] }

  const { ports } = start(t, { services: { web: service } }, { registry })

  await ports(9)
})

test('the instances of before are remembered over a restart, for the time of state_file_ttl', async (t) => {
  const first = start(t, CONFIG)
  first.registry.instances = [at(1)]
  first.registry.change()
  await first.ports(1)
  const checkpoint = first.provider.checkpoint?.() ?? ''
  const away = (): Registry => Object.assign(new Registry(), { isAway: true })
  const config = { ...CONFIG, haproxy: { global: [], defaults: [], state_file_ttl: 60 } }

  const soon = start(t, config, { registry: away(), checkpoint })
  const late = start(t, config, { registry: away(), checkpoint, now: () => Date.now() + 61_000 })

  await soon.ports(1)
  await late.ports()
})

test('a checkpoint that is none is ignored', async (t) => {
  for (const checkpoint of [
    '{',
    '[]',
    '{"a":1}',
    '{"[\\"web\\",\\"discovery\\"]":{"at":1,"instances":[1,{}]}}',
  ]) {
    await start(t, CONFIG, { checkpoint }).ports()
  }
})

test('an edit of the file applies, and one that cannot be read changes nothing', async (t) => {
  const { registry, ports, until, write } = start(t, CONFIG)
  registry.instances = [at(1)]
  registry.change()
  await ports(1)

  write('{')
  const broken = await until(({ problems }) => problems.length > 0, 'a problem')
  const two = { ...CONFIG.services.web, haproxy: { port: 3214, listen: ['mode http'] } }
  write({ services: { ...CONFIG.services, two } })
  const edited = await ports(1, 1)

  assert.deepEqual(portsIn(broken), [1])
  assert.deepEqual([edited.listed, edited.problems], ['changed', []])
  // One more feed: the set of paths is another one.
  assert.equal(registry.opened, 1)
})

test('services whose ids are equal are one, and the other is a problem', async (t) => {
  const { until } = start(t, {
    services: { 'a b': CONFIG.services.web, 'a-b': CONFIG.services.web },
  })

  const { objects, problems } = await until(({ problems }) => problems.length > 0, 'a problem')

  assert.deepEqual(
    [...objects].map(({ kind, id }) => `${kind} ${id}`),
    ['listener a-b', 'backend a-b'],
  )
  assert.equal(problems.filter(({ message }) => /has the same name/.test(message)).length, 2)
})

test('file_output has a file for each service, which is written only if it changes', async (t) => {
  const { registry, folder, ports, write } = start(t, {
    ...CONFIG,
    file_output: { output_directory: 'out' },
  })
  const file = join(folder, 'out', 'web.json')
  registry.instances = [at(1)]
  registry.change()
  await ports(1)
  await untilFile(() => readFileSync(file, 'utf8').includes('10.0.0.1'))

  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), [
    {
      ...{ name: null, host: '10.0.0.1', port: 1, id: null, weight: null },
      ...{ haproxy_server_options: null, labels: null },
    },
  ])
  const disabled = { ...CONFIG.services.web, file_output: { disabled: true } }
  write({ services: { web: disabled }, file_output: { output_directory: 'out' } })
  await untilFile(() => readdirSync(join(folder, 'out')).length === 0)
})

test('file_output keeps the files of others, and a file that is as it should be', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-synapse-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'package.json'), '{"name":"other"}')
  writeFileSync(join(folder, 'gone.json'), '[{"host":"a","port":1}]')
  const first = createFileOutput(folder, () => {})
  first.write(
    new Map([
      ['web', [at(1)]],
      ['../escape', [at(1)]],
    ]),
  )
  await first.settled()
  const { ino } = statSync(join(folder, 'web.json'))

  const second = createFileOutput(folder, () => {})
  second.write(new Map([['web', [at(1)]]]))
  await second.settled()

  assert.deepEqual(readdirSync(folder).sort(), ['package.json', 'web.json'])
  assert.equal(statSync(join(folder, 'web.json')).ino, ino)
})

test('file_output that cannot write says why', async () => {
  const output = createFileOutput(join(fileURLToPath(import.meta.url), 'out'), () => {})

  output.write(new Map([['web', [at(1)]]]))
  await output.settled()

  assert.equal(output.fault, 'there is no such file')
})

async function untilFile(look: () => boolean): Promise<void> {
  const watch = createWatch()
  const timer = setInterval(watch.changed, 10)
  try {
    await watch.until(() => {
      try {
        return look()
      } catch {
        return false
      }
    }, 'the file')
  } finally {
    clearInterval(timer)
  }
}
