/** vulcand's routes as tables (test/support/vulcand-routes.ts), with `routing.order: vulcand`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPath } from '../../src/http/message/path-policy.ts'
import { routingHost } from '../../src/http/message/authority.ts'
import { parseRoute } from '../../src/routing/parse.ts'
import type { RoutableRequest } from '../../src/routing/request.ts'
import { RoutingTable } from '../../src/routing/table.ts'
import {
  type AskedOf,
  MANY_ROUTES,
  REFUSED,
  REFUSED_HERE,
  ROUTE_TABLES,
  TAKEN_HERE,
} from '../support/vulcand-routes.ts'

function requestOf({ host, target, method = 'GET', headers = {} }: AskedOf): RoutableRequest {
  const [path = '', query = ''] = target.split('?')
  const read = readPath(path, 'normalize')
  assert.notEqual(typeof read, 'string', path)
  const fields = new Map(Object.entries(headers).map(([name, text]) => [name.toLowerCase(), text]))
  return {
    method,
    host: host === undefined ? '' : (routingHost(host) ?? ''),
    path: read === null || typeof read === 'string' ? path : read.normalized,
    listener: 'web',
    query,
    clientIp: '192.0.2.1',
    fieldHolds: (name, holds) => holds(fields.get(name) ?? ''),
  }
}

function tableOf(routes: readonly string[]): RoutingTable<string> {
  const table = new RoutingTable<string>('vulcand')
  for (const [at, route] of routes.entries()) table.upsert(`${at}`, route, null, route)
  return table
}

for (const { title, routes, asked } of ROUTE_TABLES) {
  test(`vulcand's routes: ${title}`, () => {
    for (const table of [tableOf(routes), tableOf(routes.toReversed())]) {
      for (const one of asked) {
        const taker = table.match(requestOf(one)) ?? null
        assert.equal(taker, one.route, `${one.method ?? 'GET'} ${one.host ?? ''} ${one.target}`)
      }
    }
  })
}

test("vulcand's routes: an API of many paths, each of which takes its own requests", () => {
  const routes = MANY_ROUTES.map((line) => {
    const [method = '', path = ''] = line.split(' ')
    return { method, path, route: `Method("${method}") && Path("${path}")` }
  })
  const table = tableOf(routes.map(({ route }) => route))

  for (const { method, path, route } of routes) {
    const target = path.replace(/<(?:path:)?(\w+)>/g, 'any_$1')
    assert.equal(table.match(requestOf({ target, method, route })), route)
  }
})

for (const [text, message, position] of REFUSED) {
  test(`a route is refused as in vulcand: ${text}`, () => {
    const parsed = parseRoute(text)

    assert.ok(!parsed.ok)
    assert.ok(parsed.message.includes(message), parsed.message)
    assert.equal(parsed.position, position)
  })
}

test('routes that vulcand refuses, and that mean something here', () => {
  for (const text of TAKEN_HERE) assert.equal(parseRoute(text).ok, true, text)
})

for (const [text, message] of REFUSED_HERE) {
  test(`a route that vulcand takes is refused, because no request meets it: ${text}`, () => {
    const parsed = parseRoute(text)

    assert.ok(!parsed.ok)
    assert.ok(parsed.message.includes(message), parsed.message)
  })
}
