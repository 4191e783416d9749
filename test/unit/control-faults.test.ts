// A throw while objects are judged, published or applied concerns one of them, or holds the pass; nothing ends over it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { createFaults } from '../../src/observe/fault.ts'
import { createPublisher, type Update } from '../../src/control/publication/publisher.ts'
import type { Frontend, Snapshot } from '../../src/model/snapshot.ts'
import { createServingThread } from '../../src/process/serving-thread.ts'
import type { FromThread } from '../../src/process/messages.ts'
import { Scoreboard } from '../../src/scoreboard/scoreboard.ts'
import { backend, openAdmission } from '../support/declared.ts'
import { publisherOfSnapshots, type PublishSnapshot } from '../support/snapshots.ts'
import { eventually } from '../support/until.ts'

const b = backend('http://10.0.0.9:5001')
const route = 'Host("vote")'
const condition = 'NetworkErrorRatio() > 0.5'

test('a fallback whose name grows by its source beyond the bound of an id is followed', () => {
  const long = 'b'.repeat(125)
  const admission = openAdmission({}, ['file', 'redis'])
  admission.declare({ backends: { [long]: b } })
  const breaker = { condition, fallback: { backend: long } }
  const frontends = { vote: { route, backend: 'own', breaker } }

  const { snapshot, setAside } = admission.declare(
    { backends: { [long]: b, own: b }, frontends },
    'r1',
    'redis',
  )

  assert.deepEqual(setAside, [])
  assert.ok(snapshot.backends.has(`${long}@redis`))
  assert.match(JSON.stringify(snapshot.frontends.get('vote')), new RegExp(`"${long}@redis"`))
})

test('an object whose parser throws is set aside, its last good version and all others stay', () => {
  const thrown: unknown[] = []
  const admission = openAdmission({ onFault: (_object, error) => void thrown.push(error) })
  const frontends = { vote: { route, backend: 'b' } }
  admission.declare({ backends: { b }, frontends })
  const broken = { servers: {} }
  // As a fault of ours would: no provider yields such a thing. A copy of it is a plain object.
  const get = (): never => {
    throw new RangeError('too deep')
  }

  const { snapshot, setAside } = admission.declare(
    { backends: { b, other: b }, frontends },
    'r2',
    'file',
    (object) =>
      object.kind === 'backend' && object.id === 'b'
        ? { ...object, value: Object.defineProperty(broken, 'servers', { get, enumerable: true }) }
        : object,
  )

  assert.deepEqual([...snapshot.backends.keys()], ['b', 'other'])
  assert.deepEqual([...snapshot.frontends.keys()], ['vote'])
  assert.equal(thrown.length, 1)
  assert.deepEqual(
    setAside.map(({ kind, id, message, serving }) => ({ kind, id, message, serving })),
    [
      {
        kind: 'backend',
        id: 'b',
        message:
          'cannot be used: a fault of the proxy met it, which the log has whole (RangeError: "too deep")',
        serving: true,
      },
    ],
  )
})

test('a throw while a backend is compared with our own addresses sets that backend aside alone', () => {
  const thrown: unknown[] = []
  const admission = openAdmission({
    admin: { host: '0.0.0.0', port: 8182 },
    localAddresses: () => {
      throw new Error('no interfaces')
    },
    onFault: (object) => void thrown.push(object),
  })

  const { snapshot, setAside } = admission.declare({
    backends: { b, near: backend('http://10.0.0.5:8182') },
    servers: { 'single/s': 'http://10.0.0.5:8182', 'b/s': 'http://10.0.0.6:80' },
    frontends: { vote: { route, backend: 'b' } },
  })

  assert.deepEqual(thrown, [
    { kind: 'server', id: 'single/s' },
    { kind: 'backend', id: 'near' },
  ])
  assert.deepEqual(
    setAside.map(({ kind, id, serving }) => `${kind} ${id} ${serving}`),
    ['server single/s false', 'backend near false'],
  )
  assert.deepEqual(
    snapshot.backends.get('b')?.servers.map(({ url }) => url),
    ['http://10.0.0.9:5001', 'http://10.0.0.6:80'],
  )
  assert.ok(snapshot.frontends.has('vote'))
})

function snapshotOf(...frontends: readonly Frontend[]): Snapshot {
  return {
    listeners: new Map(),
    backends: new Map(),
    frontends: new Map(frontends.map((one) => [one.id, one])),
  }
}

function frontend(id: string, kind: string): Frontend {
  const { snapshot } = openAdmission().declare({
    frontends: { [id]: { route, respond: { status: 204 } } },
  })
  const admitted = snapshot.frontends.get(id)
  assert.ok(admitted)
  return { ...admitted, middlewares: [{ kind, options: { status: 204, body: '', fields: {} } }] }
}

function openPublisher(t: TestContext): {
  publisher: ReturnType<typeof createPublisher>
  publish: PublishSnapshot
  scoreboard: Scoreboard
  thrown: unknown[]
} {
  const thrown: unknown[] = []
  const scoreboard = new Scoreboard(1, 0)
  const publisher = createPublisher(scoreboard, {
    conflateMs: 0,
    onFault: (object) => void thrown.push(object),
  })
  t.after(() => publisher.stop())
  return { publisher, publish: publisherOfSnapshots(publisher), scoreboard, thrown }
}

test('what cannot be published stays as it was, and the rest of its change goes out', async (t) => {
  const { publisher, publish, scoreboard, thrown } = openPublisher(t)
  const updates: Update[] = []
  publisher.attach({
    thread: 0,
    boardSize: scoreboard.size,
    deliver: (update) => {
      updates.push(update)
      publisher.acknowledge(0, update.number, [])
    },
  })
  const good = frontend('good', 'respond')

  publish(snapshotOf(frontend('odd', 'unheard-of'), good), 0)
  await publisher.whenInForce(1)
  const faults = publisher.faults()
  publish(snapshotOf(frontend('odd', 'respond'), good), 0)
  await publisher.whenInForce(2)

  assert.deepEqual(thrown, [{ kind: 'frontend', id: 'odd' }])
  assert.deepEqual(
    faults.map(({ kind, id, serving }) => `${kind} ${id} ${serving}`),
    ['frontend odd false'],
  )
  assert.deepEqual(publisher.faults(), [])
  const told = updates.map(({ delta }) => {
    const { upserts } = JSON.parse(delta) as { upserts: { frontends: { object: Frontend }[] } }
    return upserts.frontends.map(({ object }) => object.id)
  })
  assert.deepEqual(told, [['good'], ['odd']])
})

test('a listener of the publisher that throws keeps nothing from the threads', async (t) => {
  const { publisher, publish, scoreboard, thrown } = openPublisher(t)
  publisher.listen({
    onPlaced() {
      throw new Error('placed')
    },
    onPublished() {
      throw new Error('published')
    },
  })
  publisher.attach({
    thread: 0,
    boardSize: scoreboard.size,
    deliver: ({ number }) => publisher.acknowledge(0, number, []),
  })

  publish(snapshotOf(frontend('good', 'respond')), 0)
  await publisher.whenInForce(1)

  assert.deepEqual(thrown, [null, null])
})

function openThread(t: TestContext): {
  receive: (delta: object | string, number: number) => void
  said: FromThread[]
} {
  const scoreboard = new Scoreboard(1, 0)
  const slot = scoreboard.allocate()
  assert.equal(slot, 0)
  const said: FromThread[] = []
  const thread = createServingThread(
    {
      thread: 0,
      memory: scoreboard.memory(),
      threads: 1,
      routeOrder: 'specific',
      trusted: [],
      admin: { host: '127.0.0.1', port: 0 },
      access: 'off',
      secret: randomBytes(48),
      ticketKeys: randomBytes(48),
      reusePort: false,
      pulses: null,
    },
    (message) => void said.push(message),
  )
  t.after(() => thread.destroy())
  return {
    said,
    receive: (delta, number) =>
      thread.receive({
        kind: 'delta',
        number,
        delta: typeof delta === 'string' ? delta : JSON.stringify(delta),
        added: { pages: [], tables: [], kept: null },
      }),
  }
}

const nothing = { listeners: [], backends: [], frontends: [] }

function appliedIn(said: readonly FromThread[]): Extract<FromThread, { kind: 'applied' }>[] {
  return said.flatMap((message) => (message.kind === 'applied' ? message : []))
}

test('a serving thread acknowledges a change in which one object throws, and applies the rest', async (t) => {
  const { receive, said } = openThread(t)
  const placed = (object: Frontend): object => ({ object, slot: 0, states: [] })
  const odd = placed(frontend('odd', 'unheard-of'))
  const good = placed(frontend('good', 'respond'))

  receive({ number: 1, upserts: { ...nothing, frontends: [odd, good] }, deletes: nothing }, 1)
  receive({ number: 2, upserts: nothing, deletes: { ...nothing, frontends: ['odd'] } }, 2)
  const [first, second] = await eventually(() => {
    const applied = appliedIn(said)
    return applied.length === 2 && applied
  }, 'both changes are acknowledged')

  assert.match(first?.problems.join('\n') ?? '', /^frontend "odd" cannot be applied, what was in/)
  assert.deepEqual(second?.problems, [])
  assert.deepEqual(
    said.flatMap((message) => (message.kind === 'fault' ? message.at : [])),
    ['apply'],
  )
})

test('a serving thread acknowledges a change that it cannot read, with a problem, and goes on', async (t) => {
  const { receive, said } = openThread(t)

  receive('{ "upserts": ', 1)
  receive({ number: 2, upserts: nothing, deletes: nothing }, 2)
  const applied = await eventually(() => {
    const all = appliedIn(said)
    return all.length === 2 && all
  }, 'both changes are acknowledged')

  assert.deepEqual(
    applied.map(({ number }) => number),
    [1, 2],
  )
  assert.match(applied[1]?.problems.join('\n') ?? '', /table 1 is not wholly in force in thread 0/)
})

test('a fault is counted each time and logged once a minute', () => {
  let now = 0
  const lines: string[] = []
  const faults = createFaults({ error: (_fields, line) => void lines.push(line) }, () => now)
  const error = new Error('boom')

  faults.at('admit')({ kind: 'backend', id: 'b' }, error)
  faults.at('admit')({ kind: 'backend', id: 'b' }, error)
  now = 60_000
  faults.at('admit')({ kind: 'backend', id: 'b' }, error)
  faults.at('publish')(null, error)

  assert.deepEqual(lines, [
    'a fault of Sluice keeps backend "b" from being checked: what was in force stays',
    'a fault of Sluice keeps backend "b" from being checked: what was in force stays',
    'a fault of Sluice keeps a change from being published: what was in force stays',
  ])
  assert.deepEqual(faults.counts(), {
    admit: 3,
    publish: 1,
    guard: 0,
    apply: 0,
    exchange: 0,
    scale: 0,
  })
})
