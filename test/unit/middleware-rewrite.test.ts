/* oxlint-disable no-template-curly-in-string -- groups of Go are written so */
// vulcand's rewrite (facts/vulcand.md 4.6 and 5.4): Go's Expand and ReplaceAllString, without the evaluation of what clients send.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LocalResponse } from '../../src/http/message/local-response.ts'
import type { Middleware } from '../../src/middleware/middleware.ts'
import { rewrite } from '../../src/middleware/rewrite.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import {
  createMiddlewareContext,
  requestOf,
  type RequestForm,
} from '../support/middleware-context.ts'

type Options = Parameters<typeof rewrite.compile>[0]

function compile(options: Partial<Options>): Middleware {
  const parsed = parseMiddleware({ kind: 'rewrite', options })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return rewrite.compile(
    parsed.value.options as Options,
    {} as Parameters<typeof rewrite.compile>[1],
  )
}

/** The target that is forwarded, or the response. */
function apply(options: Partial<Options>, form: RequestForm): string | LocalResponse {
  const exchange = requestOf({ host: 'localhost', ...form })
  const decision = compile(options).onRequest?.(exchange, createMiddlewareContext())
  if (decision === null) return exchange.to.target
  assert.ok(typeof decision === 'object' && 'status' in decision)
  return decision
}

function locationOf(response: string | LocalResponse): string {
  assert.ok(typeof response === 'object', `a response, not ${JSON.stringify(response)}`)
  assert.equal(response.status, 302)
  return /^Location: (.*)\r\n$/m.exec(response.fields)?.[1] ?? ''
}

/** Regexp, replacement, target, what is forwarded. */
const REWRITES: readonly (readonly [string, string, string, string])[] = [
  ['^http://localhost/foo(.*)', 'http://localhost$1', '/foo/bar', '/bar'],
  ['^http://localhost/foo(.*)', 'http://localhost$1', '/other', '/other'],
  ['^http://localhost/foo(.*)', 'http://localhost$1', '/foo', '/'],
  ['^http://localhost/foo(.*)', 'http://localhost$1', '/foo?a=b', '/?a=b'],
  ['^http://localhost/foo(.*)', 'http://localhost${1}x', '/foo/bar', '/barx'],
  [
    '^http://localhost/(?P<user>\\w+)/(?P<page>\\w+)',
    'http://localhost/${page}/$user',
    '/a/b',
    '/b/a',
  ],
  ['^http://localhost/(\\w+)/(\\w+)$', 'http://localhost/$2/$1', '/a/b', '/b/a'],
  // Scheme and host of the result choose no server.
  ['^http://localhost/(.*)', 'https://elsewhere.example:8443/v2/$1', '/x?y', '/v2/x?y'],
  ['/foo', '/bar', '/foo/foo?q=/foo', '/bar/bar?q=/bar'],
  ['(?i)/FOO', '/bar', '/Foo', '/bar'],
  ['/a(.*)', '/$$1', '/a', '/$1'],
  ['/price', '/$', '/price', '/$'],
  ['/a', '/a%20b', '/a', '/a%20b'],
  // What a client escapes stays escaped.
  ['^http://localhost/foo(.*)', 'http://localhost$1', '/foo/%20x%2By', '/%20x%2By'],
  // vulcand #163 and #237, Caddy #4515, Traefik #6355, #6994, #11735 and #10027: queries, escapes and empty groups.
  ['^http://localhost/foo/(.*)', 'http://localhost/$1', '/foo/a%20b?c=%20&d', '/a%20b?c=%20&d'],
  ['^(http://localhost)/(.*)', '$1/i/$2', '/%C2%B7%E2%88%B5.png', '/i/%C2%B7%E2%88%B5.png'],
  ['/e/([^/]*)/([^/]*)', '/e/${1}%2F${2}', '/e/a/b', '/e/a%2Fb'],
  ['/A=(.*)', '/view?a=1&ENC=$1', '/A=1234', '/view?a=1&ENC=1234'],
  ['^http://localhost/?(.*)$', 'http://localhost/new/${1}', '/', '/new/'],
  ['/foo$', '/foo#part', '/foo', '/foo'],
  ['/m', '/{{.Request.Method}}/{{.Request.Host}}', '/m', '/GET/localhost'],
  ['/m', '/{{ .Request.Header.Get "X-Who" }}', '/m', '/me'],
  ['/m$', '/{{.Request.Header.Get "X-Space"}}', '/m', '/a%20b%22%3C'],
  ['/m', '/x{{.Request.Header.Get "X-None"}}', '/m', '/x'],
  [
    '\\?.*',
    '?was={{.Request.URL.RawQuery}}&path={{.Request.URL.Path}}',
    '/%61?b=c',
    '/%61?was=b=c&path=/a',
  ],
]

test('rewrites as Go does', () => {
  const fields = { 'X-Who': 'me', 'X-Space': 'a b"<' }
  for (const [regexp, replacement, target, wanted] of REWRITES) {
    assert.equal(
      apply({ regexp, replacement }, { target, fields }),
      wanted,
      `${regexp} of ${target}`,
    )
  }
})

test('replaces empty matches where Go does', () => {
  assert.equal(apply({ regexp: 'a*$', replacement: 'x' }, { target: '/baaac' }), '/baaacx')
  assert.equal(apply({ regexp: 'a*', replacement: '' }, { target: '/baaac' }), '/bc')
})

test('nothing that a request carries is evaluated', () => {
  const rule = { regexp: '^http://localhost/foo(.*)', replacement: 'http://localhost$1' }

  assert.equal(
    apply(rule, { target: '/foo/?x={{.Request.Header}}' }),
    '/?x=%7B%7B.Request.Header%7D%7D',
  )
  assert.equal(
    apply(rule, { target: '/foo/$1/${1}/{{.Request.Host}}' }),
    '/$1/$%7B1%7D/%7B%7B.Request.Host%7D%7D',
  )
  const ofHeader = { regexp: '/m', replacement: '/{{.Request.Header.Get "X-Evil"}}' }
  const fields = { 'X-Evil': '$1{{.Request.Host}}' }
  assert.equal(apply(ofHeader, { target: '/m', fields }), '/$1%7B%7B.Request.Host%7D%7D')
})

test('a value cannot cut off the rest of the rule', () => {
  const rule = { regexp: '/m.*', replacement: '/{{.Request.Header.Get "X-Who"}}?role=guest' }
  assert.equal(apply(rule, { target: '/m', fields: { 'X-Who': 'a#' } }), '/a%23?role=guest')

  const ofPath = { regexp: '/m.*', replacement: '{{.Request.URL.Path}}&role=guest' }
  assert.equal(apply(ofPath, { target: '/m%23' }), '/m%23&role=guest')
})

test('what follows the prefix stays what it was', () => {
  const rule = compile({
    regexp: '^http://localhost/old(.*)',
    replacement: 'http://localhost/new$1',
  })
  const part = fc.stringMatching(/^[A-Za-z0-9_~$&'()*+,;=:@-]{1,12}$/)
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      const rest = parts.map((one) => `/${one}`).join('')
      const exchange = requestOf({ host: 'localhost', target: `/old${rest}?${parts.join('$1')}` })
      assert.equal(rule.onRequest?.(exchange, createMiddlewareContext()), null)
      assert.equal(exchange.to.target, `/new${rest}?${parts.join('$1')}`)
    }),
  )
})

test('an expression that would take a backtracking engine for ever takes a moment', () => {
  const target = `/${'a'.repeat(8000)}`

  assert.equal(apply({ regexp: '(a|a)*b', replacement: '' }, { target }), target)
  assert.equal(apply({ regexp: '(a+)+$', replacement: 'b' }, { target }), '/b')
})

test('a URL that would cost too much time is refused, and one without the expression passes', () => {
  const costly = [
    ['x*y|x', 'x'.repeat(2000)],
    ['(?:x*){50}y|x', 'x'.repeat(200)],
    ['((x?){15}){15}y|x', 'x'.repeat(3000)],
  ] as const
  for (const [regexp, text] of costly) {
    const response = apply({ regexp, replacement: 'z' }, { target: `/${text}` })
    assert.ok(typeof response === 'object', regexp)
    assert.deepEqual([response.status, response.reason], [400, 'BAD_TARGET'])
    const other = `/${'a'.repeat(8000)}`
    assert.equal(apply({ regexp, replacement: 'z' }, { target: other }), other)
  }
  assert.equal(
    apply({ regexp: '_', replacement: '-' }, { target: `/${'a_'.repeat(100)}` }),
    `/${'a-'.repeat(100)}`,
  )
  assert.match(
    refusalOf({ regexp: '((x?){30}){30}y' })[0] ?? '',
    /at most 1000 are taken for a rewrite$/,
  )
})

test('segments that only the rule puts together lead nowhere else', () => {
  const rule = { regexp: '^http://localhost/api(.*)', replacement: 'http://localhost/v1/$1' }
  for (const target of [
    '/api../secret',
    '/api..',
    '/api.%2e/x',
    '/api..%2fx',
    '/api..;a/x',
    '/api..\\x',
  ]) {
    const response = apply(rule, { target })
    assert.ok(typeof response === 'object', target)
    assert.equal(response.reason, 'BAD_TARGET')
  }
  assert.equal(apply(rule, { target: '/api/x' }), '/v1//x')
})

test('a result without a path is refused', () => {
  for (const replacement of ['x', 'ftp://a/b', 'localhost/x']) {
    const response = apply({ regexp: '^.*$', replacement }, { target: '/' })
    assert.ok(typeof response === 'object', replacement)
    assert.equal(response.status, 400)
  }
})

test('OPTIONS of the whole server passes', () => {
  assert.equal(apply({ regexp: '.*', replacement: '/x' }, { method: 'OPTIONS', target: '*' }), '*')
})

test('redirects to a URL that differs, and forwards one that does not', () => {
  const rule = { regexp: '^http://(.*)', replacement: 'https://$1', redirect: true }

  assert.equal(locationOf(apply(rule, { target: '/a?b' })), 'https://localhost/a?b')
  const same = { regexp: '^http://(.*)', replacement: 'http://$1', redirect: true }
  assert.equal(apply(same, { target: '/a?b' }), '/a?b')
  const named = {
    regexp: '^http://(\\w+)/',
    replacement: 'https://www.$1.example/',
    redirect: true,
  }
  assert.equal(locationOf(apply(named, { target: '/a' })), 'https://www.localhost.example/a')
  const local = { regexp: '^http://localhost', replacement: '', redirect: true }
  assert.equal(locationOf(apply(local, { target: '/a' })), '/a')
})

/** A client that can choose the host could lead other clients of a shared cache or link anywhere. */
const OPEN_REDIRECTS: readonly (readonly [string, string, string])[] = [
  ['^http://localhost/(.*)', 'http://$1', '/evil.example/x'],
  ['^http://localhost/(.*)', '$1', '/http://evil.example/x'],
  ['^http://localhost/x(.*)', 'http://localhost$1', '/x.evil.example/'],
  ['^http://localhost/x(.*)', 'http://localhost$1', '/x@evil.example/'],
  ['^http://localhost/x(.*)', 'http://localhost$1', '/x:99/'],
  ['^http://localhost', '', '//evil.example/'],
  ['^http://localhost', '', '/\\evil.example/'],
  ['^http://localhost/(.*)', 'http://{{.Request.Header.Get "X-Host"}}/$1', '/a'],
  ['^http://localhost/(.*)', 'javascript:$1', '/alert(1)'],
]

test('a client cannot choose the host of a redirect', () => {
  const fields = { 'X-Host': 'evil.example' }
  for (const [regexp, replacement, target] of OPEN_REDIRECTS) {
    const response = apply({ regexp, replacement, redirect: true }, { target, fields })
    assert.ok(typeof response === 'object', regexp)
    assert.deepEqual(
      [response.status, response.reason],
      [400, 'BAD_TARGET'],
      `${replacement} of ${target}`,
    )
  }
  const own = { regexp: '/old', replacement: '/new', redirect: true }
  assert.equal(locationOf(apply(own, { target: '/old' })), 'http://localhost/new')
})

function refusalOf(options: object): readonly string[] {
  const parsed = parseMiddleware({ kind: 'rewrite', options })
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
}

test('what is not valid is refused with its reason', () => {
  const known = /^replacement: has the unknown variable .*; there are \{\{\.Request\.Host\}\}, /
  assert.deepEqual(refusalOf({ replacement: '/x' }), ['regexp: is missing'])
  assert.match(refusalOf({ regexp: '(' })[0] ?? '', /^regexp: not a regular expression of RE2: /)
  assert.match(
    refusalOf({ regexp: '(?=a)' })[0] ?? '',
    /^regexp: not a regular expression of RE2: /,
  )
  assert.match(
    refusalOf({ regexp: 'a'.repeat(1025) })[0] ?? '',
    /^regexp: .* at most 1024 are taken$/,
  )
  assert.deepEqual(refusalOf({ regexp: '(a)', replacement: '$1x' }), [
    'replacement: names the group "1x", which the regexp does not have; group 1 with "x" behind it is ${1}x',
  ])
  assert.deepEqual(refusalOf({ regexp: 'a', replacement: '$1' }), [
    'replacement: names the group "1", which the regexp does not have',
  ])
  assert.deepEqual(refusalOf({ regexp: 'a', replacement: '$constructor' }), [
    'replacement: names the group "constructor", which the regexp does not have',
  ])
  for (const text of [
    '{{.Request.Header}}',
    '{{.Request.Header.Get "a" | printf}}',
    '{{range .}}',
    '{{.Request.Body}}',
  ])
    assert.match(refusalOf({ regexp: 'a', replacement: text })[0] ?? '', known)
  assert.deepEqual(refusalOf({ regexp: 'a', replacement: '{{.Request.Host' }), [
    'replacement: has a "{{" that no "}}" closes',
  ])
  assert.match(refusalOf({ regexp: 'a', replacement: 'a b' })[0] ?? '', /must be visible ASCII/)
  assert.deepEqual(refusalOf({ body: true, replacement: 'x' }), [
    'replacement: is used with regexp only',
  ])
  assert.deepEqual(refusalOf({ body: true, redirect: true }), [
    'redirect: is used with regexp only',
  ])
  assert.deepEqual(refusalOf({ body: true }), [])
})
