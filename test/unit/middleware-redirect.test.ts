import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LocalResponse } from '../../src/http/message/local-response.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import { redirect } from '../../src/middleware/redirect.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
} from '../support/middleware-context.ts'
import type { RequestForm } from '../support/middleware-context.ts'
import { parseOptions } from '../support/options.ts'

function optionsOf(options: object): Parameters<typeof redirect.compile>[0] {
  const parsed = parseOptions(redirect, options)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.message)
  return parsed.value
}

function responseOf(options: object, form: RequestForm = {}): LocalResponse | null {
  const [compileContext] = openThreads(1, () => 0).compileContexts
  assert.ok(compileContext)
  const decision = ask(
    redirect.compile(optionsOf(options), compileContext),
    requestOf(form),
    createMiddlewareContext(),
  )
  return decision === null ? null : localResponse(decision)
}

function locationOf(options: object, form: RequestForm = {}): string {
  const { fields = '' } = responseOf(options, form) ?? {}
  const [, location] = /^Location: ([^\r\n]*)\r\n$/.exec(fields) ?? []
  assert.ok(location !== undefined, `not one Location: ${JSON.stringify(fields)}`)
  return location
}

const ASKED: RequestForm = { host: 'shop.example', target: '/cart/1?a=b&c' }

const TEMPLATES: readonly (readonly [to: string, location: string, keepPath?: boolean])[] = [
  ['https://vote.example', 'https://vote.example'],
  ['https://vote.example/', 'https://vote.example/cart/1?a=b&c', true],
  ['https://{host}', 'https://shop.example'],
  ['https://{host}', 'https://shop.example/cart/1?a=b&c', true],
  ['https://{host}{path}', 'https://shop.example/cart/1'],
  ['https://{host}{uri}', 'https://shop.example/cart/1?a=b&c'],
  ['https://{host}:{port}{path}?{query}', 'https://shop.example:80/cart/1?a=b&c'],
  ['https://www.{host}:8443/new{path}', 'https://www.shop.example:8443/new/cart/1'],
  ['{scheme}://vote.example{path}', 'http://vote.example/cart/1'],
  [
    'https://login.example/?back={scheme}://{host}{path}',
    'https://login.example/?back=http://shop.example/cart/1',
  ],
  ['/new{path}?from={host}', '/new/cart/1?from=shop.example'],
  ['{path}', '/cart/1'],
]

for (const [to, location, keepPath = false] of TEMPLATES) {
  test(`${to}${keepPath ? ' with the path kept' : ''} leads to ${location}`, () => {
    assert.equal(locationOf({ to, keepPath }, ASKED), location)
  })
}

test('a query that is empty leaves no question mark', () => {
  const to = 'https://{host}{path}?{query}'

  assert.equal(locationOf({ to }, { target: '/a' }), 'https://shop.example/a')
  assert.equal(
    locationOf({ to: 'https://{host}{uri}' }, { target: '/a' }),
    'https://shop.example/a',
  )
})

test('the port asked for is the one in the Host field, else that of the scheme', () => {
  const to = 'https://vote.example:{port}/'

  assert.equal(locationOf({ to }, { host: 'a.example:8080' }), 'https://vote.example:8080/')
  assert.equal(locationOf({ to }, { host: 'a.example' }), 'https://vote.example:80/')
})

const REFUSED: readonly (readonly [options: object, message: RegExp])[] = [
  [{}, /needs to or scheme/],
  [
    { to: 'https://{hostname}/' },
    /^to: has the unknown placeholder "\{hostname\}"; there are \{scheme\}, \{host\}/,
  ],
  [{ to: 'https://{{ .Host }}/' }, /^to: has the unknown placeholder "\{\{ \.Host \}"/],
  [
    { to: 'https://$' + '{host}/' },
    /^to: has a "\$" in the name of the host; there are \{scheme\}/,
  ],
  [{ to: 'https://$host/' }, /^to: has a "\$" in the name of the host/],
  [{ to: 'https://{host/' }, /^to: has a "\{" that no "\}" closes/],
  [{ to: 'https://host}/' }, /^to: has a "\}" that no "\{" opens/],
  [{ to: 'https://vote.example{query}' }, /^to: must have a path before \{query\}/],
  [{ to: 'https://{port}/' }, /^to: must have \{host\} once/],
  [{ to: 'https://{host}{port}/' }, /^to: must have \{host\} once/],
  [{ to: 'https://{host}{host}/' }, /^to: must have \{host\} once/],
  [{ to: 'https://{host}@evil.example/' }, /^to: must have \{host\} once/],
  [{ to: 'https://{path}/' }, /^to: must be an http\(s\) url or a path/],
  [{ to: '//{host}/' }, /^to: must be an http\(s\) url or a path/],
  [{ to: '{host}/a' }, /^to: must be an http\(s\) url or a path/],
  [{ to: '{query}' }, /^to: must be an http\(s\) url or a path/],
  [{ to: 'https://a.example/\r\nX-Evil: 1' }, /^to: must be an http\(s\) url or a path/],
  [{ to: '/a b' }, /^to: must be an http\(s\) url or a path/],
  [
    { to: 'https://{host}{path}', keepPath: true },
    /^keepPath: appends the path and query, which "to" names/,
  ],
  [{ to: '/?a=b', keepPath: true }, /^keepPath: appends a path, so "to" must end with one/],
  [{ to: '/', status: 308, permanent: true }, /^permanent: is not used with status/],
  [{ to: '/', port: 443 }, /^port: is used with scheme only/],
  [{ scheme: 'https', to: '/' }, /^to: is not used with scheme/],
  [{ scheme: 'https', keepPath: true }, /^keepPath: is not used with scheme/],
  [{ scheme: 'ftp' }, /^scheme: /],
  [{ scheme: 'https', port: 0 }, /^port: must be a whole number from 1 to 65535/],
]

for (const [options, message] of REFUSED) {
  test(`refuses ${JSON.stringify(options)}`, () => {
    const parsed = parseMiddleware({ kind: 'redirect', options })

    assert.match(parsed.ok ? 'nothing is wrong' : (parsed.problems[0]?.message ?? ''), message)
  })
}

test('what was read is read again as the same', () => {
  for (const options of [
    { to: 'https://{host}', keepPath: true },
    { to: '/a', permanent: false },
    { scheme: 'https', permanent: true },
    { scheme: 'http', port: 8080, status: 302 },
  ]) {
    const once = optionsOf(options)
    assert.deepEqual(optionsOf(once), once)
  }
})

test('a redirect to https leads to the port of https, whatever the port asked for', () => {
  const scheme = 'https'
  const form = { host: 'shop.example:8080', target: '/a?b' }
  const asked = { ...form, host: 'shop.example' }

  assert.equal(locationOf({ scheme }, asked), 'https://shop.example/a?b')
  assert.equal(locationOf({ scheme, port: 443 }, asked), 'https://shop.example/a?b')
  assert.equal(locationOf({ scheme, port: 8443 }, asked), 'https://shop.example:8443/a?b')
  assert.equal(responseOf({ scheme })?.status, 308)
  assert.equal(responseOf({ scheme, permanent: false })?.status, 307)
  assert.equal(responseOf({ scheme, status: 301 })?.status, 301)
})

test('a redirect to a scheme lets pass what came by it', () => {
  assert.equal(responseOf({ scheme: 'http' }), null)
})

test('a request without a host cannot keep it', () => {
  for (const options of [{ scheme: 'https' }, { to: 'https://{host}/' }]) {
    const response = responseOf(options, { host: '' })
    assert.deepEqual([response?.status, response?.reason], [400, 'BAD_HOST'])
  }
  assert.equal(
    locationOf({ to: 'https://vote.example{path}' }, { host: '' }),
    'https://vote.example/',
  )
})

test('no request chooses the host of a redirect, or a field of its answer', () => {
  const visible = fc
    .string({ unit: fc.constantFrom(...'/\\.:@?&=%{}$az09-#'.replace('#', '')), maxLength: 12 })
    .map((text) => `/${text}`)
  const templates = fc.constantFrom<object>(
    { to: '{path}' },
    { to: '{uri}' },
    { to: '/', keepPath: true },
    { to: 'https://vote.example', keepPath: true },
    { to: 'https://vote.example{uri}' },
    { to: 'https://{host}{path}?{query}' },
    { scheme: 'https' },
  )

  fc.assert(
    fc.property(templates, visible, (options, target) => {
      const location = locationOf(options, { host: 'shop.example', target })
      const { host } = new URL(location, 'http://shop.example/')
      const wanted = 'to' in options && String(options.to).includes('vote') ? 'vote' : 'shop'
      assert.equal(host, `${wanted}.example`, `${target} leads to ${location}`)
    }),
    { numRuns: 500 },
  )
})
