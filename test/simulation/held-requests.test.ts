/**
 * Requests that wait for a server in three threads, while servers come, go, refuse them and are full, clients leave, and the
 * declaration changes; seeded. At every moment
 *
 *   - a request has one outcome, waits no longer than its time, and is admitted in the order in which it came
 *   - what is counted as waiting waits
 *   - none is refused as long as there is room, or overtaken by one that did not wait
 *   - what scales is woken while no server may be used
 *
 * and once a server stays, all are served, and nothing stays counted.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { COUNT, NO_TRAFFIC } from '../../src/scoreboard/layout.ts'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import type { HeldPlace } from '../../src/upstream/held-requests.ts'
import { Pool } from '../../src/upstream/pool.ts'
import { createChance, type Chance } from '../fuzz/random.ts'
import { makeBackend, makeRequest, openBoard } from '../support/endpoints.ts'
import { scaleOf } from '../support/objects.ts'

const SEEDS = 60
const STEPS = 1_500
const STEP_MS = 10
const THREADS = 3
const SERVERS = ['a', 'b', 'c']
const TIMEOUTS = [200, 1_000, 5_000]

interface Asking {
  readonly name: string
  readonly thread: number
  readonly request: ReturnType<typeof makeRequest>
  /** When it began to wait for the first time; null: it never has. */
  since: number | null
  place: HeldPlace | null
  endpoint: Endpoint | null
  endsAt: number
  outcome: string | null
}

test('requests that wait are served in their order and in their time, whatever becomes of servers', (t) => {
  const seen = new Map<string, number>()
  for (let seed = 0; seed < SEEDS; seed++) {
    try {
      for (const outcome of simulate(t, createChance(seed))) {
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      }
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
  }
  const outcomes = [
    'COLD_START_FULL',
    'COLD_START_TIMEOUT',
    'NO_SERVER',
    'left',
    'served',
    'served late',
  ]
  assert.deepEqual([...seen.keys()].sort(), outcomes)
})

/** Returns the outcome of every request. */
function simulate(t: TestContext, chance: Chance): readonly string[] {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const ends: (() => void)[] = []
  const board = openBoard({ after: (end) => void ends.push(end as () => void) }, THREADS)
  let declared = [...SERVERS]
  let isHeld = true
  let most = 10
  let timeoutMs = 1_000
  let connections = 0
  const slot = board.place(backend()).slot
  const pools = Array.from(
    { length: THREADS },
    (_, thread) => new Pool(board.place(backend()), board.poolContext(thread)),
  )
  const all: Asking[] = []

  function backend(): ReturnType<typeof makeBackend> {
    const zero = { idleMs: 60_000, graceMs: 0, maxPending: most, timeoutMs }
    const scale = scaleOf({
      min: isHeld ? 0 : 1,
      concurrency: { target: 2, utilisation: 1 },
      zero: isHeld ? zero : null,
    })
    const made = makeBackend(Object.fromEntries(declared.map((name) => [name, 1])), { scale })
    return { ...made, limits: { ...made.limits, connections } }
  }

  function declare(): void {
    if (!isHeld) for (const asking of all) asking.since = null
    for (const pool of pools) pool.update(board.place(backend()))
  }

  const waiting = (): readonly Asking[] => all.filter(({ place }) => place !== null)
  const poolOf = ({ thread }: Asking): Pool => pools[thread] ?? assert.fail()

  function end(asking: Asking, outcome: string): void {
    assert.equal(asking.outcome, null, `${asking.name} has one outcome`)
    asking.outcome = outcome
    asking.place = null
  }

  function ask(asking: Asking): void {
    const pool = poolOf(asking)
    const endpoint = pool.pick(asking.request, [])
    const inThread = waiting().filter(({ thread }) => thread === asking.thread)
    if (endpoint !== null) {
      assert.deepEqual(inThread, [], `${asking.name} does not overtake`)
      serve(asking, endpoint)
      return
    }
    const held = waiting().length
    const place = pool.held?.join(
      {
        admit() {
          const others = waiting().filter(({ thread }) => thread === asking.thread)
          const first = Math.min(...others.map(({ since }) => since ?? Infinity))
          if (pool.held !== null) assert.equal(asking.since, first, `${asking.name} came first`)
          asking.place = null
          const picked = pool.pick(asking.request, [])
          if (picked !== null) serve(asking, picked)
          else ask(asking)
        },
        refuse: ({ reason }) => end(asking, reason),
        fault(error) {
          throw error
        },
      },
      asking.request,
    )
    if (place instanceof Error) {
      assert.ok(held >= most, `${held} of ${most} wait, and ${asking.name} is refused`)
      end(asking, place.reason)
    } else if (place === null || place === undefined) end(asking, 'NO_SERVER')
    else {
      asking.place = place
      asking.since ??= board.now
    }
  }

  function serve(asking: Asking, endpoint: Endpoint): void {
    asking.endpoint = endpoint
    asking.endsAt = board.now + 10 + chance.below(1_500)
  }

  function leaveServer(asking: Asking): void {
    if (asking.endpoint !== null) poolOf(asking).done(asking.endpoint)
    asking.endpoint = null
  }

  function changeWorld(): void {
    const server = chance.pick(SERVERS)
    const changes: readonly (() => void)[] = [
      () => board.setShared(server, 'trafficShare', chance.once(2) ? NO_TRAFFIC : 0),
      () => board.setShared(server, 'trafficShare', NO_TRAFFIC),
      () => board.setShared(server, 'backoffUntil', (board.now + chance.below(3_000)) / 100),
      () => (declared = SERVERS.filter(() => chance.once(3))),
      () => (most = chance.pick([1, 3, 10, 30])),
      () => (timeoutMs = chance.pick(TIMEOUTS)),
      () => (connections = chance.pick([0, 0, 1, 3])),
      () => (isHeld = !chance.once(4)),
    ]
    chance.pick(changes)()
    declare()
  }

  function pass(): void {
    board.now += STEP_MS
    t.mock.timers.tick(STEP_MS)
    for (const asking of all) {
      if (asking.endpoint === null || asking.endsAt > board.now) continue
      const isRefused = chance.once(5)
      leaveServer(asking)
      if (isRefused) ask(asking)
      else
        end(
          asking,
          pools.some(({ held }) => held?.wasHeld(asking.request)) ? 'served late' : 'served',
        )
    }
    const held = waiting()
    assert.equal(board.scoreboard.sum(slot, COUNT.held), held.length)
    for (const { name, since } of held) {
      const waited = board.now - (since ?? board.now)
      assert.ok(waited <= timeoutMs, `${name} has waited for ${waited} of ${timeoutMs} ms`)
    }
  }

  for (let step = 0; step < STEPS; step++) {
    if (chance.once(4)) {
      const thread = chance.below(THREADS)
      const asking: Asking = {
        ...{ name: `request ${all.length}`, thread, request: makeRequest() },
        ...{ since: null, place: null, endpoint: null, endsAt: 0, outcome: null },
      }
      all.push(asking)
      ask(asking)
    }
    if (chance.once(30)) changeWorld()
    const held = waiting()
    if (held.length > 0 && chance.once(40)) {
      const asking = chance.pick(held)
      asking.place?.leave()
      end(asking, 'left')
    }
    pass()
  }

  declared = [...SERVERS]
  ;[isHeld, timeoutMs, connections] = [true, 5_000, 0]
  board.wakes.length = 0
  for (const server of SERVERS) board.setShared(server, 'trafficShare', NO_TRAFFIC)
  declare()
  const left = waiting().length
  for (let passed = 0; passed < 2_000; passed += STEP_MS) pass()
  assert.ok(left === 0 || board.wakes.length > 0, 'what scales is woken')
  for (const server of SERVERS) {
    board.setShared(server, 'trafficShare', 0)
    board.setShared(server, 'backoffUntil', 0)
  }
  for (let passed = 0; passed < 20_000; passed += STEP_MS) pass()
  assert.deepEqual(
    all.filter(({ outcome }) => outcome === null).map(({ name }) => name),
    [],
  )
  for (const server of SERVERS) assert.equal(board.shared(server, 'inFlight'), 0)
  for (const pool of pools) pool.retire()
  for (const one of ends) one()
  t.mock.timers.reset()
  return all.map(({ outcome }) => outcome ?? 'none')
}
