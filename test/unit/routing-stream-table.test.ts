/** What each function of tcp routes holds for, which of several routes gets a connection, and when the ClientHello is needed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRoute } from '../../src/routing/parse.ts'
import { type StreamConnection, StreamTable } from '../../src/routing/stream-table.ts'
import { whyNever } from '../../src/routing/unsatisfiable.ts'

const TLS: StreamConnection = {
  serverName: 'a.example',
  alpn: [],
  clientIp: '192.0.2.1',
  listener: 'db',
}

function tableOf(routes: Readonly<Record<string, string | [string, number]>>): StreamTable<string> {
  const table = new StreamTable<string>()
  for (const [id, route] of Object.entries(routes)) {
    if (typeof route === 'string') table.upsert(id, route, null, id)
    else table.upsert(id, ...route, id)
  }
  return table
}

const names = (...of: (string | null)[]): Partial<StreamConnection>[] =>
  of.map((serverName) => ({ serverName }))
const protocols = (...of: string[][]): Partial<StreamConnection>[] => of.map((alpn) => ({ alpn }))
const clients = (...of: string[]): Partial<StreamConnection>[] =>
  of.map((clientIp) => ({ clientIp }))
const listeners = (...of: string[]): Partial<StreamConnection>[] =>
  of.map((listener) => ({ listener }))

type Some = Partial<StreamConnection>[]
const CASES: readonly [route: string, holdsFor: Some, notFor: Some][] = [
  ['HostSNI("DB.example")', names('db.example'), names('x.db.example', 'example', '', null)],
  ['HostSNI("db.example.")', names('db.example'), names('db.example.x')],
  ['HostSNI(`a`, `b`)', names('a', 'b'), names('c', null)],
  ['HostSNI("*")', names('a', '', null), []],
  ['HostSNI("*.example")', names('a.example'), names('example', 'a.b.example', '', null)],
  ['HostSNI("**.example")', names('a.example', 'a.b.example'), names('example', null)],
  ['HostSNI("db-<int:n>.example")', names('db-1.example'), names('db-x.example')],
  ['HostSNIRegexp("^DB[0-9]\\\\.example$")', names('db1.example'), names('db.example', '', null)],
  ['HostSNIRegexp(".*")', names('a'), names('', null)],
  ['!HostSNI("a")', names('b', '', null), names('a')],
  ['!HostSNIRegexp(".*")', names('', null), names('a')],
  ['ALPN("h2")', protocols(['h2'], ['http/1.1', 'h2']), protocols([], ['h2c'], ['H2'])],
  ['ALPN("h2", "mqtt")', protocols(['mqtt']), protocols(['x'])],
  ['ALPN("h2") && ALPN("x")', protocols(['x', 'h2']), protocols(['h2'], ['x'])],
  ['!ALPN("h2")', protocols([], ['x']), protocols(['x', 'h2'])],
  ['ClientIP("192.0.2.0/24", "::1")', clients('192.0.2.9', '::1'), clients('192.0.3.1')],
  ['!ClientIP("10.0.0.0/8")', clients('192.0.2.9', '::1'), clients('10.1.2.3', '::ffff:10.1.2.3')],
  ['Listener("db")', listeners('db'), listeners('web')],
  ['HostSNI("*") && Listener("db")', listeners('db'), listeners('web')],
  ['HostSNI("*") && HostSNI("a")', names('a'), names('b', null)],
  ['HostSNI("*", "a") && ALPN("x")', protocols(['x']), protocols([])],
  ['HostSNI("a") || ClientIP("10.0.0.0/8")', names('a'), names('b')],
  ['!(HostSNI("a") || ALPN("x"))', names('b', null), names('a')],
]

for (const [route, holdsFor, notFor] of CASES) {
  test(`${route} holds for exactly what it says`, () => {
    const table = tableOf({ it: route })

    for (const one of holdsFor) {
      assert.equal(table.match({ ...TLS, ...one }), 'it', JSON.stringify(one))
    }
    for (const one of notFor) {
      assert.equal(table.match({ ...TLS, ...one }), undefined, JSON.stringify(one))
    }
  })
}

test('gives a connection to the most specific route, or the one with the higher priority', () => {
  const routes = {
    any: 'HostSNI("*")',
    regexp: 'HostSNIRegexp("example$")',
    wide: 'HostSNI("**.example")',
    label: 'HostSNI("*.example")',
    exact: 'HostSNI("a.example")',
    narrow: 'HostSNI("a.example") && ClientIP("10.0.0.0/8")',
  }
  const table = tableOf(routes)
  const found = (serverName: string | null, clientIp = '192.0.2.1'): string | undefined =>
    table.match({ ...TLS, serverName, clientIp })

  assert.deepEqual(
    [
      found('a.example', '10.0.0.1'),
      found('a.example'),
      found('b.example'),
      found('c.b.example'),
      found('myexample'),
      found('x'),
      found(null),
    ],
    ['narrow', 'exact', 'label', 'wide', 'regexp', 'any', 'any'],
  )
  table.upsert('any', 'HostSNI("*")', 1, 'any')
  assert.equal(found('a.example'), 'any')
})

test('puts concrete routes before HTTPS, and only catch-alls that name the listener behind it', () => {
  const table = tableOf({
    name: 'HostSNI("a.example")',
    alpn: 'ALPN("mqtt")',
    any: ['HostSNI("*")', 9],
    named: 'HostSNI("*") && Listener("web")',
  })
  const at = (some: Partial<StreamConnection>): StreamConnection => ({
    ...TLS,
    listener: 'web',
    ...some,
  })

  assert.equal(table.matchBeforeHttps(at({})), 'name')
  assert.equal(table.matchBeforeHttps(at({ serverName: 'b', alpn: ['mqtt'] })), 'alpn')
  assert.equal(table.matchBeforeHttps(at({ serverName: 'b' })), undefined)
  assert.equal(table.matchBehindHttps(at({ serverName: 'b' })), 'named')
  assert.equal(table.matchBehindHttps(at({ serverName: null })), 'named')
  assert.equal(table.matchBehindHttps(at({ listener: 'other' })), undefined)
})

test('needs the ClientHello only for routes of the listener that compare it', () => {
  const table = tableOf({ any: 'HostSNI("*")', office: 'ClientIP("10.0.0.0/8")' })
  assert.deepEqual([table.needsHello('db'), table.joinsHttps('db')], [false, false])

  table.upsert('named', 'HostSNI("a") && Listener("tls")', null, 'named')
  assert.deepEqual([table.needsHello('db'), table.needsHello('tls')], [false, true])
  assert.deepEqual([table.joinsHttps('db'), table.joinsHttps('tls')], [false, true])

  table.upsert('not', '!ALPN("h2") && !Listener("db")', null, 'not')
  table.delete('named')
  assert.deepEqual([table.needsHello('db'), table.needsHello('tls')], [false, true])
  assert.deepEqual([table.joinsHttps('db'), table.joinsHttps('tls')], [false, false])

  table.upsert('rest', 'HostSNI("*") && Listener("db")', null, 'rest')
  assert.equal(table.joinsHttps('db'), true)
})

test('forgets what is deleted and replaces what is declared again', () => {
  const table = tableOf({ it: 'HostSNI("a.example", "*") || ALPN("x")' })
  table.upsert('it', 'HostSNI("b.example")', null, 'again')

  assert.equal(table.size, 1)
  assert.equal(table.match(TLS), undefined)
  assert.equal(table.match({ ...TLS, serverName: 'b.example' }), 'again')
  table.delete('it')
  table.delete('it')
  assert.equal(table.size, 0)
  assert.equal(table.match({ ...TLS, serverName: 'b.example' }), undefined)
})

test('throws for a route that was not admitted, and keeps the one in force', () => {
  const table = tableOf({ it: 'HostSNI("a.example")' })

  assert.throws(() => table.upsert('it', 'Host("b")', null, 'b'), /cannot route "it": Host/)
  assert.equal(table.match(TLS), 'it')
})

// ---- mistakes

const MESSAGES: readonly [route: string, protocol: 'http' | 'tcp', message: RegExp][] = [
  ['Host("a")', 'tcp', /^Host is about requests; a tcp route has HostSNI\("name"\)/],
  ['HostRegexp("a")', 'tcp', /a tcp route has HostSNIRegexp\("expression"\)/],
  ['PathPrefix("/")', 'tcp', /^PathPrefix is about requests, .* has HostSNI, HostSNIRegexp, ALPN/],
  ['Method("GET")', 'tcp', /^Method is about requests/],
  ['HostSNI("a")', 'http', /^HostSNI routes connections, which needs "protocol: tcp"; .*Host\(/],
  ['ALPN("h2")', 'http', /needs "protocol: tcp"/],
  ['HostSni("a")', 'tcp', /expected one of HostSNI, HostSNIRegexp, ALPN, ClientIP, Listener/],
  ['HostSNI("10.0.0.1")', 'tcp', /TLS sends names only, no addresses/],
  ['HostSNI("[::1]")', 'tcp', /TLS sends names only, no addresses/],
  ['HostSNI("")', 'tcp', /can never match/],
  ['HostSNI("a.*.example")', 'tcp', /a wildcard is the whole first label/],
  ['HostSNI("{x:.+}.example")', 'tcp', /HostSNIRegexp\(/],
  ['HostSNI(".example")', 'tcp', /write HostSNI\("example", "\*\*\.example"\)/],
  ['HostSNI("a,b")', 'tcp', /several hosts are written HostSNI\("one", "other"\)/],
  ['HostSNIRegexp("{x:.+}")', 'tcp', /Traefik 2's/],
  ['ALPN("h 2")', 'tcp', /no protocol of ALPN/],
]

for (const [route, protocol, message] of MESSAGES) {
  test(`explains ${route} in a route of ${protocol}`, () => {
    const parsed = parseRoute(route, protocol)

    assert.match(parsed.ok ? 'parsed' : parsed.message, message)
  })
}

const NEVER: readonly [route: string, never: RegExp | null][] = [
  ['!HostSNI("*")', /HostSNI\("\*"\) holds for every connection/],
  ['HostSNI("a") && HostSNI("b")', /no host meets/],
  ['HostSNI("a.x") && !HostSNI("*.x")', /no host meets/],
  ['ALPN("a") && !ALPN("a")', /no protocol meets/],
  ['ALPN("a") && ALPN("b")', null],
  ['HostSNI("*") || HostSNI("a")', null],
  ['!HostSNI("*") || HostSNI("a")', null],
  ['Listener("a") && Listener("b")', /no listener meets/],
]

for (const [route, never] of NEVER) {
  test(`finds ${never === null ? 'nothing against' : 'that no connection matches'} ${route}`, () => {
    const parsed = parseRoute(route, 'tcp')
    assert.ok(parsed.ok)

    const why = whyNever(parsed.expression)
    if (never === null) assert.equal(why, null)
    else assert.match(why ?? '', never)
  })
}

// ---- against an evaluator without an index

type Tree =
  | { readonly op: 'call'; readonly fn: string; readonly values: readonly string[] }
  | { readonly op: '&&' | '||'; readonly of: readonly Tree[] }
  | { readonly op: '!'; readonly of: Tree }

const call = (fn: string, ...values: string[]): fc.Arbitrary<Tree> =>
  fc
    .array(fc.constantFrom(...values), { minLength: 1, maxLength: fn === 'Listener' ? 1 : 2 })
    .map((chosen): Tree => ({ op: 'call', fn, values: chosen }))
const leaf = fc.oneof(
  call('HostSNI', 'a.x', 'b.x', 'x', 'c.a.x', '*', '*.x', '**.x', '*.a.x'),
  call('HostSNIRegexp', '^a', 'x$', '.*'),
  call('ALPN', 'h2', 'mqtt'),
  call('ClientIP', '10.0.0.0/8', '10.1.0.0/16', '::1'),
  call('Listener', 'one', 'two'),
)
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ op: fc.constant('!' as const), of: tie('tree') }),
    fc.record({
      op: fc.constantFrom('&&' as const, '||' as const),
      of: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}))
const connections = fc.record<StreamConnection>({
  serverName: fc.constantFrom(null, '', 'a.x', 'b.x', 'c.a.x', 'd.c.a.x', 'x', 'y'),
  alpn: fc.subarray(['h2', 'mqtt']),
  clientIp: fc.constantFrom('10.1.2.3', '10.2.0.1', '::1', '192.0.2.1'),
  listener: fc.constantFrom('one', 'two', 'three'),
})

function textOf(of: Tree): string {
  if (of.op === 'call') return `${of.fn}(${of.values.map((value) => `"${value}"`).join()})`
  if (of.op === '!') return `!(${textOf(of.of)})`
  return of.of.map((one) => `(${textOf(one)})`).join(` ${of.op} `)
}

function evaluate(of: Tree, at: StreamConnection): boolean {
  if (of.op === '!') return !evaluate(of.of, at)
  if (of.op !== 'call') {
    const holds = of.of.map((one) => evaluate(one, at))
    return of.op === '&&' ? holds.every(Boolean) : holds.some(Boolean)
  }
  const { serverName, alpn, clientIp, listener } = at
  return of.values.some((value) => {
    switch (of.fn) {
      case 'HostSNI':
        return value === '*' || (serverName !== null && nameHolds(value, serverName))
      case 'HostSNIRegexp':
        return serverName !== null && serverName !== '' && new RegExp(value).test(serverName)
      case 'ALPN':
        return alpn.includes(value)
      case 'ClientIP':
        if (value === '10.0.0.0/8') return clientIp.startsWith('10.')
        return value === '::1' ? clientIp === value : clientIp.startsWith('10.1.')
      default:
        return listener === value
    }
  })
}

function nameHolds(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('.')
  if (first === '**') return name.endsWith(`.${rest.join('.')}`)
  const labels = name.split('.')
  if (first === '*') return labels.slice(1).join('.') === rest.join('.')
  return name === pattern
}

test('finds exactly the connections that a naive evaluator does', () => {
  fc.assert(
    fc.property(tree, fc.array(connections, { minLength: 1, maxLength: 8 }), (of, all) => {
      const route = textOf(of)
      const parsed = parseRoute(route, 'tcp')
      fc.pre(parsed.ok)
      const table = tableOf({ it: route })
      for (const one of all) {
        const expected = evaluate(of, one)
        assert.equal(table.match(one) === 'it', expected, `${route} ${JSON.stringify(one)}`)
        // On a listener without such a route, what the ClientHello says plays no part.
        if (!table.needsHello(one.listener)) {
          assert.equal(evaluate(of, { ...one, serverName: null, alpn: [] }), expected, route)
        }
        if (table.matchBeforeHttps(one) ?? table.matchBehindHttps(one)) {
          assert.ok(expected && table.joinsHttps(one.listener), route)
        }
        if (expected) assert.equal(whyNever(parsed.ok ? parsed.expression : never()), null, route)
      }
    }),
    { numRuns: 500 },
  )
})

test('finds one of the routes that hold, and the one of the highest priority', () => {
  const routes = fc.array(fc.tuple(tree, fc.integer({ min: -2, max: 2 })), { maxLength: 6 })
  fc.assert(
    fc.property(routes, fc.array(connections, { minLength: 1, maxLength: 4 }), (all, at) => {
      fc.pre(all.every(([of]) => parseRoute(textOf(of), 'tcp').ok))
      const table = new StreamTable<number>()
      for (const [index, [of, priority]] of all.entries()) {
        table.upsert(String(index), 'HostSNI("other")', 9, -1)
        table.upsert(String(index), textOf(of), priority, index)
      }
      for (const one of at) {
        const holding = all.filter(([of]) => evaluate(of, one)).map(([, priority]) => priority)
        const found = table.match(one)
        assert.equal(
          found === undefined ? undefined : all[found]?.[1],
          holding.length === 0 ? undefined : Math.max(...holding),
        )
        if (found !== undefined) assert.ok(evaluate(all[found]?.[0] ?? never(), one))
      }
    }),
    { numRuns: 300 },
  )
})

function never(): never {
  throw new Error('not reached')
}
