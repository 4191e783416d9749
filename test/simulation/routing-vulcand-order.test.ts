/**
 * `routing.order: vulcand` against a plain model of vulcand's router. The model keeps branches where they are: in vulcand a branch
 * that a second route shares moves before its siblings, see the last test and docs/routes.md.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRoute } from '../../src/routing/parse.ts'
import { findShadowed } from '../../src/routing/shadow.ts'
import { orderKey, RoutingTable } from '../../src/routing/table.ts'
import type { RoutableRequest } from '../../src/routing/request.ts'
import {
  type ModelRequest,
  type ModelTerm,
  textOf,
  VulcandRouter,
} from '../support/vulcand-router.ts'

const VALUES: Readonly<Record<string, readonly string[]>> = {
  Host: ['a.x', 'b.x', 'A.x', 'a', '<h>.x', 'a.<h>', '<int:n>.x', '<h>.<i>'],
  HostRegexp: ['x$', '^a', '.'],
  Path: [
    ...['/', '/a', '/a/', '/a/b', '/1', '/a/1', '/~', '/-'],
    ...['/<x>', '/<y>', '/a/<x>', '/<x>/b', '/<int:n>/b', '/<x>/<y>', '/<path:p>', '/a/<path:p>'],
  ],
  PathRegexp: ['/a', 'b$', '.*', '^/[0-9]'],
  Method: ['GET', 'POST', '<m>'],
  MethodRegexp: ['T$', 'G'],
  Header: ['u', 'v/w', '<x>', 'v/<x>'],
  HeaderRegexp: ['^v', 'w'],
}

/** At most one term about each subject, in any order. */
const route = fc
  .uniqueArray(fc.constantFrom(...Object.keys(VALUES)), {
    minLength: 1,
    maxLength: 3,
    selector: (fn) => fn.replace('Regexp', ''),
  })
  .chain((functions) =>
    fc.tuple(
      ...functions.map((fn) =>
        fc
          .constantFrom(...(VALUES[fn] ?? []))
          .map((value): ModelTerm => ({ fn, name: fn.startsWith('Header') ? 'X-H' : '', value })),
      ),
    ),
  )

const request: fc.Arbitrary<ModelRequest> = fc.record({
  host: fc.constantFrom('a.x', 'b.x', '1.x', 'a', 'a.b'),
  path: fc.constantFrom(
    '/',
    '/a',
    '/a/',
    '/a/b',
    '/1',
    '/1/b',
    '/a/1',
    '/b/b',
    '/~',
    '/-',
    '/a/b/c',
  ),
  method: fc.constantFrom('GET', 'POST'),
  header: fc.constantFrom('', 'u', 'v/w', 'v/'),
})

function requestOf({ header, ...rest }: ModelRequest): RoutableRequest {
  const others = { listener: 'web', query: '', clientIp: '192.0.2.1' }
  return { ...rest, ...others, fieldHolds: (name, holds) => holds(name === 'x-h' ? header : '') }
}

function tableOf(routes: readonly (readonly ModelTerm[])[]): RoutingTable<string> {
  const table = new RoutingTable<string>('vulcand')
  for (const [at, terms] of routes.entries()) {
    table.upsert(`${at}`.padStart(3, '0'), textOf(terms), null, textOf(terms))
  }
  return table
}

test('the order of vulcand is that of the model, whatever the routes are made of', () => {
  const all = fc.record({
    routes: fc.array(route, { minLength: 1, maxLength: 30, size: 'max' }),
    requests: fc.array(request, { minLength: 10, maxLength: 40, size: 'max' }),
  })
  let found = 0

  fc.assert(
    fc.property(all, ({ routes, requests }) => {
      const table = tableOf(routes)
      const model = new VulcandRouter(routes, false)
      for (const one of requests) {
        const taker = table.match(requestOf(one))
        assert.equal(taker, model.match(one), JSON.stringify(one))
        if (taker !== undefined) found++
      }
    }),
    { numRuns: 1_500 },
  )
  assert.ok(found > 5_000, `${found} requests have found a route`)
})

test('removing routes one after the other leaves the order of the others', () => {
  fc.assert(
    fc.property(fc.array(route, { minLength: 2, maxLength: 20 }), request, (routes, one) => {
      const table = tableOf(routes)
      for (const at of routes.keys()) {
        const model = new VulcandRouter(routes.slice(at), false)
        assert.equal(table.match(requestOf(one)), model.match(one))
        table.delete(`${at}`.padStart(3, '0'))
      }
      assert.equal(table.match(requestOf(one)), undefined)
    }),
    { numRuns: 500 },
  )
})

test('a route that is said to be hidden by the texts of others takes no request', () => {
  const routes = fc.array(route, { minLength: 2, maxLength: 12, size: 'max' })
  const requests = fc.array(request, { minLength: 20, maxLength: 40, size: 'max' })
  let found = 0

  fc.assert(
    fc.property(routes, requests, (all, asked) => {
      const judged = all.flatMap((terms) => {
        const text = textOf(terms)
        const parsed = parseRoute(text)
        if (!parsed.ok) return []
        return { id: text, ...parsed, priority: 0, key: orderKey('vulcand', text) }
      })
      const hidden = findShadowed([...new Map(judged.map((one) => [one.id, one])).values()])
      found += hidden.length
      const table = tableOf(all)
      for (const one of asked) {
        const taker = table.match(requestOf(one))
        assert.ok(!hidden.some(({ id }) => id === taker), `${taker}`)
      }
    }),
    { numRuns: 500 },
  )
  assert.ok(found > 100, `${found} were found`)
})

test('a route that is added elsewhere moves no other, as it does in vulcand', () => {
  const path = (value: string): readonly ModelTerm[] => [{ fn: 'Path', name: '', value }]
  const two = [path('/users/me'), path('/users/<id>')]
  const three = [...two, path('/users/<id>/posts')]
  const me: ModelRequest = { host: 'a.x', path: '/users/me', method: 'GET', header: '' }
  const literal = 'Path("/users/me")'

  assert.equal(new VulcandRouter(two, true).match(me), literal)
  assert.equal(new VulcandRouter(three, true).match(me), 'Path("/users/<id>")')
  for (const routes of [two, three]) assert.equal(tableOf(routes).match(requestOf(me)), literal)
})
