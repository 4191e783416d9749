import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SHARED } from '../../src/scoreboard/layout.ts'
import type {
  BalancedRequest,
  Balancer,
  IsIneligible,
} from '../../src/upstream/balancing/balancer.ts'
import { cookieValues } from '../../src/upstream/balancing/cookies.ts'
import { hash, type HashKey, keyOf } from '../../src/upstream/balancing/hash.ts'
import { buildMaglev, type Named } from '../../src/upstream/balancing/maglev.ts'
import { hashString } from '../../src/upstream/balancing/string-hash.ts'
import { makeBackend, makeRequest, openBoard, seeded } from '../support/endpoints.ts'

const BY_IP: HashKey = { from: 'client-ip', name: '' }
const KEYS = Array.from({ length: 4_000 }, (_, at) => `192.0.${at >> 8}.${at & 255}`)

function createOf(t: TestContext, names: readonly string[], key = BY_IP): Balancer {
  const board = openBoard(t)
  const backend = makeBackend(Object.fromEntries(names.map((name) => [name, 1])))
  const { slot } = board.place(backend)
  const context = {
    slot: board.scoreboard.slot(slot),
    ticket: SHARED.ticket,
    random: seeded(1),
    now: () => 0,
  }
  return hash.create(board.endpoints(backend), context, key)
}

function pick(
  balancer: Balancer,
  request: BalancedRequest,
  refused: IsIneligible = () => false,
): string {
  return balancer.pick(request, refused)?.authority.replace('.test', '') ?? 'none'
}

function placeKeys(balancer: Balancer, refused?: IsIneligible): string[] {
  return KEYS.map((clientIp) => pick(balancer, makeRequest({ clientIp }), refused))
}

function refuse(name: string): IsIneligible {
  return ({ authority }) => authority === `${name}.test`
}

/** Names of the cells' servers. */
function cellsOf(servers: readonly Named[]): string[] {
  return Array.from(buildMaglev(servers), (index) => servers[index]?.name ?? '')
}

function serversOf(count: number, weight: (at: number) => number = () => 1): Named[] {
  return Array.from({ length: count }, (_, at) => ({
    name: `http://10.0.${at >> 8}.${at & 255}:8080`,
    weight: weight(at),
  }))
}

test('a key goes to the same server in every thread, however the servers are declared', (t) => {
  const one = placeKeys(createOf(t, ['a', 'b', 'c', 'd']))
  const other = placeKeys(createOf(t, ['c', 'a', 'd', 'b']))

  assert.deepEqual(one, other)
})

test('the keys of a refused server are shared by the others, the rest stays, and all come back', (t) => {
  const balancer = createOf(t, ['a', 'b', 'c', 'd'])

  const before = placeKeys(balancer)
  const without = placeKeys(balancer, refuse('b'))
  const again = placeKeys(balancer, refuse('b'))
  const after = placeKeys(balancer)

  const moved = without.filter((_, at) => before[at] === 'b')
  const shares = ['a', 'c', 'd'].map(
    (name) => moved.filter((one) => one === name).length / moved.length,
  )
  assert.deepEqual(after, before)
  assert.deepEqual(again, without)
  assert.ok(without.every((name, at) => before[at] === 'b' || before[at] === name))
  for (const share of shares) assert.ok(Math.abs(share - 1 / 3) < 0.06, `shares ${shares}`)
})

test('when a server goes, nearly only its keys move', (t) => {
  for (const [count, weight] of [
    [4, () => 1],
    [30, () => 1],
    [30, (at: number) => (at % 5) + 1],
    [300, () => 1],
  ] as const) {
    const servers = serversOf(count, weight)
    const before = cellsOf(servers)

    for (const gone of [servers[0], servers[count >> 1], servers[count - 1]]) {
      const after = cellsOf(servers.filter((one) => one !== gone))
      const moved = before.filter((name, cell) => name !== gone?.name && name !== after[cell])
      const share = moved.length / before.length
      t.diagnostic(`${count} servers: ${(share * 100).toFixed(2)} % of the keys of others moved`)
      assert.ok(share < 0.04, `${share} of the keys moved`)
    }
  }
})

test('cells are shared by weight', () => {
  const servers = serversOf(10, (at) => at + 1)

  const cells = cellsOf(servers)

  for (const { name, weight } of servers) {
    const share = cells.filter((one) => one === name).length / cells.length
    assert.ok(Math.abs(share - weight / 55) < 0.004, `${name} of weight ${weight} has ${share}`)
  }
})

test('a server that weighs nearly nothing has a cell', () => {
  const cells = cellsOf(serversOf(30, (at) => (at === 17 ? 1 : 1_000)))

  assert.ok(cells.includes('http://10.0.0.17:8080'))
})

test('more servers than cells make a table all the same', () => {
  const cells = new Set(buildMaglev(serversOf(70_000)))

  assert.equal(cells.size, 65_537)
})

test('what has no key is balanced by turns', (t) => {
  const balancer = createOf(t, ['a', 'b'], { from: 'header', name: 'x-user' })

  const without = Array.from({ length: 6 }, () => pick(balancer, makeRequest()))
  const empty = pick(balancer, makeRequest({ fields: { 'x-user': '' } }))
  const same = Array.from({ length: 6 }, () =>
    pick(balancer, makeRequest({ fields: { 'x-user': 'eve' } })),
  )

  assert.deepEqual(without, ['a', 'b', 'a', 'b', 'a', 'b'])
  assert.equal(empty, 'a')
  assert.equal(new Set(same).size, 1)
})

test('the key is what the backend tells requests apart by', () => {
  const request = makeRequest({
    clientIp: '2001:db8::1',
    path: '/a/b',
    query: 'xid=1&id=2&id=3&flag&last=',
    fields: { 'x-user': 'eve', cookie: 'sid="abc"; other=1; Sid=no' },
  })
  const keys: [HashKey['from'], string, string][] = [
    ['client-ip', '', '2001:db8::1'],
    ['path', '', '/a/b'],
    ['header', 'x-user', 'eve'],
    ['header', 'x-none', ''],
    ['cookie', 'sid', 'abc'],
    ['cookie', 'id', ''],
    ['query', 'id', '2'],
    ['query', 'flag', ''],
    ['query', 'last', ''],
    ['query', 'none', ''],
  ]

  const found = keys.map(([from, name]) => keyOf(request, { from, name }))

  assert.deepEqual(
    found,
    keys.map(([, , key]) => key),
  )
})

test('the values of a cookie are read from whatever stands around them', () => {
  const cases: [string, readonly string[]][] = [
    ['', []],
    ['s=1', ['1']],
    ['a=0; s=1', ['1']],
    ['a=s=1; as=2;s=3', ['3']],
    [' \ts= 1 ;  s="2" ; s=""; s="', ['1', '2', '', '"']],
    ['s', []],
    ['s=', ['']],
    [';;;s=1;', ['1']],
    ['ss=1; s =2', []],
    ['s=1=2', ['1=2']],
    ['s=1; '.repeat(9), ['1', '1', '1', '1']],
  ]

  for (const [text, values] of cases) assert.deepEqual(cookieValues(text, 's', 4), values, text)
})

test('similar strings fall evenly', () => {
  const counts = new Array<number>(100).fill(0)

  for (let at = 0; at < 100_000; at++) {
    const place = hashString(`user-${at}`) % 100
    counts[place] = (counts[place] ?? 0) + 1
  }

  // Six standard deviations.
  assert.ok(Math.min(...counts) > 810 && Math.max(...counts) < 1_190, `${counts}`)
})
