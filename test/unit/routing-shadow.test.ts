import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRoute } from '../../src/routing/parse.ts'
import { findShadowed, type RouteToCheck, type Shadowed } from '../../src/routing/shadow.ts'

/** Ids are a, b, c ... in the order given; `5 Host(...)` has a priority. */
function shadowed(...texts: readonly string[]): readonly Shadowed[] {
  return findShadowed(
    texts.map((text, at): RouteToCheck => {
      const [, priority, route = ''] = /^(?:(-?\d+) )?(.*)$/.exec(text) ?? []
      const parsed = parseRoute(route)
      assert.ok(parsed.ok, route)
      const id = String.fromCharCode(97 + at)
      return { id, expression: parsed.expression, priority: Number(priority ?? 0) }
    }),
  )
}

const SAME: readonly (readonly [one: string, other: string])[] = [
  ['Host("a.example")', 'Host(`A.example`)'],
  ['Host("a") && Path("/x")', 'Path("/x") && (Host("a"))'],
  ['Host("a", "b")', 'Host("b") || Host("a") || Host("b")'],
  ['Host("*.a")', 'Host("<name>.a")'],
  ['!(Host("a") || Path("/x"))', '!Path("/x") && !Host("a")'],
  ['Method("GET", "POST")', 'Method("POST", "GET")'],
]

for (const [one, other] of SAME) {
  test(`${one} says the same as ${other}`, () => {
    assert.deepEqual(shadowed(one, other), [{ id: 'b', by: ['a'], isSame: true, because: 'id' }])
    const [first] = shadowed(one, `1 ${other}`)
    assert.deepEqual(first, { id: 'a', by: ['b'], isSame: true, because: 'priority' })
  })
}

type Case = readonly [because: Shadowed['because'], shadowing: string, shadowed: string]

const COVERED: readonly Case[] = [
  ['priority', '9 PathPrefix("/api")', 'Path("/api/users")'],
  ['priority', '9 PathPrefix("/")', 'Host("a") && PathPrefix("/x") && Method("GET")'],
  ['priority', '9 Host("*.example")', 'Host("shop.example")'],
  ['priority', '9 Host("**.example")', 'Host("<x>.shop.example")'],
  ['priority', '9 HostRegexp("example$")', 'Host("shop.example") && Path("/x")'],
  ['priority', '9 Host("a") && Path("/<path:rest>")', 'Host("a") && PathPrefix("/x")'],
  ['priority', '9 Path("/<x>/b")', 'Path("/<int:x>/b")'],
  ['priority', '9 Path("/a/<path:rest>")', 'Path("/a/b/<x>")'],
  ['priority', '9 Host("a") && !Method("POST")', 'Host("a") && Method("GET")'],
  ['priority', '9 !PathPrefix("/private")', 'Path("/public")'],
  ['priority', '9 ClientIP("10.0.0.0/8")', 'ClientIP("10.1.0.0/16", "10.2.3.4")'],
  ['priority', '9 Query("debug")', 'Query("debug", "1")'],
  ['priority', '9 Header("Accept", "text/<x>")', 'Header("Accept", "text/html")'],
  ['priority', '0 Path("/x")', '-1 Path("/x") && Method("GET")'],
  ['id', 'Path("/x") && Method("GET", "POST")', 'Path("/x") && Method("GET")'],
  ['terms', 'Path("/x") && Method("GET") && !Method("POST")', 'Path("/x") && Method("GET")'],
]

for (const [because, one, other] of COVERED) {
  test(`${one} takes all of ${other}`, () => {
    assert.deepEqual(shadowed(one, other), [{ id: 'b', by: ['a'], isSame: false, because }])
  })
}

const APART: readonly (readonly [one: string, other: string])[] = [
  ['PathPrefix("/api")', 'Path("/api/users")'],
  ['9 PathPrefix("/api")', 'Path("/apix")'],
  ['9 PathPrefix("/api/")', 'PathPrefix("/api")'],
  ['9 Host("*.example")', 'Host("a.b.example")'],
  ['9 Host("*.example")', 'Host("**.example")'],
  ['9 Host("**.a.example")', 'Host("*.example")'],
  ['9 Path("/x") && Method("GET")', 'Path("/x")'],
  ['9 Path("/x") && Method("GET")', 'Path("/x") && Method("GET", "POST")'],
  ['9 PathPrefix("/")', 'Method("OPTIONS")'],
  ['9 !Header("X-A", "b")', 'Header("X-A", "c")'],
  ['9 ClientIP("10.1.0.0/16")', 'ClientIP("10.0.0.0/8")'],
  ['9 Path("/a/<path:rest>")', 'Path("/a<path:rest>")'],
  ['9 Path("/<int:x>")', 'Path("/<x>")'],
  ['9 HostRegexp("^a$")', 'HostRegexp("^a")'],
  ['9 Header("X-A", "b")', 'Header("X-B", "b")'],
  ['9 Listener("web")', 'Listener("secure")'],
]

for (const [one, other] of APART) {
  test(`${one} leaves something to ${other}`, () => {
    assert.deepEqual(shadowed(one, other), [])
  })
}

test('a route is shadowed when each of its alternatives is, by whichever routes', () => {
  const [first, ...more] = shadowed('9 Host("a")', '9 Host("b")', 'Host("a", "b") && Path("/x")')

  assert.deepEqual(first, { id: 'c', by: ['a', 'b'], isSame: false, because: 'priority' })
  assert.deepEqual(more, [])
  assert.deepEqual(shadowed('9 Host("a")', 'Host("a", "c")'), [])
})
