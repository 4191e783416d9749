import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRoute } from '../../src/routing/parse.ts'

function refusal(text: string): { message: string; position: number } {
  const parsed = parseRoute(text)
  assert.ok(!parsed.ok, `${text} is taken`)
  return { message: parsed.message, position: parsed.position }
}

function requireTaken(text: string): void {
  const parsed = parseRoute(text)
  assert.ok(parsed.ok, parsed.ok ? '' : `${text}: ${parsed.message}`)
}

function values(text: string): string[] {
  const parsed = parseRoute(text)
  assert.ok(parsed.ok && parsed.expression.kind === 'term', text)
  return parsed.expression.values.map((value) => value.text)
}

test('every function is taken, joined by every operator', () => {
  for (const text of [
    'Host("example.com") && Path("/v1/<id>/items")',
    'Method("POST") && Path("/upload")',
    'HostRegexp(".*\\\\.example\\\\.com") && PathRegexp("^/api/.*")',
    'Header("Content-Type", "application/<string>")',
    'HeaderRegexp("X-Version", `^v[0-9]+$`) || MethodRegexp("^P")',
    'Query("a") && Query("b", "c") && !ClientIP("10.0.0.0/8", "::1")',
    'Host(`a`, `b`) && (PathPrefix(`/api`) || !(Path("/x") && Method("GET", "HEAD")))',
    '  ( (  Host("a")\n&&\tPath("/p") ) )  ',
    '!!Host("a")',
    'Listener("web") && !Listener(`in-ternal_1@file`)',
  ]) {
    requireTaken(text)
  }
})

test('&& binds closer than ||, and ! closest', () => {
  const parsed = parseRoute('Host("a") || !Host("b") && Host("c")')

  assert.ok(parsed.ok && parsed.expression.kind === 'or')
  const [first, second] = parsed.expression.terms
  assert.equal(first?.kind, 'term')
  assert.ok(second?.kind === 'and')
  assert.deepEqual(
    second.terms.map(({ kind }) => kind),
    ['not', 'term'],
  )
})

test('strings have the escapes of Go in double quotes, none in back quotes', () => {
  const escaped = String.raw`Query("q", "\a\b\f\n\r\t\v\\\"\101\x41\u00e9\U0001F600")`

  assert.deepEqual(values(escaped), ['\x07\b\f\n\r\t\v\\"AA\u00e9\u{1F600}'])
  assert.deepEqual(values('Query(`q`, `a\\n"b"`)'), ['a\\n"b"'])
  assert.deepEqual(values('Query("q", "")'), [''])
})

test('hosts lose their case and their last dot, names of patterns their spelling', () => {
  assert.deepEqual(values('Host("WWW.Example.COM.", "<Name>.X")'), ['www.example.com', '<>.x'])
  assert.deepEqual(values('Host("*.Example.COM", "**.Example.COM.")'), [
    '<>.example.com',
    '**.example.com',
  ])
  assert.deepEqual(values('Path("/<a>/<string:b>/<int:c>/<path:d>")'), ['/<>/<>/<int>/<path>'])
  assert.deepEqual(values('HostRegexp("^\\\\D+$")'), ['^\\D+$'])
})

const refusals: readonly [text: string, position: number, message: RegExp][] = [
  ['', 0, /found the end, expected a function, "!" or "\("/],
  ['Host', 4, /found the end, expected "\(" as in Host\("name", \.\.\.\)/],
  ['Host("a"', 8, /found the end, expected "," or "\)"/],
  ['Host()', 5, /found "\)", expected a string in double or back quotes/],
  ['Host("a",)', 9, /found "\)", expected a string/],
  ['Host(a)', 5, /found "a", expected a string/],
  ['Host(10)', 5, /found "10", expected a string/],
  ['10', 0, /found "10", expected a function/],
  ['Host("a") && 0.5a', 13, /found "0\.5", expected a function/],
  ['Host("a") == "b"', 10, /found "==", expected "&&"/],
  ['Host("a") !="b"', 10, /found "!=", expected "&&"/],
  ["Host('a')", 5, /found "'", expected a string/],
  ['Host("a") Path("/")', 10, /found "Path", expected "&&", "\|\|" or the end/],
  ['Host("a") & Path("/")', 10, /found "&", expected "&&"/],
  ['Host("a") &&', 12, /found the end, expected a function/],
  ['Host("a") && && Host("b")', 13, /found "&&", expected a function/],
  ['(Host("a")', 10, /found the end, expected "&&", "\|\|" or "\)" to close the "\(" at 0/],
  ['Host("a"))', 9, /found "\)", expected "&&", "\|\|" or the end/],
  ['Hots("a")', 0, /found "Hots", expected one of Host, HostRegexp, Path/],
  ['constructor("a")', 0, /found "constructor", expected one of/],
  ['"a"', 0, /found the string "a", expected a function/],
  ['Host("a', 5, /found the end in a string, expected '"' to close it/],
  ['Host(`a', 5, /found the end in a string, expected "`" to close it/],
  ['Host("a\nb")', 7, /found a line break in a string/],
  ['Host("a\\.b")', 7, /found the unknown escape "\\\."/],
  ['Query("a", "\\ud800")', 12, /found the unknown escape "\\u"/],
  ['Query("a", "\\400")', 12, /found the unknown escape "\\4"/],
  ['Header("a")', 10, /found "\)", expected "," as in Header\("name", "value"\)/],
  ['Header("a", "b", "c")', 15, /found ",", expected "\)"/],
  ['Header("a b", "c")', 7, /found the string "a b", expected the name of a header/],
  ['Header(":authority", "c")', 7, /the string ":authority" is no header; use Host, Method, Path/],
  ['Query("a", "b", "c")', 14, /found ",", expected "\)"/],
  ['Path("a")', 5, /the path "a" must begin with "\/"/],
  ['Path("/a?b=c")', 5, /holds a query; use Query/],
  ['Path("/\u00e9")', 5, /is not ASCII/],
  ['PathPrefix("/<x>")', 11, /takes no patterns/],
  ['Path("/<x")', 5, /"<" opens a pattern that no ">" closes/],
  ['Path("/<float:x>")', 5, /"<float:x>" has an unknown type/],
  ['Path("/<>")', 5, /"<>" has no valid name/],
  ['Path("/<int:>")', 5, /"<int:>" has no valid name/],
  ['Path("/<x>.json")', 5, /takes all up to the next "\/", so "\.json" cannot follow/],
  ['Path("/<int:x><y>")', 5, /must not touch another pattern/],
  ['Path("/<path:x>/a")', 5, /takes all the rest/],
  ['Method("<x>T")', 7, /takes all up to the end/],
  ['Host("<path:x>")', 5, /is for paths/],
  ['Host("a:80")', 5, /must have no port/],
  ['Host("[::1]:80")', 5, /no IPv6 address/],
  ['Host("[2001:db8]")', 5, /no IPv6 address/],
  ['Host("[10.0.0.1]")', 5, /no IPv6 address/],
  ['Host("b\u00fccher.example")', 5, /in its "xn--" form/],
  ['Host("a") && PathRegexp("[")', 24, /not a regular expression of RE2: missing closing \]/],
  ['HeaderRegexp("a", "(?=x)")', 18, /not a regular expression of RE2/],
  ['ClientIP("10.0.0.0/33")', 9, /no valid prefix length, expected 0 to 32/],
  ['ClientIP("10.0.0")', 9, /is no address and no block/],
  ['ClientIP("::1", "fe80::1%eth0")', 16, /is no address and no block/],
  ['Listener("a", "b")', 12, /found ",", expected "\)"/],
  ['Listener("<x>")', 9, /the id must be 1 to 128 letters/],
  ['ClientIP("::/129")', 9, /expected 0 to 128/],
  // The forms of other proxies, which as plain text would never match.
  ['Host("*")', 5, /a route without Host takes every host/],
  ['Host("**")', 5, /a route without Host takes every host/],
  ['Host("www.*.example")', 5, /a wildcard is the whole first label/],
  ['Host("www*.example")', 5, /a wildcard is the whole first label/],
  ['Host("*www.example")', 5, /a wildcard is the whole first label/],
  ['Host("*.*.example")', 5, /a wildcard is the whole first label/],
  ['Host("**.<x>.example")', 5, /only a plain name can follow it/],
  ['Host(".example.com")', 5, /Host\("example\.com", "\*\*\.example\.com"\)/],
  ['Host("a..example")', 5, /it is no name of letters, digits/],
  ['Host("{shop}.example")', 5, /write "<shop>\.example" for one label/],
  ['Host("{shop:[a-z]+}.example")', 5, /a regular expression is written HostRegexp/],
  ['Host("~^shop")', 5, /a regular expression is written HostRegexp/],
  ['Host("^shop\\\\.example$")', 5, /a regular expression is written HostRegexp/],
  ['Host("(a|b).example")', 5, /a regular expression is written HostRegexp/],
  ['Host("https://a.example")', 5, /write the host alone/],
  ['Host("a.example/shop")', 5, /a path is written Path/],
  ['Host("a.example, b.example")', 5, /several hosts are written Host\("one", "other"\)/],
  ['Path("/api/*")', 5, /write PathPrefix\("\/api\/"\)/],
  ['Path("/api/**")', 5, /write PathPrefix\("\/api\/"\)/],
  ['PathPrefix("/api/*")', 11, /write PathPrefix\("\/api\/"\)/],
  ['Path("/*.js")', 5, /a "\*" itself needs PathRegexp/],
  ['Path("/users/{id}")', 5, /write "\/users\/<id>" for one segment/],
  ['Path("/users/{user-id}/x")', 5, /write "\/users\/<user_id>\/x" for one segment/],
  ['PathPrefix("/users/{id}")', 11, /write "\/users\/<id>" for one segment/],
  ['Path("/users/{id:[0-9]+}/x")', 5, /write "\/users\/<int:id>\/x" for digits/],
  ['Path("/users/{id:[a-z]{2}}")', 5, /a regular expression is written PathRegexp/],
  ['Path("/files/{rest:.*}")', 5, /write "\/files\/<path:rest>"/],
  ['Path("/files/{rest...}")', 5, /write "\/files\/<path:rest>"/],
  ['Path("/files/{*rest}")', 5, /write "\/files\/<path:rest>"/],
  ['Path("/files/*rest")', 5, /write "\/files\/<path:rest>"/],
  ['Path("/users/:id/posts")', 5, /write "\/users\/<id>\/posts"/],
  ['Path("/a{b,c}")', 5, /written %7B/],
  ['Path("~ ^/api")', 5, /a regular expression is written PathRegexp/],
  ['Path("^/api")', 5, /a regular expression is written PathRegexp/],
  ['Path("/api$")', 5, /a regular expression is written PathRegexp/],
  ['Path("/api/.*")', 5, /a regular expression is written PathRegexp/],
  ['Path("/api/v[0-9]")', 5, /a regular expression is written PathRegexp/],
  ['Path("/(a|b)")', 5, /a regular expression is written PathRegexp/],
  ['Path("= /login")', 5, /write Path\("\/login"\)/],
  ['Path("a.example/login")', 5, /write Host\("a\.example"\) && Path\("\/login"\)/],
  ['Path("/a b")', 5, /with "%" escapes/],
  ['Path("/a#b")', 5, /with "%" escapes/],
  ['HostRegexp("{shop:[a-z]+}.example")', 11, /is Traefik 2's/],
  ['PathRegexp("/users/{id}")', 11, /is Traefik 2's/],
  ['Method("get")', 7, /write "GET"/],
  ['HostRegexp("*.example.com")', 11, /a wildcard is written Host\("\*\.example\.com"\)/],
  ['Query("page=1")', 6, /write Query\("page", "1"\)/],
  ['Query("?page")', 6, /write Query\("page"\)/],
  ['Query("a=1&b=2", "x")', 6, /write Query\("a", "1"\)/],
  ['Method("ANY")', 7, /a route without Method takes every method/],
  ['Method("*")', 7, /a route without Method takes every method/],
  ['Method("GET|POST")', 7, /Method\("GET", "POST"\)/],
  ['Method("GET, POST")', 7, /Method\("GET", "POST"\)/],
]

test('what only looks like a form of another proxy is taken as it is', () => {
  for (const route of [
    'Path("/odata/Products(1)/$count")',
    'Path("/wiki/C++")',
    'Path("/v1/items:batchGet")',
    'Path("/a;b=c/d,e/@f/~g/h!")',
    'Path("/caf%C3%A9")',
    'Path("/a/<b>/<int:c>/<path:d>")',
    'Host("a_b.example", "xn--bcher-kva.example", "10.0.0.1", "[2001:db8::1]", "")',
    'HostRegexp("^[a-z]{2,3}\\\\.example$")',
    'PathRegexp("^/[0-9]{4}/[a-f]{2,}$")',
    'Method("PROPFIND", "purge")',
    'Header("Accept", "*/*")',
    'Header("X-Template", "{id}")',
  ]) {
    assert.equal(parseRoute(route).ok, true, route)
  }
})

for (const [text, position, message] of refusals) {
  test(`refuses ${JSON.stringify(text)} and says where`, () => {
    const refused = refusal(text)

    assert.match(refused.message, message)
    assert.equal(refused.position, position)
  })
}

test('bounds the length of a route', () => {
  const routeOf = (length: number): string => `Path("/${'a'.repeat(length - 9)}")`

  requireTaken(routeOf(8192))
  assert.match(refusal(routeOf(8193)).message, /8193 characters, at most 8192/)
})

test('bounds the nesting of a route', () => {
  const nested = (depth: number): string => '('.repeat(depth) + 'Host("a")' + ')'.repeat(depth)

  requireTaken(nested(64))
  assert.deepEqual(refusal(nested(65)), {
    message: 'the route is nested more than 64 deep',
    position: 64,
  })
  assert.match(refusal('!'.repeat(8000) + 'Host("a")').message, /nested more than 64/)
})

test('bounds the alternatives of a route', () => {
  const either = '(Host("a") || Host("b"))'
  const all = (count: number): string => Array.from({ length: count }, () => either).join(' && ')

  requireTaken(all(8))
  assert.match(refusal(all(9)).message, /512 alternatives/)
  assert.match(refusal(`${all(8)} && ${all(8)} && ${all(8)} && ${all(200)}`).message, /at most 256/)
})

test('a negation of && counts as the || that it is', () => {
  const neither = '!(Host("a") && Host("b"))'
  const all = Array.from({ length: 9 }, () => neither).join(' && ')

  assert.match(refusal(all).message, /512 alternatives/)
})

test('bounds the terms of all alternatives together', () => {
  const either = Array.from({ length: 8 }, () => '(Host("a") || Host("b"))').join(' && ')
  const terms = Array.from({ length: 9 }, (_, index) => `Query("${index}")`).join(' && ')

  assert.match(refusal(`${either} && ${terms}`).message, /4352 terms/)
})
