/** Two serving threads are two pools over one scoreboard; time is the test's own. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ScaleSpec } from '../../src/model/scale.ts'
import type { Backend } from '../../src/model/snapshot.ts'
import { COUNT, NO_TRAFFIC } from '../../src/scoreboard/layout.ts'
import type { BalancedRequest } from '../../src/upstream/balancing/balancer.ts'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { type HeldPlace, HeldRequests } from '../../src/upstream/held-requests.ts'
import { Pool } from '../../src/upstream/pool.ts'
import { makeBackend, makeRequest, openBoard, type TestBoard } from '../support/endpoints.ts'
import { scaleOf } from '../support/objects.ts'

interface Site {
  readonly board: TestBoard
  /** Names of requests that have a server, and of those that were refused, with the reason. */
  readonly admitted: string[]
  readonly refused: string[]
  /** False: it does not wait. */
  ask(name: string, thread?: number, request?: BalancedRequest): HeldPlace | false | 'refused'
  /** `connections`: the limit of each server. */
  declare(
    names: readonly string[],
    zero?: Partial<ScaleSpec['zero']> | null,
    connections?: number,
  ): void
  /** A request has ended. */
  end(): void
  pass(ms: number): void
}

const TARGET = 2

function start(t: TestContext): Site {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const board = openBoard(t, 2)
  const pools = [0, 1].map(
    (thread) => new Pool(board.place(declared([])), board.poolContext(thread)),
  )
  const admitted: string[] = []
  const refused: string[] = []
  const underWay: { readonly pool: Pool; readonly endpoint: Endpoint }[] = []
  t.after(() => {
    for (const pool of pools) pool.retire()
    t.mock.timers.reset()
  })

  return {
    board,
    admitted,
    refused,
    ask(name, thread = 0, request = makeRequest()) {
      const pool = pools[thread]
      if (pool === undefined || pool.held === null) throw new Error('there is no such pool')
      const place = pool.held.join(
        {
          admit() {
            const endpoint = pool.pick(request, [])
            admitted.push(endpoint === null ? `${name}: none` : name)
            if (endpoint !== null) underWay.push({ pool, endpoint })
          },
          refuse: ({ reason }) => void refused.push(`${name}: ${reason}`),
          fault(error) {
            throw error
          },
        },
        request,
      )
      if (place instanceof Error) return 'refused'
      return place ?? false
    },
    declare(names, zero = {}, connections = 0) {
      const backend = declared(names, zero, connections)
      for (const pool of pools) pool.update(board.place(backend))
    },
    end() {
      const one = underWay.shift()
      if (one !== undefined) one.pool.done(one.endpoint)
    },
    pass(ms) {
      for (let passed = 0; passed < ms; passed += 10) {
        board.now += 10
        t.mock.timers.tick(10)
      }
    },
  }
}

function declared(
  names: readonly string[],
  zero: Partial<ScaleSpec['zero']> | null = {},
  connections = 0,
): Backend {
  const normal = { idleMs: 60_000, graceMs: 0, maxPending: 10, timeoutMs: 30_000 }
  const scale = scaleOf({
    min: zero === null ? 1 : 0,
    concurrency: { target: TARGET, utilisation: 1 },
    zero: zero === null ? null : { ...normal, ...zero },
  })
  const backend = makeBackend(Object.fromEntries(names.map((name) => [name, 1])), { scale })
  return { ...backend, limits: { ...backend.limits, connections } }
}

test('requests wait while no server may be used, and wake what scales', (t) => {
  const { board, ask, declare, pass, admitted } = start(t)
  declare(['a'])
  board.setShared('a', 'trafficShare', NO_TRAFFIC)

  const place = ask('first')
  pass(2_500)
  const before = [...admitted]
  board.setShared('a', 'trafficShare', 0)
  pass(10)

  assert.notEqual(place, false)
  assert.deepEqual(before, [])
  assert.deepEqual(admitted, ['first'])
  assert.deepEqual(board.wakes, ['b', 'b', 'b'])
})

test('a server in connect backoff may not be used before it is over', (t) => {
  const { board, ask, declare, pass, admitted } = start(t)
  declare(['a'])
  board.setShared('a', 'backoffUntil', (board.now + 500) / 100)

  ask('first')
  pass(490)
  const before = [...admitted]
  pass(20)

  assert.deepEqual(before, [])
  assert.deepEqual(admitted, ['first'])
})

test('with a server that may be used nothing waits', (t) => {
  const { board, ask, declare } = start(t)
  declare(['a', 'b'])
  board.setShared('a', 'trafficShare', NO_TRAFFIC)

  assert.equal(ask('first'), false)
  assert.deepEqual(board.wakes, [])
})

test('the servers have their target of requests from all threads, which doubles every two seconds', (t) => {
  const { ask, declare, pass, end, admitted } = start(t)
  for (let at = 0; at < 5; at++) {
    ask(`a${at}`, 0)
    ask(`b${at}`, 1)
  }

  declare(['a'])
  pass(10)
  const atFirst = admitted.length
  end()
  pass(10)
  const afterOne = admitted.length
  pass(2_000)
  const later = admitted.length
  declare(['a', 'c'])
  pass(10)
  const withTwo = admitted.length

  assert.equal(atFirst, TARGET)
  assert.equal(afterOne, TARGET + 1)
  assert.equal(later, 2 * TARGET + 1)
  assert.equal(withTwo, 4 * TARGET + 1)
})

test('the limit of connections of a server counts, if it is lower', (t) => {
  const { ask, declare, pass, admitted } = start(t)
  for (const name of ['x', 'y', 'z']) ask(name)

  declare(['a'], {}, 1)
  pass(10)

  assert.deepEqual(admitted, ['x'])
})

test('a thread that died leaves no request behind', (t) => {
  const { ask, board, refused } = start(t)
  for (let at = 0; at < 10; at++) ask(`of the dead ${at}`, 1)

  const full = ask('one more')
  board.scoreboard.forgetThread(1)
  const place = ask('another')

  assert.equal(full, 'refused')
  assert.equal(typeof place, 'object')
  assert.deepEqual(refused, [])
})

test('each waits for the time that was declared when it came', (t) => {
  const { ask, declare, pass, refused } = start(t)
  declare([], { timeoutMs: 100 })
  ask('early')
  pass(50)
  ask('late')

  pass(50)
  const first = [...refused]
  pass(50)

  assert.deepEqual(first, ['early: COLD_START_TIMEOUT'])
  assert.deepEqual(refused, ['early: COLD_START_TIMEOUT', 'late: COLD_START_TIMEOUT'])
})

test('a shorter time holds for those that wait, too', (t) => {
  const { ask, declare, pass, refused } = start(t)
  declare([], { timeoutMs: 10_000 })
  ask('early')
  pass(50)
  declare([], { timeoutMs: 100 })
  ask('late')

  pass(50)
  const first = [...refused]
  pass(50)

  assert.deepEqual(first, ['early: COLD_START_TIMEOUT'])
  assert.deepEqual(refused, ['early: COLD_START_TIMEOUT', 'late: COLD_START_TIMEOUT'])
})

test('one whose server refused it waits again in its place, and in the same time', (t) => {
  const { ask, board, declare, pass, admitted, refused } = start(t)
  declare([], { timeoutMs: 1_000 })
  const request = makeRequest()
  ask('first', 0, request)
  pass(100)
  ask('second')
  pass(500)
  declare(['a'], { timeoutMs: 1_000 })
  pass(10)
  board.setShared('a', 'trafficShare', NO_TRAFFIC)
  ask('third')
  pass(100)
  ask('first again', 0, request)

  pass(280)
  const before = [...refused]
  pass(10)
  const after = [...refused]
  pass(1_000)

  assert.deepEqual(admitted, ['first', 'second'])
  assert.deepEqual(before, [])
  assert.deepEqual(after, ['first again: COLD_START_TIMEOUT'])
  assert.deepEqual(refused, ['first again: COLD_START_TIMEOUT', 'third: COLD_START_TIMEOUT'])
  assert.equal(ask('first at last', 0, request), false)
})

test('one that no server takes, although there is one, does not wait again', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => t.mock.timers.reset())
  const board = openBoard(t, 1)
  const { slot } = board.place(declared([]))
  const [tripped] = board.endpoints(declared(['a']))
  if (tripped === undefined) throw new Error('there is no endpoint')
  let endpoints: readonly Endpoint[] = []
  const held = new HeldRequests(
    {
      ...{ id: 'b', slot: board.poolContext(0).slot(slot), endpoints: () => endpoints },
      ...{ setOpen: () => {}, now: () => board.now, onWake: () => {} },
    },
    { most: 10, timeoutMs: 30_000, target: TARGET },
  )
  const seen: string[] = []
  for (const name of ['first', 'second']) {
    const subject = {}
    const request = {
      admit: () =>
        void seen.push(`${name}: ${held.join(request, subject) === null ? 'error' : 'waits'}`),
      refuse: () => void seen.push(`${name}: refused`),
      fault(error: unknown) {
        throw error
      },
    }
    held.join(request, subject)
  }

  endpoints = [tripped]
  board.now += 10
  t.mock.timers.tick(10)

  assert.deepEqual(seen, ['first: error', 'second: error'])
})

test('one that leaves is neither released nor refused, and counts no more', (t) => {
  const { ask, board, declare, pass, admitted, refused } = start(t)
  const place = ask('gone')
  assert.ok(typeof place === 'object')

  place.leave()
  place.leave()
  declare(['a'])
  pass(40_000)

  assert.deepEqual([admitted, refused], [[], []])
  const slot = board.place(declared([])).slot
  assert.equal(board.scoreboard.sum(slot, COUNT.held), 0)
})

test('all try at once when their backend scales to zero no longer', (t) => {
  const { ask, declare, admitted } = start(t)
  ask('first')
  ask('second')

  declare([], null)

  assert.deepEqual(admitted, ['first: none', 'second: none'])
})
