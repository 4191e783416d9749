/** What a pool relies on from every balancing policy. Chance is seeded, endpoints are real, two threads share one scoreboard. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SHARED } from '../../src/scoreboard/layout.ts'
import { sharedAdd } from '../../src/scoreboard/scoreboard.ts'
import {
  type Balancer,
  compileBalancer,
  type IsIneligible,
} from '../../src/upstream/balancing/balancer.ts'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import {
  makeBackend,
  makeRequest,
  openBoard,
  seeded,
  type TestBoard,
} from '../support/endpoints.ts'

type Weights = Readonly<Record<string, number>>

const REQUESTS = 6_000
/** Of a share that chance has a part in. */
const BOUND = 0.03

interface Picks {
  /** By servers' names. */
  readonly shares: Readonly<Record<string, number>>
  readonly order: readonly string[]
}

export function describeBalancer(policy: string): void {
  test(`${policy} honours weights when servers are idle`, (t) => {
    const { balancers } = open(t, policy, { a: 5, b: 3, c: 2 })

    const { shares } = play(balancers, REQUESTS, 0)

    assertShares(shares, { a: 0.5, b: 0.3, c: 0.2 })
  })

  test(`${policy} honours weights when exchanges are under way`, (t) => {
    const { balancers } = open(t, policy, { a: 5, b: 3, c: 2 })

    const { shares } = play(balancers, REQUESTS, 100)

    assertShares(shares, { a: 0.5, b: 0.3, c: 0.2 })
  })

  test(`${policy} never picks a refused server, and all others share what would be its`, (t) => {
    const { balancers } = open(t, policy, { a: 1, b: 1, c: 1, d: 1 })

    const { shares } = play(balancers, REQUESTS, 0, ({ url }) => url.includes('//b.'))

    assertShares(shares, { a: 1 / 3, c: 1 / 3, d: 1 / 3 })
  })

  test(`${policy} finds the one server of many that is not refused`, (t) => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`s${at}`, 1]))
    const { balancers } = open(t, policy, many)

    const { shares } = play(balancers, 50, 0, ({ url }) => !url.includes('//s77.'))

    assert.deepEqual(shares, { s77: 1 })
  })

  test(`${policy} finds none when all are refused, and takes no count`, (t) => {
    const { board, balancers } = open(t, policy, { a: 1, b: 2 })

    const picked = pickOf(balancers, 0, () => true)

    assert.equal(picked, null)
    assert.deepEqual([board.shared('a', 'inFlight'), board.shared('b', 'inFlight')], [0, 0])
  })

  test(`${policy} finds none where there are no servers`, (t) => {
    const { balancers } = open(t, policy, {})

    assert.equal(
      pickOf(balancers, 0, () => false),
      null,
    )
  })

  test(`${policy} finds the others each time that some are refused for one look`, (t) => {
    const { balancers } = open(t, policy, { a: 1, b: 1 })
    const seen = new Set<string>()

    // As a pool does: strictly in vain, then leniently.
    for (let request = 0; request < 200; request++) {
      pickOf(balancers, request, () => true)
      const endpoint = pickOf(balancers, request, () => false)
      if (endpoint !== null) seen.add(give(endpoint))
    }

    assert.deepEqual([...seen].sort(), ['a', 'b'], 'equal servers were not all picked')
  })

  test(`${policy} takes exactly one in-flight count with each pick, over both threads`, (t) => {
    const { board, balancers } = open(t, policy, { a: 1, b: 2, c: 3 })
    const taken: Record<string, number> = { a: 0, b: 0, c: 0 }

    for (let request = 0; request < 300; request++) {
      const name = nameOf(pickOf(balancers, request, () => false))
      taken[name] = (taken[name] ?? 0) + 1
    }

    const counted = Object.keys(taken).map((name) => [name, board.shared(name, 'inFlight')])
    assert.deepEqual(Object.fromEntries(counted), taken)
  })

  test(`${policy} goes on when the set changes while exchanges are under way`, (t) => {
    const before = open(t, policy, { a: 1, b: 1, gone: 1 })
    const held = Array.from({ length: 30 }, (_, request) =>
      pickOf(before.balancers, request, () => false),
    )

    const after = open(t, policy, { a: 2, b: 1, come: 1 }, before.board)
    for (const endpoint of held) give(endpoint)
    const { shares } = play(after.balancers, REQUESTS, 0)

    assertShares(shares, { a: 0.5, b: 0.25, come: 0.25 })
    assert.equal(before.board.shared('gone', 'inFlight'), 0)
  })

  test(`${policy} picks the same again with the same chance`, (t) => {
    const runs = [1, 2].map(() => {
      const { balancers } = open(t, policy, { a: 3, b: 2, c: 1 })
      return play(balancers, 500, 7).order
    })

    assert.deepEqual(runs[0], runs[1])
  })
}

interface OpenBalancers {
  readonly board: TestBoard
  /** One a thread. */
  readonly balancers: readonly Balancer[]
}

function open(
  t: TestContext,
  policy: string,
  weights: Weights,
  board: TestBoard = openBoard(t, 2),
): OpenBalancers {
  const backend = makeBackend(weights, { balance: policy })
  const { slot } = board.place(backend)
  const balancers = board.views.map((view, thread) =>
    compileBalancer(backend)(board.endpoints(backend, thread), {
      slot: view.slot(slot),
      ticket: SHARED.ticket,
      random: seeded(thread + 1),
      now: () => board.now,
    }),
  )
  return { board, balancers }
}

/** Requests of different clients, in turn over the threads; so many are under way at a time, and end in their order. */
function play(
  balancers: readonly Balancer[],
  requests: number,
  underWay: number,
  refused: IsIneligible = () => false,
): Picks {
  const held: (Endpoint | null)[] = []
  const order: string[] = []
  const shares: Record<string, number> = {}
  for (let request = 0; request < requests; request++) {
    const endpoint = pickOf(balancers, request, refused)
    const name = nameOf(endpoint)
    order.push(name)
    shares[name] = (shares[name] ?? 0) + 1 / requests
    held.push(endpoint)
    if (held.length > underWay) give(held.shift() ?? null)
  }
  for (const endpoint of held) give(endpoint)
  for (const name of Object.keys(shares)) shares[name] = Math.round((shares[name] ?? 0) * 1e9) / 1e9
  return { shares, order }
}

function pickOf(
  balancers: readonly Balancer[],
  request: number,
  refused: IsIneligible,
): Endpoint | null {
  const clientIp = `2001:db8::${request.toString(16)}`
  const balancer = balancers[request % balancers.length]
  return balancer?.pick(makeRequest({ clientIp }), refused) ?? null
}

/** Gives back its in-flight count. */
function give(endpoint: Endpoint | null): string {
  if (endpoint !== null) sharedAdd(endpoint.slot, SHARED.inFlight, -1)
  return nameOf(endpoint)
}

function nameOf(endpoint: Endpoint | null): string {
  return endpoint === null ? 'none' : endpoint.authority.replace('.test', '')
}

function assertShares(shares: Picks['shares'], expected: Picks['shares']): void {
  assert.deepEqual(
    Object.keys(shares).sort(),
    Object.keys(expected).sort(),
    'the servers that were picked at all are not those that are eligible',
  )
  for (const [name, share] of Object.entries(expected)) {
    const actual = shares[name] ?? 0
    assert.ok(
      Math.abs(actual - share) < BOUND,
      `${name} got ${actual} of the requests instead of ${share}, its share by weight`,
    )
  }
}
