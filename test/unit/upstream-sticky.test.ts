import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Backend, Server, Sticky } from '../../src/model/snapshot.ts'
import type { BalancedRequest } from '../../src/upstream/balancing/balancer.ts'
import type { Endpoint } from '../../src/upstream/endpoint/endpoint.ts'
import { Pool } from '../../src/upstream/pool.ts'
import { makeBackend, makeRequest, openBoard, type TestBoard } from '../support/endpoints.ts'

const STICKY: Sticky = {
  cookie: 'route',
  secret: null,
  sameSite: 'lax',
  path: '/',
  maxAgeSeconds: 0,
}

interface Setup {
  readonly board: TestBoard
  readonly pool: Pool
  update(servers: Readonly<Record<string, number | Partial<Server>>>, rest?: Partial<Backend>): void
  /** The name of the server that a client with this Cookie field is sent to. */
  pick(cookie?: string, tried?: readonly Endpoint[]): string
  cookieOf(name: string, exchange?: { scheme?: 'http' | 'https'; cookie?: string }): string
  /** `route=...`, as that server's clients send it. */
  pairOf(name: string): string
}

function setUp(
  t: TestContext,
  servers: Readonly<Record<string, number | Partial<Server>>>,
  sticky: Partial<Sticky> = {},
  rest: Partial<Backend> = {},
): Setup {
  const board = openBoard(t)
  const declare = (now: typeof servers, over: Partial<Backend> = {}): Backend =>
    makeBackend(now, { sticky: { ...STICKY, ...sticky }, ...rest, ...over })
  const pool = new Pool(board.place(declare(servers)), board.poolContext(0))

  function endpointOf(name: string): Endpoint {
    for (let turn = 0; turn < 100; turn++) {
      const endpoint = pool.pick(makeRequest(), [])
      assert.ok(endpoint)
      pool.done(endpoint)
      if (endpoint.authority === `${name}.test`) return endpoint
    }
    return assert.fail(`${name} has no turn`)
  }

  function cookieOf(
    name: string,
    exchange: { scheme?: 'http' | 'https'; cookie?: string } = {},
  ): string {
    const { scheme = 'http', cookie } = exchange
    return pool.linesFor({ clientScheme: scheme, ...withCookie(cookie) }, endpointOf(name))
  }

  return {
    board,
    pool,
    update: (now, over) => pool.update(board.place(declare(now, over))),
    pick(cookie, tried = []) {
      const endpoint = pool.pick(withCookie(cookie), tried)
      if (endpoint === null) return 'none'
      pool.done(endpoint)
      return endpoint.authority.replace('.test', '')
    },
    cookieOf,
    pairOf: (name) => /^Set-Cookie: (route=[\w-]{22});/.exec(cookieOf(name))?.[1] ?? 'no cookie',
  }
}

function withCookie(cookie: string | undefined): BalancedRequest {
  return makeRequest(cookie === undefined ? {} : { fields: { cookie } })
}

/** Where ten requests go. */
function tenOf(pick: () => string): Set<string> {
  return new Set(Array.from({ length: 10 }, pick))
}

test('the response sets a cookie, out of reach of scripts and of other sites', (t) => {
  const { cookieOf } = setUp(t, { a: 1 })

  const line = cookieOf('a')

  assert.match(line, /^Set-Cookie: route=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax\r\n$/)
})

test('the cookie says Secure under TLS, and what else is declared', (t) => {
  const { cookieOf } = setUp(t, { a: 1 }, { sameSite: 'strict', path: '/app', maxAgeSeconds: 60 })

  const line = cookieOf('a', { scheme: 'https' })

  assert.match(
    line,
    /^Set-Cookie: route=[\w-]{22}; Secure; Path=\/app; HttpOnly; SameSite=Strict; Max-Age=60\r\n$/,
  )
})

test('a cookie for other sites says Secure always, as browsers refuse it otherwise', (t) => {
  const { cookieOf } = setUp(t, { a: 1 }, { sameSite: 'none' })

  assert.match(cookieOf('a'), /; Secure;.*; SameSite=None\r\n$/)
})

test('a client comes back to the server of its cookie, and is not given it again', (t) => {
  const { pick, pairOf, cookieOf } = setUp(t, { a: 1, b: 1, c: 1 })
  const pair = pairOf('b')

  const servers = tenOf(() => pick(`first=1; ${pair}; last=2`))

  assert.deepEqual(servers, new Set(['b']))
  assert.equal(cookieOf('b', { cookie: pair }), '')
  assert.notEqual(cookieOf('c', { cookie: pair }), '')
})

test('of several cookies the first that can be kept counts', (t) => {
  const { board, pick, pairOf } = setUp(t, { a: 1, b: 1, c: 1 })
  const both = `route=old; ${pairOf('b')}; ${pairOf('c')}`
  const quoted = pairOf('c').replace('=', '="') + '"'

  const first = tenOf(() => pick(both))
  board.setShared('b', 'trafficShare', -1)
  const second = tenOf(() => pick(both))

  assert.deepEqual(first, new Set(['b']))
  assert.deepEqual(second, new Set(['c']))
  assert.deepEqual(
    tenOf(() => pick(quoted)),
    new Set(['c']),
  )
})

test('foreign and forged values are as none', (t) => {
  const { pick, pairOf } = setUp(t, { a: 1, b: 1 })
  const pair = pairOf('a')
  const foreign = [
    'route=',
    'route=http://a.test:80',
    `${pair}x`,
    pair.slice(0, -1),
    pair.replace('route', 'Route'),
    `x${pair}`,
    'route=__proto__',
    `route=${'x'.repeat(30_000)}`,
    `${'route=x;'.repeat(4_000)} ${pair}`,
  ]

  for (const cookie of foreign)
    assert.deepEqual(
      tenOf(() => pick(cookie)),
      new Set(['a', 'b']),
    )
})

test('when its server is gone, down, draining, resting or tried, a client goes elsewhere', (t) => {
  const { board, pool, update, pick, pairOf } = setUp(t, { a: 1, b: 1 })
  const pair = pairOf('b')
  const b = pool.pick(withCookie(pair), [])
  assert.ok(b)

  assert.equal(pick(pair, [b]), 'a')
  board.setShared('b', 'trafficShare', -1)
  assert.equal(pick(pair), 'a')
  board.setShared('b', 'trafficShare', 0)
  assert.equal(pick(pair), 'b')
  board.setShared('b', 'backoffUntil', board.now / 100 + 10)
  assert.equal(pick(pair), 'a')
  board.setShared('b', 'backoffUntil', 0)
  update({ a: 1, b: { drain: true } })
  assert.equal(pick(pair), 'a')
  update({ a: 1 })
  assert.equal(pick(pair), 'a')
  update({ b: 2, a: 1 })
  assert.equal(pick(pair), 'b')
})

test('slow start turns no client away that comes back', (t) => {
  const { board, pick, pairOf } = setUp(t, { a: 1, b: 1 })
  const pair = pairOf('b')

  board.setShared('b', 'trafficShare', 1)

  assert.deepEqual(
    tenOf(() => pick(pair)),
    new Set(['b']),
  )
})

test('a client stays on a backup server when the primaries are back', (t) => {
  const { board, pick, pairOf } = setUp(t, { a: 1, spare: { backup: true } })
  board.setShared('a', 'trafficShare', -1)
  const pair = pairOf('spare')

  board.setShared('a', 'trafficShare', 0)

  assert.equal(pick(pair), 'spare')
  assert.equal(pick(), 'a')
})

test('with a secret cookies hold in other instances, without one in this process', (t) => {
  const [first, second] = ['x', 'x'].map((secret) => setUp(t, { a: 1 }, { secret }))
  const other = setUp(t, { a: 1 }, { secret: 'y' })
  const own = setUp(t, { a: 1 })
  const elsewhere = setUp(t, { a: 1 }, {}, { id: 'another' })
  assert.ok(first && second)

  const pairs = [first, second, other, own, elsewhere].map(({ pairOf }) => pairOf('a'))

  assert.equal(pairs[0], pairs[1])
  assert.equal(new Set(pairs).size, 4)
})

test('another secret makes the old cookies void', (t) => {
  const { update, pairOf } = setUp(t, { a: 1 }, { secret: 'x' })
  const before = pairOf('a')

  update({ a: 1 }, { sticky: { ...STICKY, secret: 'y' } })

  assert.notEqual(pairOf('a'), before)
})

test('a pool that is not sticky knows no cookies', (t) => {
  const { pool, update, pick, pairOf, cookieOf } = setUp(t, { a: 1, b: 1 })
  const pair = pairOf('a')
  const was = pool.isSticky

  update({ a: 1, b: 1 }, { sticky: null })

  assert.deepEqual([was, pool.isSticky], [true, false])
  assert.equal(cookieOf('a'), '')
  assert.deepEqual(
    tenOf(() => pick(pair)),
    new Set(['a', 'b']),
  )
})
