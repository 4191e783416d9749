import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { recordLatency } from '../../src/policy/ewma.ts'
import { SHARED } from '../../src/scoreboard/layout.ts'
import { sharedAdd } from '../../src/scoreboard/scoreboard.ts'
import type { Balancer } from '../../src/upstream/balancing/balancer.ts'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { peakEwma } from '../../src/upstream/balancing/peak-ewma.ts'
import {
  makeBackend,
  makeRequest,
  openBoard,
  seeded,
  type TestBoard,
} from '../support/endpoints.ts'

const MS = 1_000

interface Setup {
  readonly board: TestBoard
  readonly endpoints: readonly Endpoint[]
  readonly balancer: Balancer
  pick(): Endpoint
  /** A response after so many ms. */
  respond(endpoint: Endpoint, ms: number): void
}

function setUp(t: TestContext, weights: Readonly<Record<string, number>>): Setup {
  const board = openBoard(t)
  const backend = makeBackend(weights, { balance: 'peak-ewma' })
  const endpoints = board.endpoints(backend)
  const { slot } = board.place(backend)
  const [view] = board.views
  assert.ok(view)
  const context = {
    slot: view.slot(slot),
    ticket: SHARED.ticket,
    random: seeded(7),
    now: () => board.now,
  }
  const balancer = peakEwma.create(endpoints, context, undefined)
  return {
    board,
    endpoints,
    balancer,
    pick() {
      const endpoint = balancer.pick(makeRequest(), () => false)
      assert.ok(endpoint)
      return endpoint
    },
    respond(endpoint, ms) {
      sharedAdd(endpoint.slot, SHARED.inFlight, -1)
      recordLatency(endpoint.slot, ms * MS, board.now)
    },
  }
}

function nameOf({ authority }: Endpoint): string {
  return authority.replace('.test', '')
}

/** Twenty clients, each with its next request once it is answered; time goes on as responses come. */
function serve(
  { board, pick, respond: respond }: Setup,
  requests: number,
  msOf: (name: string) => number,
): Record<string, number> {
  const got: Record<string, number> = {}
  const underWay: { endpoint: Endpoint; endsAt: number; ms: number }[] = []
  for (let request = 0; request < requests; request++) {
    if (underWay.length === 20) {
      underWay.sort((one, other) => one.endsAt - other.endsAt)
      const next = underWay.shift()
      assert.ok(next)
      board.now = next.endsAt
      respond(next.endpoint, next.ms)
    }
    const endpoint = pick()
    const name = nameOf(endpoint)
    got[name] = (got[name] ?? 0) + 1
    const ms = msOf(name)
    underWay.push({ endpoint, endsAt: board.now + ms, ms })
  }
  for (const { endpoint, ms } of underWay) respond(endpoint, ms)
  return got
}

test('of two the one that answers faster is chosen', (t) => {
  const setup = setUp(t, { fast: 1, slow: 1 })
  const [fast, slow] = setup.endpoints
  assert.ok(fast && slow)
  recordLatency(fast.slot, 5 * MS, setup.board.now)
  recordLatency(slow.slot, 50 * MS, setup.board.now)

  // Ten times as fast bears nine exchanges more.
  const names = Array.from({ length: 9 }, () => nameOf(setup.pick()))

  assert.deepEqual(new Set(names), new Set(['fast']))
})

test('a server 100 times as slow gets next to nothing', (t) => {
  const setup = setUp(t, { a: 1, b: 1, c: 1, slow: 1 })

  const got = serve(setup, 10_000, (name) => (name === 'slow' ? 1_000 : 10))

  const share = (got['slow'] ?? 0) / 10_000
  t.diagnostic(`the slow server got ${(share * 100).toFixed(2)} %`)
  assert.ok(share > 0 && share < 0.005, `the slow server got ${share}`)
})

test('a server that has become fast gets its share again', (t) => {
  const setup = setUp(t, { a: 1, b: 1, c: 1, slow: 1 })
  serve(setup, 2_000, (name) => (name === 'slow' ? 1_000 : 10))

  // Silence makes it worth a try.
  setup.board.now += 60_000
  const got = serve(setup, 8_000, () => 10)

  assert.ok((got['slow'] ?? 0) > 1_600, `it got ${got['slow']} of 8000`)
})

test('a new server gets one request soon, and no second one before its response', (t) => {
  const setup = setUp(t, { known: 1, fresh: 1 })
  const [known, fresh] = setup.endpoints
  assert.ok(known && fresh)
  recordLatency(known.slot, 2_000 * MS, setup.board.now)

  const names = Array.from({ length: 200 }, () => nameOf(setup.pick()))
  setup.respond(fresh, 1)
  const after = Array.from({ length: 10 }, () => nameOf(setup.pick()))

  assert.ok(names.indexOf('fresh') < 3)
  assert.equal(names.filter((name) => name === 'fresh').length, 1)
  assert.ok(after.includes('fresh'))
})

test('a server that fails at once is not taken for a fast one', (t) => {
  const setup = setUp(t, { well: 1, unknown: 1, measured: 1 })
  const [well, unknown, measured] = setup.endpoints
  assert.ok(well && unknown && measured)
  recordLatency(well.slot, 10 * MS, setup.board.now)
  recordLatency(measured.slot, 5 * MS, setup.board.now)
  setup.board.setShared('unknown', 'errorStreak', 1)
  setup.board.setShared('measured', 'errorStreak', 3)

  const names: string[] = []
  for (let request = 0; request < 300; request++) {
    const endpoint = setup.pick()
    names.push(nameOf(endpoint))
    sharedAdd(endpoint.slot, SHARED.inFlight, -1)
  }

  const share = names.filter((name) => name === 'well').length / 300
  // Drawn twice, it is among the two in five ninths to two thirds of all cases, and then it is taken.
  assert.ok(share > 0.5, `it got ${share}`)
  assert.ok(names.filter((name) => name === 'unknown').length < 10)
})

test('weights are kept under load when all are as fast', (t) => {
  const setup = setUp(t, { heavy: 3, light: 1 })

  const got = serve(setup, 8_000, () => 10)

  const share = (got['heavy'] ?? 0) / 8_000
  assert.ok(share > 0.7 && share < 0.8, `the heavy server got ${share}`)
})
