import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Backend, Server } from '../../src/model/snapshot.ts'
import { NO_TRAFFIC } from '../../src/scoreboard/layout.ts'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { BALANCERS } from '../../src/upstream/balancing/balancer.ts'
import { Pool } from '../../src/upstream/pool.ts'
import { makeBackend, makeRequest, openBoard, type TestBoard } from '../support/endpoints.ts'

type Servers = Readonly<Record<string, number | Partial<Server>>>

interface Setup {
  readonly board: TestBoard
  readonly pool: Pool
  update(servers: Servers, rest?: Partial<Backend>): void
  pick(tried?: readonly Endpoint[]): Endpoint | null
  /** How many of so many requests, each ended at once, each server got. */
  counts(requests: number): Readonly<Record<string, number>>
}

const POLICIES = BALANCERS.map(({ name }) => name)

function setUp(t: TestContext, servers: Servers, rest: Partial<Backend> = {}): Setup {
  const board = openBoard(t)
  const pool = new Pool(board.place(makeBackend(servers, rest)), board.poolContext(0))
  let client = 0
  const pick = (tried: readonly Endpoint[] = []): Endpoint | null =>
    pool.pick(makeRequest({ clientIp: `10.0.0.${client++}` }), tried)
  return {
    board,
    pool,
    pick,
    update: (now, over) => pool.update(board.place(makeBackend(now, { ...rest, ...over }))),
    counts(requests) {
      const counts: Record<string, number> = {}
      for (let request = 0; request < requests; request++) {
        const endpoint = pick()
        if (endpoint !== null) pool.done(endpoint)
        const name = endpoint === null ? 'none' : nameOf(endpoint)
        counts[name] = (counts[name] ?? 0) + 1
      }
      return counts
    },
  }
}

function nameOf({ authority }: Endpoint): string {
  return authority.replace('.test', '')
}

for (const balance of POLICIES) {
  test(`${balance}: a server that may not be used is passed over, one that rests while there is another`, (t) => {
    const { board, counts } = setUp(t, { down: 1, resting: 1, up: 1 }, { balance })
    board.setShared('down', 'trafficShare', NO_TRAFFIC)
    board.setShared('resting', 'backoffUntil', 99)

    const usual = counts(60)
    board.setShared('up', 'trafficShare', NO_TRAFFIC)
    const desperate = counts(60)
    board.setShared('resting', 'trafficShare', NO_TRAFFIC)
    const none = counts(5)

    assert.deepEqual(usual, { up: 60 })
    assert.deepEqual(desperate, { resting: 60 })
    assert.deepEqual(none, { none: 5 })
  })

  test(`${balance}: a server that starts slowly gets its share of its share`, (t) => {
    const { board, counts } = setUp(t, { a: 1, b: 1, c: 1, slow: 1 }, { balance })
    board.setShared('slow', 'trafficShare', 200)

    const { slow = 0 } = counts(4_000)

    // A fifth of one of four, or of what is left when the others have theirs.
    assert.ok(slow > 150 && slow < 320, `it got ${slow} of 4000`)
  })

  test(`${balance}: backups serve only while no primary is fit, and share by turns or chance`, (t) => {
    const { board, counts } = setUp(
      t,
      { a: 1, b: 1, one: { backup: true }, two: { backup: true } },
      { balance },
    )

    const usual = counts(60)
    board.setShared('a', 'trafficShare', NO_TRAFFIC)
    const half = counts(60)
    board.setShared('b', 'backoffUntil', 99)
    const { one = 0, two = 0, ...others } = counts(60)
    board.setShared('one', 'trafficShare', NO_TRAFFIC)
    board.setShared('two', 'trafficShare', NO_TRAFFIC)
    const last = counts(5)

    assert.deepEqual(Object.keys(usual).sort(), ['a', 'b'])
    assert.deepEqual(half, { b: 60 })
    assert.deepEqual(others, {})
    assert.ok(one >= 15 && two >= 15, `they got ${one} and ${two}`)
    assert.deepEqual(last, { b: 5 })
  })
}

test('servers that all start slowly are used all the same', (t) => {
  const { board, counts } = setUp(t, { a: 1, b: 1, spare: { backup: true } })
  board.setShared('a', 'trafficShare', 100)
  board.setShared('b', 'trafficShare', 100)

  const { a = 0, b = 0, ...others } = counts(400)

  assert.deepEqual(others, {})
  assert.ok(Math.abs(a - b) < 60, `they got ${a} and ${b}`)
})

test('a server with few turns gets them evenly spread, not in a row', (t) => {
  const { board, pool, pick } = setUp(t, { slow: 1, other: 1 })
  board.setShared('slow', 'trafficShare', 100)

  const turns: number[] = []
  for (let request = 0; request < 2_000; request++) {
    const endpoint = pick()
    assert.ok(endpoint)
    pool.done(endpoint)
    if (nameOf(endpoint) === 'slow') turns.push(request)
  }

  const gaps = turns.slice(1).map((turn, at) => turn - (turns[at] ?? 0))
  assert.ok(Math.max(...gaps) < 60, `the longest gap is ${Math.max(...gaps)}`)
})

test('further attempts go to servers that were not tried, backups last', (t) => {
  const { pick } = setUp(t, { a: 1, b: 1, spare: { backup: true } })
  const tried: Endpoint[] = []

  for (let attempt = 0; attempt < 3; attempt++) {
    const endpoint = pick(tried)
    assert.ok(endpoint)
    tried.push(endpoint)
  }

  assert.deepEqual(tried.slice(0, 2).map(nameOf).sort(), ['a', 'b'])
  assert.deepEqual(tried.slice(2).map(nameOf), ['spare'])
  assert.equal(pick(tried), null)
})

test('a draining server gets no new requests, keeps what is under way, and may come back', (t) => {
  const { board, pool, update, pick, counts } = setUp(t, { a: 1, b: 1 })
  const held = [pick(), pick()]

  update({ a: { drain: true }, b: 1 })
  const draining = counts(10)
  const underWay = board.shared('a', 'inFlight')
  for (const endpoint of held) if (endpoint !== null) pool.done(endpoint)
  update({ a: 1, b: 1 })
  const back = counts(10)

  assert.deepEqual(draining, { b: 10 })
  assert.equal(underWay, 1)
  assert.equal(held.find((one) => one !== null && nameOf(one) === 'a')?.isRetired, false)
  assert.deepEqual(back, { a: 5, b: 5 })
  assert.equal(board.shared('a', 'inFlight'), 0)
})

test('a change keeps the endpoints whose servers stay, with their new weight and tier', (t) => {
  const { update, pick, counts } = setUp(t, { a: 1, b: 1 })
  const before = [pick(), pick()]

  update({ c: 1, b: 3, a: { backup: true } }, { balance: 'least-connections' })

  const [a, b] = ['a', 'b'].map((name) =>
    before.find((endpoint) => endpoint !== null && nameOf(endpoint) === name),
  )
  assert.deepEqual([a?.isRetired, a?.backup, b?.isRetired, b?.weight], [false, true, false, 3])
  assert.ok([pick(), pick(), pick()].includes(b ?? null))
  assert.equal(counts(20)['a'], undefined)
})

test('a server that is gone is retired', (t) => {
  const { update, pick, counts } = setUp(t, { a: 1 })
  const a = pick()

  update({ b: 1 })

  assert.equal(a?.isRetired, true)
  assert.deepEqual(counts(3), { b: 3 })
})

test('it says why nothing could be picked', (t) => {
  const { pool, update } = setUp(t, {})
  const empty = pool.whyNone()
  update({ a: 1, b: 1, c: { backup: true } })
  const down = pool.whyNone()
  update({ a: 1, b: { drain: true } })
  const draining = pool.whyNone()

  assert.equal(empty, 'backend b has no servers')
  assert.equal(down, 'none of the 3 servers of backend b is healthy')
  assert.equal(draining, 'none of the 2 servers of backend b is healthy and not draining')
})
