import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { diffSnapshots } from '../../src/control/publication/diff.ts'
import { createPublisher } from '../../src/control/publication/publisher.ts'
import type { Publisher, Update } from '../../src/control/publication/publisher.ts'
import type { Backend, Delta, Frontend, Snapshot } from '../../src/model/snapshot.ts'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'
import { backendOf, frontendOf, serverOf } from '../support/objects.ts'
import { idsOf, publisherOfSnapshots } from '../support/snapshots.ts'
import type { PublishSnapshot } from '../support/snapshots.ts'
import { eventually } from '../support/until.ts'

function makeBackend(id: string, ...urls: readonly string[]): Backend {
  return backendOf(
    id,
    urls.map((url) => serverOf(url, `http://${url}`, { url })),
  )
}

function makeFrontend(id: string, route = 'Host("x")'): Frontend {
  return frontendOf(id, 'b', { route })
}

function snapshotOf(backends: readonly Backend[], frontends: readonly Frontend[] = []): Snapshot {
  return {
    listeners: new Map(),
    backends: new Map(backends.map((backend) => [backend.id, backend])),
    frontends: new Map(frontends.map((frontend) => [frontend.id, frontend])),
  }
}

/** A serving thread as simple as can be: applies each part of a delta to maps, and notes where everything is counted. */
class NaiveThread {
  readonly thread: number
  readonly boardSize = { pages: 0, tables: 0, tablesGone: 0 }
  readonly updates: Update[] = []
  readonly backends = new Map<string, Backend>()
  readonly frontends = new Map<string, Frontend>()
  readonly slots = new Map<string, number>()
  #pageCount = 0

  constructor(thread: number) {
    this.thread = thread
  }

  get pageCount(): number {
    return this.#pageCount
  }

  get number(): number {
    return this.updates.at(-1)?.number ?? 0
  }

  deliver(update: Update): void {
    const previous = this.number
    this.updates.push(update)
    this.#pageCount += update.added.pages.length
    const delta = JSON.parse(update.delta) as Delta
    assert.equal(delta.number, update.number)
    const isNext = update.number === previous || update.number === previous + 1
    assert.ok(previous === 0 || isNext, 'deltas come without gaps')
    for (const { object, slot, serverSlots } of delta.upserts.backends) {
      this.backends.set(object.id, object)
      this.slots.set(`backend ${object.id}`, slot)
      object.servers.forEach(({ url }, at) =>
        this.slots.set(`server ${object.id} ${url}`, serverSlots[at] ?? -1),
      )
    }
    for (const { object, slot } of delta.upserts.frontends) {
      this.frontends.set(object.id, object)
      this.slots.set(`frontend ${object.id}`, slot)
    }
    for (const id of delta.deletes.frontends) this.frontends.delete(id)
    for (const id of delta.deletes.backends) this.backends.delete(id)
  }

  holds(snapshot: Snapshot): void {
    assert.deepEqual(this.backends, new Map(snapshot.backends))
    assert.deepEqual(this.frontends, new Map(snapshot.frontends))
  }
}

interface Setup {
  readonly publisher: Publisher
  readonly publish: PublishSnapshot
  readonly scoreboard: Scoreboard
  attach(thread: number): NaiveThread
}

function setUp(t: TestContext, sweepMs = 1000): Setup {
  const scoreboard = new Scoreboard(2, 0)
  const publisher = createPublisher(scoreboard, { conflateMs: 1, sweepMs })
  t.after(() => publisher.stop())
  return {
    publisher,
    publish: publisherOfSnapshots(publisher),
    scoreboard,
    attach(number) {
      const thread = new NaiveThread(number)
      publisher.attach(thread)
      return thread
    },
  }
}

function reaches(thread: NaiveThread, number: number): Promise<boolean> {
  return eventually(() => thread.number >= number, `thread ${thread.thread} at ${number}`)
}

test('a change that waits to be posted is the latest, and is not in force before it is', async (t) => {
  const { publisher, publish, attach } = setUp(t)
  const thread = attach(1)
  publish(snapshotOf([makeBackend('a', '10.0.0.1')]), 0)
  await reaches(thread, 1)
  publisher.acknowledge(1, 1, [])

  const number = publish(snapshotOf([makeBackend('a', '10.0.0.2')]), 0)
  let isInForce = false
  const inForce = publisher.whenInForce(publisher.latest()).then(() => (isInForce = true))

  assert.deepEqual([publisher.number(), publisher.latest(), number], [1, 2, 2])
  await reaches(thread, 2)
  assert.equal(isInForce, false)
  publisher.acknowledge(1, 2, [])
  await inForce
  assert.equal(publisher.latest(), 2)
})

test('a diff has what is new, changed and gone, and nothing that stayed', () => {
  const same = makeBackend('same', 'u1')
  const before = snapshotOf([same, makeBackend('changed', 'u1'), makeBackend('gone', 'u1')])
  const after = snapshotOf([
    structuredClone(same),
    makeBackend('changed', 'u2'),
    makeBackend('new', 'u1'),
  ])

  const { upserts, deletes } = diffSnapshots(before, after, idsOf(before, after))

  assert.deepEqual(
    upserts.backends.map(({ id }) => id),
    ['changed', 'new'],
  )
  assert.deepEqual(deletes.backends, ['gone'])
})

test('posts snapshots that follow one another closely as one delta, made once for all', async (t) => {
  const { publish, attach } = setUp(t)
  const [first, second] = [attach(0), attach(1)]

  const promised = [1, 2, 3].map((n) => publish(snapshotOf([makeBackend('b', `u${n}`)]), 0))
  await reaches(first, 1)

  assert.deepEqual(promised, [1, 1, 1])
  assert.equal(first.updates.length, 1)
  assert.equal(first.backends.get('b')?.servers[0]?.url, 'u3')
  assert.equal(first.updates[0]?.delta, second.updates[0]?.delta)
})

test('posts nothing when nothing has changed', async (t) => {
  const { publisher, publish, attach } = setUp(t)
  const thread = attach(0)
  const snapshot = snapshotOf([makeBackend('b', 'u1')])
  publish(snapshot, 0)
  await reaches(thread, 1)

  const again = publisher.publish(snapshot, 0, idsOf(snapshotOf([]), snapshotOf([])))
  publish(snapshotOf([]), 0)
  await reaches(thread, 2)

  assert.equal(again, 1)
  assert.equal(thread.updates.length, 2)
})

test('sends a thread that attaches everything, with the current number', async (t) => {
  const { publish, scoreboard, attach } = setUp(t)
  const first = attach(0)
  const snapshot = snapshotOf([makeBackend('b', 'u1')], [makeFrontend('f')])
  publish(snapshotOf([makeBackend('old', 'u1')]), 0)
  await reaches(first, 1)
  publish(snapshot, 0)
  await reaches(first, 2)

  const late = attach(1)

  assert.equal(late.number, 2)
  late.holds(snapshot)
  assert.equal(late.pageCount, scoreboard.size.pages)
})

test('sends each thread the pages it does not hold yet', async (t) => {
  const { publish, scoreboard, attach } = setUp(t)
  const thread = attach(0)
  const many = Array.from({ length: 600 }, (_, at) => makeFrontend(`f${at}`))

  publish(snapshotOf([], many.slice(0, 1)), 0)
  await reaches(thread, 1)
  publish(snapshotOf([], many), 0)
  await reaches(thread, 2)

  assert.deepEqual(
    thread.updates.flatMap(({ added: { pages } }) => (pages.length > 0 ? pages.length : [])),
    [1, 1],
  )
  assert.equal(scoreboard.size.pages, 2)
})

test('is in force when the slowest attached thread has acknowledged', async (t) => {
  const { publisher, publish, attach } = setUp(t)
  const advances: [number, number][] = []
  publisher.listen({ onInForce: (number, changedAt) => advances.push([number, changedAt]) })
  const thread = attach(0)
  attach(1)
  publish(snapshotOf([makeBackend('b', 'u1')]), 70)
  publish(snapshotOf([makeBackend('b', 'u2')]), 80)
  await reaches(thread, 1)
  const inForce = publisher.whenInForce(1)

  publisher.acknowledge(0, 1, [])
  const early = publisher.inForce()
  publisher.acknowledge(1, 1, ['cannot listen on :80'])
  await inForce

  assert.equal(early, 0)
  assert.equal(publisher.inForce(), 1)
  assert.deepEqual(advances, [[1, 70]])
  assert.deepEqual(publisher.threadProblems(), ['cannot listen on :80'])
})

test('waits no longer for a thread that is gone', async (t) => {
  const { publisher, publish, attach } = setUp(t)
  const thread = attach(0)
  attach(1)
  publish(snapshotOf([makeBackend('b', 'u1')]), 0)
  await reaches(thread, 1)
  publisher.acknowledge(0, 1, [])

  const inForce = publisher.whenInForce(1)
  publisher.detach(1)
  await inForce
  publisher.acknowledge(1, 0, ['too late'])

  assert.equal(publisher.inForce(), 1)
  assert.deepEqual(publisher.threadProblems(), [])
})

test('keeps the slots of a server through every change around it', async (t) => {
  const { publish, attach } = setUp(t)
  const thread = attach(0)
  publish(snapshotOf([makeBackend('b', 'u1', 'u2'), makeBackend('c', 'u1')]), 0)
  await reaches(thread, 1)
  const before = new Map(thread.slots)

  publish(snapshotOf([makeBackend('b', 'u3', 'u1')], [makeFrontend('f')]), 0)
  await reaches(thread, 2)

  for (const identity of ['backend b', 'server b u1']) {
    assert.equal(thread.slots.get(identity), before.get(identity))
  }
  assert.notEqual(before.get('server c u1'), before.get('server b u1'))
})

test('gives slots back only when all threads know, and nothing is in flight', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const { publisher, publish, scoreboard, attach } = setUp(t)
  const thread = attach(0)
  attach(1)
  publish(snapshotOf([makeBackend('old', 'u1')], [makeFrontend('old')]), 0)
  await reaches(thread, 1)
  const identities = ['frontend old', 'backend old', 'server old u1']
  const view = new ScoreboardView(scoreboard.memory(), 0)
  const slots = identities.map((identity) => view.slot(thread.slots.get(identity) ?? -1))
  for (const slot of slots) slot.counts[slot.base + COUNT.retries] = 5
  publish(snapshotOf([]), 0)
  await reaches(thread, 2)
  function released(): number {
    for (let sweep = 0; sweep < 11; sweep++) t.mock.timers.tick(1000)
    return slots.filter(({ number }) => scoreboard.sum(number, COUNT.retries) === 0).length
  }

  publisher.acknowledge(0, 2, [])
  const unacknowledged = released()
  for (const slot of slots) Atomics.add(slot.shared, slot.at + SHARED.inFlight, 1)
  publisher.acknowledge(1, 2, [])
  const inFlight = released()
  for (const slot of slots) Atomics.sub(slot.shared, slot.at + SHARED.inFlight, 1)
  const idle = released()

  assert.deepEqual({ unacknowledged, inFlight, idle }, { unacknowledged: 0, inFlight: 0, idle: 3 })
})

test('gives an object that comes back while its slot retires the same slot', async (t) => {
  const { publish, attach } = setUp(t)
  const thread = attach(0)
  const numbers: (number | undefined)[] = []

  for (const frontends of [['f'], [], ['f']]) {
    const number = publish(
      snapshotOf(
        [],
        frontends.map((id) => makeFrontend(id)),
      ),
      0,
    )
    await reaches(thread, number)
    numbers.push(thread.slots.get('frontend f'))
  }

  assert.equal(numbers[2], numbers[0])
})

test('lists the objects in force with the slots that the threads were sent', async (t) => {
  const { publisher, publish, attach } = setUp(t)
  const thread = attach(0)
  publish(snapshotOf([makeBackend('b', 'u1')], [makeFrontend('f')]), 0)
  await reaches(thread, 1)

  const { backends, frontends } = publisher.placed()
  const [pool] = [...backends]

  assert.deepEqual(
    [...frontends],
    [{ id: 'f', slot: thread.slots.get('frontend f'), isStream: false }],
  )
  assert.equal(pool?.slot, thread.slots.get('backend b'))
  assert.deepEqual(
    [...(pool?.servers ?? [])],
    [{ url: 'u1', slot: thread.slots.get('server b u1') }],
  )
})

/** Enough for parts that a thread has to ask for one after another. */
const manyFrontends = Array.from({ length: 5000 }, (_, at) => makeFrontend(`f${at}`))

test('brings a large change in parts, of which only the last has its number', async (t) => {
  const { publisher, publish, attach } = setUp(t)
  const thread = attach(0)
  const large = snapshotOf([makeBackend('b', 'u1')], manyFrontends)
  const small = snapshotOf([makeBackend('b', 'u1')])
  let applied = 0
  for (const [before, snapshot] of [large, small, large].entries()) {
    publish(snapshot, 0)
    while (publisher.inForce() === before) {
      const update = await eventually(() => thread.updates[applied], 'the next part')
      applied++
      publisher.acknowledge(0, update.number, [])
    }

    assert.equal(publisher.inForce(), before + 1)
    assert.equal(applied, thread.updates.length)
    thread.holds(snapshot)
  }
  assert.ok(thread.updates.length > 30)
  assert.ok(thread.updates.every(({ delta }) => delta.length < 64 * 1024))
})

test('keeps what a slow thread has not taken, and holds up no other', async (t) => {
  const { publisher, publish, attach } = setUp(t)
  const [slow, quick] = [attach(0), attach(1)]
  const last = snapshotOf([], [makeFrontend('last')])
  publish(snapshotOf([], manyFrontends), 0)
  await eventually(() => quick.updates.length > 0, 'published')
  const early = slow.updates.length
  for (let at = 0; at < quick.updates.length; at++) {
    publisher.acknowledge(1, quick.updates[at]?.number ?? 0, [])
  }
  publish(last, 0)
  await eventually(() => publisher.number() === 2, 'published')

  for (let at = 0; at < quick.updates.length; at++) {
    publisher.acknowledge(1, quick.updates[at]?.number ?? 0, [])
  }
  const waited = slow.updates.length
  for (let at = 0; at < slow.updates.length; at++) {
    publisher.acknowledge(0, slow.updates[at]?.number ?? 0, [])
  }

  assert.ok(early < 10)
  assert.equal(waited, early)
  quick.holds(last)
  slow.holds(last)
  assert.deepEqual(
    slow.updates.map(({ delta }) => delta),
    quick.updates.map(({ delta }) => delta),
  )
})

const ids = fc.constantFrom('a', 'b', 'c', 'd')
const snapshots = fc
  .record({
    backends: fc.uniqueArray(fc.tuple(ids, fc.uniqueArray(fc.constantFrom('u1', 'u2', 'u3'))), {
      selector: ([id]) => id,
    }),
    frontends: fc.uniqueArray(fc.tuple(ids, fc.constantFrom('Host("x")', 'Host("y")')), {
      selector: ([id]) => id,
    }),
  })
  .map(({ backends, frontends }) =>
    snapshotOf(
      backends.map(([id, urls]) => makeBackend(id, ...urls)),
      frontends.map(([id, route]) => makeFrontend(id, route)),
    ),
  )

test('the deltas of any sequence of snapshots add up to the last one, for late threads too', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(snapshots, { minLength: 1, maxLength: 6 }),
      fc.nat({ max: 6 }),
      async (sequence, joinAt) => {
        const { publisher, publish, attach } = setUp(t, 1)
        const threads = [attach(0)]
        for (const [at, snapshot] of sequence.entries()) {
          const number = publish(snapshot, 0)
          await eventually(() => publisher.number() >= number, 'published')
          if (at === joinAt) threads.push(attach(1))
          for (const { thread } of threads) publisher.acknowledge(thread, number, [])
          for (const thread of threads) thread.holds(snapshot)
        }

        // Two objects in force are never counted in one slot.
        const { backends, frontends } = publisher.placed()
        const pools = [...backends]
        const slots = [...pools, ...frontends, ...pools.flatMap(({ servers }) => [...servers])]
        assert.equal(new Set(slots.map(({ slot }) => slot)).size, slots.length)
        publisher.stop()
      },
    ),
    { numRuns: 60 },
  )
})
