// Routes that no request can meet are told as mistakes; routes that some request meets never are.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  parseWholeFrontend,
  parseWholeListener,
} from '../../src/control/admission/parse-objects.ts'
import { whyNever } from '../../src/routing/unsatisfiable.ts'
import { parseRoute } from '../../src/routing/parse.ts'
import type { RoutableRequest } from '../../src/routing/request.ts'
import { RoutingTable } from '../../src/routing/table.ts'

function never(route: string): string | null {
  const parsed = parseRoute(route)
  assert.ok(parsed.ok, route)
  return whyNever(parsed.expression)
}

const NEVER: readonly (readonly [route: string, why: string])[] = [
  ['Method("GET") && Method("POST")', 'no method meets all conditions'],
  ['Method("GET", "HEAD") && Method("POST", "PUT")', 'no method meets all conditions'],
  ['Method("GET") && !MethodRegexp("^G")', 'no method meets all conditions'],
  ['Host("a.test") && Host("b.test")', 'no host meets all conditions'],
  ['Host("*.a.test") && Host("b.test")', 'no host meets all conditions'],
  ['Host("a.test") && !HostRegexp("a")', 'no host meets all conditions'],
  ['Path("/a") && Path("/b")', 'no path meets all conditions'],
  ['PathPrefix("/a") && PathPrefix("/b")', 'no path meets all conditions'],
  ['PathPrefix("/a") && Path("/b/<x>") && Path("/b/c")', 'no path meets all conditions'],
  ['PathPrefix("/a/b") && !PathPrefix("/a")', 'no path meets all conditions'],
  ['Listener("web") && Listener("admin")', 'no listener meets all conditions'],
  ['Header("X-A", "b") && !Header("x-a", "b")', 'no header "x-a" meets all conditions'],
  ['Header("X-A", "b") && !Header("x-a", "<any>")', 'no header "x-a" meets all conditions'],
  ['Query("a", "1") && !Query("a")', 'no parameter "a" meets all conditions'],
  [
    'ClientIP("10.0.0.0/8") && ClientIP("192.168.0.0/16")',
    'no client address meets all conditions',
  ],
  ['ClientIP("10.1.0.0/16") && !ClientIP("10.0.0.0/8")', 'no client address meets all conditions'],
  ['(Host("a.test") || Host("b.test")) && Host("c.test")', 'no host meets all conditions'],
  ['!(Path("/a") || !Path("/a"))', 'no path meets all conditions'],
  ['Path("/a//b")', 'the path "/a//b" is never seen: empty segments are merged, write one "/"'],
  [
    'PathPrefix("/a/../b")',
    'the path "/a/../b" is never seen: dot segments are refused or resolved',
  ],
  ['Path("/a/%2e")', 'the path "/a/." is never seen: dot segments are refused or resolved'],
  ['Path("/100%")', 'the path "/100%" is never seen: a "%" itself is written "%25"'],
  ['Path("/a%00")', 'the path "/a%00" is never seen: a request with "%00" is refused'],
  ['Header("X-A", " b")', 'the header "x-a" is compared without the blanks around its value'],
  ['Header("X-A", "b\\n")', 'the header "x-a" is compared without the blanks around its value'],
  ['Header("X-A", "b\\nc")', 'the header "x-a" never holds a control character'],
]

for (const [route, why] of NEVER) {
  test(`${route} can never hold`, () => {
    assert.equal(never(route), why)
  })
}

const HOLDS = [
  ...['Host("a.test") && Host("*.test")', 'PathPrefix("/a") && Path("/a/<x>")'],
  ...['PathPrefix("/a") && !PathPrefix("/a/b")', 'PathPrefix("/api") && PathPrefix("/api/")'],
  ...['Header("X-A", "b") && Header("X-A", "c")', 'Query("a", "1") && Query("a", "2")'],
  ...[
    'ClientIP("10.0.0.0/8") && ClientIP("10.1.0.0/16")',
    'ClientIP("::/0") && ClientIP("10.0.0.1")',
  ],
  ...['PathPrefix("/") || !PathPrefix("/")', 'Method("GET") && Method("POST") || Path("/a")'],
  ...['!PathPrefix("/")', 'Header("X-A", "")', 'Path("/a/<x>/b")', 'Path("/a%2Fb")', 'Path("/.a")'],
]

for (const route of HOLDS) {
  test(`${route} may hold`, () => {
    assert.equal(never(route), null)
  })
}

test('a hostile route does not keep admission busy', () => {
  const values = (count: number, make: (at: number) => string): string =>
    Array.from({ length: count }, (_, at) => make(at)).join(', ')
  const hosts = Array.from({ length: 60 }, (_, at) => `Host("h${at}")`).join(' || ')
  const expressions = Array.from({ length: 60 }, () => 'MethodRegexp("^(x{1,99}y?){1,9}$")').join(
    ' && ',
  )
  const route = `(${hosts}) && Method(${values(200, (at) => `"${'x'.repeat(9)}${at}"`)}) && ${expressions}`
  const blocks = `ClientIP(${values(180, (at) => `"10.0.${at}.0/24"`)}) && ClientIP(${values(180, (at) => `"10.1.${at}.0/24"`)})`
  const beganAt = process.cpuUsage()

  for (const text of [route, blocks]) assert.equal(never(text), null)

  const { user, system } = process.cpuUsage(beganAt)
  assert.ok(user + system < 1_500_000, `${user + system} us`)
})

test('a frontend or a scope that can never hold is a problem that says why', () => {
  const frontend = parseWholeFrontend('f', {
    route: 'Host("a.test") && Host("b.test")',
    respond: { status: 200 },
  })
  const listener = parseWholeListener(
    'web',
    { address: ':80', scope: 'Method("GET") && Method("POST")' },
    () => '',
  )

  assert.ok(!frontend.ok)
  assert.deepEqual(
    frontend.problems.map(({ path, message }) => [path, message]),
    [[['route'], 'route: can never hold: no host meets all conditions']],
  )
  assert.ok(!listener.ok)
  assert.match(listener.problems[0]?.message ?? '', /^scope: can never hold: no method meets/)
})

const term = fc.constantFrom(
  ...['Host("a.test")', 'Host("b.test")', 'Host("*.test")', 'HostRegexp("^a")', 'Path("/a")'],
  ...['Path("/b")', 'Path("/<x>")', 'PathPrefix("/a")', 'PathPrefix("/a/")', 'PathPrefix("/")'],
  ...['PathRegexp("b$")', 'Method("GET")', 'Method("GET", "POST")', 'Method("<m>")'],
  ...[
    'Header("x", "1")',
    'Header("x", "")',
    'HeaderRegexp("x", "1")',
    'Query("q")',
    'Query("q", "1")',
  ],
  ...['ClientIP("10.0.0.0/8")', 'ClientIP("10.1.0.0/16")', 'ClientIP("::/0")', 'Listener("web")'],
)
const { route } = fc.letrec<{ route: string }>((tie) => ({
  route: fc.oneof(
    { maxDepth: 4 },
    term,
    tie('route').map((one) => `!(${one})`),
    fc.tuple(tie('route'), tie('route')).map(([one, other]) => `(${one}) && (${other})`),
    fc.tuple(tie('route'), tie('route')).map(([one, other]) => `(${one}) || (${other})`),
  ),
}))

function* requests(): Generator<RoutableRequest> {
  for (const host of ['a.test', 'b.test', 'c.x', ''])
    for (const path of ['/', '/a', '/a/', '/b', '/a/b', '*'])
      for (const method of ['GET', 'POST', 'PUT'])
        for (const lines of [[], [''], ['1'], ['', '1'], ['12']])
          for (const query of ['', 'q=1', 'q=1&q=2', 'q=2'])
            for (const clientIp of ['10.0.0.1', '10.1.0.1', '2001:db8::1'])
              for (const listener of ['web', 'admin'])
                yield {
                  ...{ host, path, method, query, clientIp, listener },
                  fieldHolds: (_name, holds) =>
                    (lines.length === 0 ? [''] : [...lines, lines.join(', ')]).some(holds),
                }
}
const all = [...requests()]

test('whatever is said never to hold holds for no request', () => {
  fc.assert(
    fc.property(route, (text) => {
      if (never(text) === null) return
      const table = new RoutingTable<true>()
      table.upsert('r', text, null, true)
      for (const request of all) assert.equal(table.match(request), undefined, text)
    }),
    { numRuns: 700 },
  )
})
