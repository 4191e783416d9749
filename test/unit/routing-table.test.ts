import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRoute } from '../../src/routing/parse.ts'
import type { RoutableRequest } from '../../src/routing/request.ts'
import { ANY, INT } from '../../src/routing/pattern.ts'
import { RoutingTable } from '../../src/routing/table.ts'
import { TrieNode, updateTrie } from '../../src/routing/trie.ts'

function request(host: string, path = '/', method = 'GET'): RoutableRequest {
  return {
    method,
    host,
    path,
    listener: 'web',
    query: '',
    clientIp: '192.0.2.1',
    fieldHolds: (_name, test) => test(''),
  }
}

test('an empty table takes nothing', () => {
  const table = new RoutingTable<string>()

  assert.equal(table.match(request('a')), undefined)
  assert.equal(table.size, 0)
})

test('an upsert replaces the route of its id, host and all', () => {
  const table = new RoutingTable<string>()
  table.upsert('r', 'Host("a") || Host("b")', null, 'first')

  table.upsert('r', 'Host("b") || Host("c")', null, 'second')

  assert.equal(table.size, 1)
  assert.equal(table.match(request('a')), undefined)
  assert.equal(table.match(request('b')), 'second')
  assert.equal(table.match(request('c')), 'second')
})

test('two routes of one text are two routes', () => {
  const table = new RoutingTable<string>()
  table.upsert('a', 'Host("x")', null, 'a')
  table.upsert('b', 'Host("x")', null, 'b')
  assert.equal(table.match(request('x')), 'a')

  table.delete('a')

  assert.equal(table.match(request('x')), 'b')
})

test('a delete of what is not there changes nothing', () => {
  const table = new RoutingTable<string>()
  table.upsert('a', 'Host("x")', null, 'a')

  table.delete('b')

  assert.equal(table.size, 1)
  assert.equal(table.match(request('x')), 'a')
})

test('an upsert that does not parse is an error and leaves the route as it was', () => {
  const table = new RoutingTable<string>()
  table.upsert('a', 'Host("x")', null, 'a')

  assert.throws(() => table.upsert('a', 'Host(', null, 'b'), /cannot route "a": found the end/)

  assert.equal(table.match(request('x')), 'a')
})

test('an expression serves as well as its text', () => {
  const table = new RoutingTable<string>()
  const parsed = parseRoute('Host("x") && PathPrefix("/a")')
  assert.ok(parsed.ok)

  table.upsert('a', parsed.expression, null, 'a')

  assert.equal(table.match(request('x', '/a/b')), 'a')
})

test('names of object members are hosts, paths and ids like any other', () => {
  const table = new RoutingTable<string>()
  table.upsert('__proto__', 'Host("constructor") && Path("/toString")', null, 'x')

  assert.equal(table.match(request('constructor', '/toString')), 'x')
  assert.equal(table.match(request('hasownproperty', '/valueOf')), undefined)
})

test('many routes of one host go into the path index and out again', () => {
  const table = new RoutingTable<number>()
  const shapes = [
    (n: number): string => `Path("/s${n}")`,
    (n: number): string => `PathPrefix("/p${n}/q")`,
    (n: number): string => `Path("/t${n}/<int:id>")`,
    (n: number): string => `Path("/u${n}/<x>/v<int:y>/<path:z>")`,
    (n: number): string => `PathRegexp("^/r${n}/")`,
    (n: number): string => `Method("M${n}")`,
  ]
  const examples = [
    (n: number): RoutableRequest => request('h', `/s${n}`),
    (n: number): RoutableRequest => request('h', `/p${n}/q/r`),
    (n: number): RoutableRequest => request('h', `/t${n}/12`),
    (n: number): RoutableRequest => request('h', `/u${n}/a/v1/b/c`),
    (n: number): RoutableRequest => request('h', `/r${n}/`),
    (n: number): RoutableRequest => request('h', '/', `M${n}`),
  ]
  const matches = (): (number | undefined)[] =>
    Array.from({ length: 300 }, (_, n) => {
      const example = examples[n % examples.length]
      return example === undefined ? undefined : table.match(example(n))
    })
  for (let n = 0; n < 300; n += 1) {
    table.upsert(`${n}`, `Host("h") && ${shapes[n % shapes.length]?.(n) ?? ''}`, null, n)
  }
  assert.deepEqual(
    matches(),
    Array.from({ length: 300 }, (_, n) => n),
  )

  for (let n = 0; n < 300; n += 2) table.delete(`${n}`)
  assert.deepEqual(
    matches(),
    Array.from({ length: 300 }, (_, n) => (n % 2 === 0 ? undefined : n)),
  )

  for (let n = 1; n < 300; n += 2) table.delete(`${n}`)
  assert.equal(table.size, 0)
  assert.ok(matches().every((match) => match === undefined))
})

test('a path as deep as a route may be is found', () => {
  const table = new RoutingTable<string>()
  const deep = '/a'.repeat(4000)
  table.upsert('deep', `Host("h") && Path("${deep}")`, null, 'deep')
  for (let n = 0; n < 10; n += 1) table.upsert(`${n}`, `Host("h") && Path("/${n}")`, null, 'other')

  assert.equal(table.match(request('h', deep)), 'deep')
  assert.equal(table.match(request('h', deep + '/a')), undefined)
})

// Counts, not times: what a match compares shows in how often it asks for the method.
test('a match asks no more routes of a host or of a path than hold there', () => {
  const table = new RoutingTable<number>()
  for (let n = 0; n < 2000; n += 1) {
    table.upsert(`h${n}`, `Host("h${n}") && Method("GET")`, null, n)
    table.upsert(`w${n}`, `Host("<x>.t${n}.org") && Method("GET")`, null, n)
    table.upsert(`p${n}`, `Host("one") && PathPrefix("/p${n}") && Method("GET")`, null, n)
    table.upsert(`i${n}`, `Host("one") && Path("/i/<int:x>/k${n}") && Method("GET")`, null, n)
  }
  let asked = 0
  const counting = (host: string, path: string): RoutableRequest => ({
    ...request(host, path),
    get method() {
      asked += 1
      return 'GET'
    },
  })

  assert.equal(table.match(counting('h7', '/')), 7)
  assert.equal(table.match(counting('www.t8.org', '/')), 8)
  assert.equal(table.match(counting('one', '/p9/x')), 9)
  assert.equal(table.match(counting('one', '/i/12/k10')), 10)
  assert.equal(asked, 4)
})

test('a trie clears away the way to what is gone', () => {
  const root = new TrieNode<string>()
  updateTrie(root, ['a', ANY, 'b'], () => 'deep')
  updateTrie(root, ['a', INT], () => 'near')

  updateTrie(root, ['a', ANY, 'b'], () => undefined)
  assert.deepEqual(root.literals?.get('a')?.any, undefined)
  assert.equal(root.literals?.get('a')?.int?.value, 'near')

  updateTrie(root, ['a', INT], () => undefined)
  assert.deepEqual(root, new TrieNode<string>())
})
