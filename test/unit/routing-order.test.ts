/** Which of several routes that hold takes the request. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoutableRequest } from '../../src/routing/request.ts'
import { RoutingTable } from '../../src/routing/table.ts'

const asked: RoutableRequest = {
  method: 'POST',
  host: 'api.example.com',
  path: '/api/12/items',
  query: 'q=1',
  listener: 'web',
  clientIp: '192.0.2.1',
  fieldHolds: (name, test) => test(name === 'x-a' ? 'b' : ''),
}

function tableOf(routes: Readonly<Record<string, string>>): RoutingTable<string> {
  const table = new RoutingTable<string>()
  for (const [id, route] of Object.entries(routes)) table.upsert(id, route, null, id)
  return table
}

/** The routes one after the other: each takes the request when those before it are gone. */
function takers(table: RoutingTable<string>): string[] {
  const order: string[] = []
  for (let taker = table.match(asked); taker !== undefined; taker = table.match(asked)) {
    order.push(taker)
    table.delete(taker)
  }
  return order
}

/** Every route holds; given from the last in order to the first, with ids that would say otherwise. */
function assertOrder(routes: readonly string[]): void {
  const table = new RoutingTable<string>()
  for (const [index, route] of [...routes].reverse().entries()) {
    table.upsert(`${index}`.padStart(2, '0'), route, null, route)
  }
  const order: string[] = []
  for (let index = routes.length - 1; index >= 0; index -= 1) {
    order.push(table.match(asked) ?? 'none')
    table.delete(`${index}`.padStart(2, '0'))
  }
  assert.deepEqual(order, routes)
}

test('the more specific host goes first, whatever the path', () => {
  assertOrder([
    'Host("api.example.com")',
    'Host("api.<int:n>.com") || Host("ap<x>.example.com")',
    'Host("<x>.example.com") && Path("/api/12/items")',
    'Host("**.example.com") && Path("/api/12/items")',
    'Host("api.<x>.com")',
    'Host("<x>.example.<y>")',
    'Host("<x>.<y>.com")',
    'Host("**.com") && Path("/api/12/items")',
    'Host("<x>.<y>.<z>") && Path("/api/12/items")',
    'HostRegexp("^api") && Path("/api/12/items")',
    'Path("/api/12/items") && Method("POST") && Query("q")',
  ])
})

test('within a host the more specific path goes first', () => {
  assertOrder([
    'Host("api.example.com") && Path("/api/12/items")',
    'Host("api.example.com") && Path("/api/<int:n>/items")',
    'Host("api.example.com") && Path("/api/<n>/items")',
    'Host("api.example.com") && Path("/<a>/12/items")',
    'Host("api.example.com") && Path("/<a>/<n>/items")',
    'Host("api.example.com") && Path("/<a>/<int:n>/i<x>")',
    'Host("api.example.com") && Path("/<a>/<b>/i<x>")',
    'Host("api.example.com") && Path("/<a>/<b>/<c>")',
    'Host("api.example.com") && PathPrefix("/api/12/")',
    'Host("api.example.com") && PathPrefix("/api/12")',
    'Host("api.example.com") && Path("/api/<path:rest>")',
    'Host("api.example.com") && PathPrefix("/api")',
    'Host("api.example.com") && Path("/<a>/<path:rest>")',
    'Host("api.example.com") && PathPrefix("/")',
    'Host("api.example.com") && PathRegexp("^/api/12/items$") && Method("POST")',
    'Host("api.example.com") && Method("POST")',
    'Host("api.example.com")',
  ])
})

test('within a path the route with more further terms goes first, then the lower id', () => {
  const table = tableOf({
    d: 'PathPrefix("/api")',
    c: 'PathPrefix("/api") && Header("X-A", "b")',
    b: 'PathPrefix("/api") && Method("POST") && Query("q")',
    f: 'PathPrefix("/api") && !Method("GET", "PUT") && ClientIP("192.0.2.0/24")',
    e: 'PathPrefix("/api") && PathRegexp("items")',
    a: 'PathPrefix("/api") && Method("POST", "PUT")',
  })

  assert.deepEqual(takers(table), ['f', 'b', 'a', 'c', 'e', 'd'])
})

test('a priority goes before everything, none is 0, and below 0 come the last resorts', () => {
  const table = new RoutingTable<string>()
  table.upsert('exact', 'Host("api.example.com") && Path("/api/12/items")', null, 'exact')
  table.upsert('zero', 'Host("api.example.com") && PathPrefix("/api")', 0, 'zero')
  table.upsert('low', 'Host("api.example.com") && Path("/api/12/items")', -1, 'low')
  table.upsert('pattern', 'Host("<x>.example.com")', null, 'pattern')
  table.upsert('regexp', 'HostRegexp("example")', 1, 'regexp')
  table.upsert('any', 'PathPrefix("/")', 2, 'any')

  assert.deepEqual(takers(table), ['any', 'regexp', 'exact', 'zero', 'pattern', 'low'])
})

test('a priority is a finite number', () => {
  const table = new RoutingTable<string>()

  assert.throws(() => table.upsert('a', 'Host("a")', Number.NaN, 'a'), /priority NaN/)
  assert.equal(table.size, 0)
})

test('each alternative has its own place', () => {
  const table = tableOf({
    either: 'Host("api.example.com") && Path("/other") || PathPrefix("/api")',
    host: 'Host("api.example.com")',
  })

  assert.equal(table.match(asked), 'host')
  assert.equal(table.match({ ...asked, path: '/other' }), 'either')
  assert.equal(table.match({ ...asked, host: 'b' }), 'either')
})

test('spelling does not count', () => {
  const spellings = [
    'Host("api.example.com")&&Method("POST")&&Path("/api/<n>/items")',
    ' Path(`/api/<another-name>/items`) && ( Method("POST") && Host("API.example.com.") ) ',
    'Host("api.example.com") && Path("/api/<n>/items") && Method("POST") && Method("POST")',
    '!(!Method("POST") || !Host("api.example.com") || !Path("/api/<string:n>/items"))',
  ]
  for (const spelling of spellings) {
    assert.equal(tableOf({ a: spelling, b: spellings[0] ?? '' }).match(asked), 'a', spelling)
    assert.equal(tableOf({ b: spelling, a: spellings[0] ?? '' }).match(asked), 'a', spelling)
  }
})

test('a catch-all of paths does not shadow routes with a host, nor a path those of another host', () => {
  const table = tableOf({ all: 'PathRegexp("/.*")', path: 'Path("/p")', host: 'Host("mm")' })
  const request = { ...asked, host: 'mm' }

  assert.equal(table.match({ ...request, path: '/p' }), 'host')
  assert.equal(table.match({ ...asked, path: '/p' }), 'path')
  assert.equal(table.match(asked), 'all')
})

test('a literal goes before a pattern whatever its first character', () => {
  for (const segment of ['z', '1', '-', '.', '%21', '_', '~']) {
    const table = tableOf({ pattern: 'Path("/g/<x>")', literal: `Path("/g/${segment}")` })

    assert.equal(table.match({ ...asked, path: `/g/${segment}` }), 'literal', segment)
  }
})

test('an unrelated route moves nothing', () => {
  const table = tableOf({ literal: 'Path("/foo/a")', pattern: 'Path("/<x>/a")' })
  assert.equal(table.match({ ...asked, path: '/foo/a' }), 'literal')

  table.upsert('unrelated', 'Path("/<x>/b")', null, 'unrelated')

  assert.equal(table.match({ ...asked, path: '/foo/a' }), 'literal')
})

test('a route with more terms does not make those beside it unreachable', () => {
  const path = '/x'
  const shorter: Readonly<Record<string, string>> = {
    'Host("a") && Path("/x")': 'Host("a") && Method("POST") && Path("/x")',
    'Method("GET") && Path("/x")': 'Method("GET") && Host("b")',
    'Host("a") && Path("/<x>")': 'Host("a") && Header("x-a", "c") && Path("/x")',
  }
  for (const [route, other] of Object.entries(shorter)) {
    const table = tableOf({ route, other })

    assert.equal(table.match({ ...asked, host: 'a', path, method: 'GET' }), 'route', other)
  }
})

test('a header decides between routes of one path, and those without it take the rest', () => {
  const table = tableOf({
    json: 'Path("/x") && Header("Content-Type", "application/json")',
    plain: 'Path("/x")',
  })
  const typed = (type: string): RoutableRequest => ({
    ...asked,
    path: '/x',
    fieldHolds: (_name, test) => test(type),
  })

  assert.equal(table.match(typed('application/json')), 'json')
  assert.equal(table.match(typed('text/html')), 'plain')
})
