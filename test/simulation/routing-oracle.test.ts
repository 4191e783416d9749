/**
 * The table against an oracle that has no index: it asks every alternative of every route, and takes the first in the
 * documented order (docs/routes.md). Hosts, paths and values come from a small alphabet, so that routes collide.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_ALTERNATIVES, MAX_LITERALS } from '../../src/routing/alternatives.ts'
import { parseRoute } from '../../src/routing/parse.ts'
import type { RoutableRequest } from '../../src/routing/request.ts'
import { findShadowed } from '../../src/routing/shadow.ts'
import { RoutingTable } from '../../src/routing/table.ts'

type Tree = Leaf | { op: '&&' | '||'; of: Tree[] } | { op: '!'; of: [Tree] }
interface Leaf {
  op: 'call'
  fn: string
  /** Of a header or query parameter. */
  name: string
  values: string[]
}
interface Literal {
  leaf: Leaf
  negated: boolean
}
interface Asked extends Omit<RoutableRequest, 'fieldHolds'> {
  header: string | undefined
}

const HOST_FUNCTIONS = ['Host', 'HostRegexp']
const PATH_FUNCTIONS = ['Path', 'PathPrefix', 'PathRegexp']

// ---- what is generated

function calls(fn: string, name: string, values: readonly string[], most = 2): fc.Arbitrary<Leaf> {
  const some = fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: most })
  return some.map((chosen): Leaf => ({ op: 'call', fn, name, values: chosen }))
}

const hostLeaf = fc.oneof(
  { arbitrary: calls('Host', '', ['a.x', 'b.x', 'A.b.X', '1.x', 'x', '']), weight: 4 },
  calls('Host', '', ['<h>.x', 'a.<h>', '<h>.<i>', '<h>.b.x', 'a<h>.x', '<int:n>.x', '<h>.<i>.x']),
  calls('Host', '', ['*.x', '**.x', '*.B.x', '**.b.x', '*.<h>', '**.a.b']),
  calls('HostRegexp', '', ['X$', '^a', 'b']),
)
const pathLeaf = fc.oneof(
  { arbitrary: calls('Path', '', ['/', '/a', '/a/', '/a/b', '/a/1', '/b/a', '/a/b/1']), weight: 2 },
  calls('Path', '', [
    '/<x>',
    '/a/<x>',
    '/a/<int:n>',
    '/<x>/b',
    '/<x>/<int:n>',
    '/a<x>/b',
    '/a//<x>',
  ]),
  calls('Path', '', [
    '/<path:p>',
    '/a/<path:p>',
    '/<x>/<path:p>',
    '/a/b<path:p>',
    '/<int:n>/<path:p>',
  ]),
  calls('PathPrefix', '', ['/', '/a', '/a/', '/a/b', '/b', '/a/1/']),
  calls('PathRegexp', '', ['^/a', 'b$', '1', '.*']),
)
const otherLeaf = fc.oneof(
  calls('Method', '', ['GET', 'POST', '<m>', 'P<m>']),
  calls('MethodRegexp', '', ['^G', 'T']),
  calls('Header', 'X-H', ['', 'u', 'v/w', '<x>', 'v/<x>', '<path:x>'], 1),
  calls('HeaderRegexp', 'X-H', ['^v', 'w$'], 1),
  fc.oneof(calls('Query', 'q', ['1', ''], 1), fc.constant(leaf('Query', 'q', []))),
  calls('Listener', '', ['web', 'admin', 'other'], 1),
  calls('ClientIP', '', ['10.0.0.0/8', '10.1.0.0/16', '2001:db8::/32', '::ffff:10.2.0.0/112']),
)

function leaf(fn: string, name: string, values: string[]): Leaf {
  return { op: 'call', fn, name, values }
}

function trees(leaves: fc.Arbitrary<Leaf>): fc.Arbitrary<Tree> {
  return fc
    .letrec<{ tree: Tree }>((tie) => {
      const several = fc.array(tie('tree'), { minLength: 2, maxLength: 3 })
      return {
        tree: fc.oneof(
          { maxDepth: 2, withCrossShrink: true },
          { arbitrary: leaves, weight: 3 },
          { arbitrary: several.map((of): Tree => ({ op: '&&', of })), weight: 3 },
          { arbitrary: several.map((of): Tree => ({ op: '||', of })), weight: 1 },
          { arbitrary: tie('tree').map((tree): Tree => ({ op: '!', of: [tree] })), weight: 1 },
        ),
      }
    })
    .tree.filter((tree) => {
      const alternatives = normalForm(tree, false)
      return alternatives.length <= MAX_ALTERNATIVES && alternatives.flat().length <= MAX_LITERALS
    })
}

const anyTree = trees(
  fc.oneof(
    { arbitrary: hostLeaf, weight: 3 },
    { arbitrary: pathLeaf, weight: 3 },
    { arbitrary: otherLeaf, weight: 2 },
  ),
)
/** All in one host, so that its paths are indexed. */
const pathTree = fc
  .tuple(fc.oneof(pathLeaf, trees(fc.oneof(pathLeaf, otherLeaf))), fc.boolean())
  .map(([tree, hosted]): Tree => {
    return hosted ? { op: '&&', of: [leaf('Host', '', ['a.x']), tree] } : tree
  })

const asked: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  host: fc.constantFrom(
    'a.x',
    'a.x',
    'a.x',
    'b.x',
    'a.b.x',
    '1.x',
    'x',
    '',
    'a.b',
    'c.b.x',
    'd.c.b.x',
  ),
  path: fc.oneof(
    fc.constant('*'),
    fc
      .array(fc.constantFrom('a', 'b', '1', 'ab', ''), { minLength: 1, maxLength: 4 })
      .map((segments) => '/' + segments.join('/')),
  ),
  listener: fc.constantFrom('web', 'admin'),
  query: fc.constantFrom('', 'q', 'q=1', 'q=2', 'r=1&q=1'),
  clientIp: fc.constantFrom('10.1.0.1', '10.2.0.1', '::ffff:10.1.0.1', '2001:db8::1', '192.0.2.1'),
  header: fc.constantFrom(undefined, 'u', 'v/w', 'v/'),
})

type Step =
  | { do: 'upsert'; id: string; tree: Tree; priority: number | null; style: number }
  | { do: 'delete'; id: string }
  | { do: 'match'; asked: Asked }

function stepsOf(tree: fc.Arbitrary<Tree>, ids: number): fc.Arbitrary<Step[]> {
  const id = fc.nat(ids - 1).map(String)
  const upsert = fc.record({
    do: fc.constant('upsert' as const),
    id,
    tree,
    priority: fc.constantFrom(null, null, null, null, 0, 1, 5, -1),
    style: fc.nat(),
  })
  return fc.array(
    fc.oneof(
      { arbitrary: upsert, weight: 5 },
      { arbitrary: fc.record({ do: fc.constant('delete' as const), id }), weight: 1 },
      { arbitrary: fc.record({ do: fc.constant('match' as const), asked }), weight: 6 },
    ),
    { minLength: 5, maxLength: 60, size: 'max' },
  )
}

// ---- how it is written: the style decides on quotes, spaces and the order of terms

function write(tree: Tree, style: number): string {
  const gap = style % 3 === 0 ? ' ' : ''
  if (tree.op === '!') return `!${gap}(${write(tree.of[0], style >> 1)})`
  if (tree.op === 'call') {
    const quote = style % 2 === 0 ? '"' : '`'
    const values = style % 5 === 0 ? tree.values.toReversed() : tree.values
    const texts = tree.name === '' ? values : [tree.name, ...values]
    return `${tree.fn}(${texts.map((text) => `${quote}${text}${quote}`).join(`,${gap}`)}${gap})`
  }
  const parts = tree.of.map((part, index) => `(${gap}${write(part, (style >> 1) + index)})`)
  return (style % 7 < 3 ? parts.reverse() : parts).join(gap + tree.op + gap)
}

// ---- the oracle

class Oracle {
  readonly #routes = new Map<string, { tree: Tree; alternatives: [Literal[], number[]][] }>()

  upsert(id: string, tree: Tree, priority: number | null): void {
    const alternatives = distinct(normalForm(tree, false).map((all) => distinct(all, literalText)))
    this.#routes.set(id, {
      tree,
      alternatives: alternatives.map((all) => [all, [priority ?? 0, ...specificity(all)]]),
    })
  }

  delete(id: string): void {
    this.#routes.delete(id)
  }

  match(request: Asked): string | undefined {
    const found: { id: string; rank: number[] }[] = []
    for (const [id, { tree, alternatives }] of this.#routes) {
      const holding = alternatives.filter(([all]) =>
        all.every((each) => literalHolds(each, request)),
      )
      assert.equal(holding.length > 0, treeHolds(tree, request), 'the oracle agrees with itself')
      for (const [, rank] of holding) found.push({ id, rank })
    }
    return found.sort((a, b) => compareRanks(b.rank, a.rank) || (a.id < b.id ? -1 : 1))[0]?.id
  }
}

function normalForm(tree: Tree, negated: boolean): Literal[][] {
  if (tree.op === '!') return normalForm(tree.of[0], !negated)
  if (tree.op === 'call') {
    const singles = tree.values.map((value) => ({ leaf: { ...tree, values: [value] }, negated }))
    if (singles.length === 0) return [[{ leaf: tree, negated }]]
    if (negated) return [singles]
    const indexed = [...HOST_FUNCTIONS, ...PATH_FUNCTIONS].includes(tree.fn)
    return indexed ? singles.map((single) => [single]) : [[{ leaf: tree, negated }]]
  }
  const parts = tree.of.map((part) => normalForm(part, negated))
  if ((tree.op === '||') !== negated) return parts.flat()
  let joined: Literal[][] = [[]]
  for (const part of parts)
    joined = joined.flatMap((left) => part.map((right) => [...left, ...right]))
  return joined
}

function literalText({ leaf: { fn, name, values }, negated }: Literal): string {
  const texts = values.map((value) => {
    const plain = fn === 'Host' ? value.replace(/^\*\./, '<>.') : value
    return plain.replace(/<(int:|path:)?\w*>/g, '<$1>').toLowerCase()
  })
  return `${negated} ${fn} ${name} ${JSON.stringify([...new Set(texts)].sort())}`
}

function distinct<T>(all: T[], text: (each: T) => string = (each) => JSON.stringify(each)): T[] {
  return [...new Map(all.map((each) => [text(each), each])).values()]
}

/** Host, path, and how many terms besides. */
function specificity(all: Literal[]): number[] {
  const ranksOf = (
    functions: string[],
    rank: (fn: string, value: string) => number[],
  ): number[][] =>
    all
      .filter(({ leaf: { fn }, negated }) => !negated && functions.includes(fn))
      .map(({ leaf: { fn, values } }) => rank(fn, values[0] ?? ''))
      .sort((a, b) => compareRanks(b, a))
  const hosts = ranksOf(HOST_FUNCTIONS, rankHost)
  const paths = ranksOf(PATH_FUNCTIONS, rankPath)
  const used = Math.min(hosts.length, 1) + Math.min(paths.length, 1)
  return [...(hosts[0] ?? [0, 0, 0, 0, 0]), ...(paths[0] ?? [0, 0, 0, 0]), all.length - used]
}

function rankHost(fn: string, value: string): number[] {
  if (fn === 'HostRegexp') return [1, 0, 0, 0, 0]
  if (!/[<*]/.test(value)) return [3, 0, 0, 0, 0]
  return [2, ...patternRank(value, '.'), value.startsWith('**') ? 0 : 1]
}

function rankPath(fn: string, value: string): number[] {
  if (fn === 'PathRegexp') return [1, 0, 0, 0]
  const [segments = 0, characters = 0, narrow = 0] = patternRank(value, '/')
  if (fn === 'PathPrefix' || value.includes('<path:')) return [2, 0, characters, narrow]
  return value.includes('<') ? [3, segments, characters, narrow] : [4, 0, 0, 0]
}

function patternRank(value: string, separator: string): number[] {
  const literalParts = value.split(separator).filter((part) => !/^$|[<*]/.test(part))
  const characters = value.replace(/<[^>]*>|\*/g, '').length
  return [literalParts.length, characters, value.split('<int:').length - 1]
}

function compareRanks(a: number[], b: number[]): number {
  const at = a.findIndex((number, index) => number !== b[index])
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0)
}

function treeHolds(tree: Tree, request: Asked): boolean {
  if (tree.op === 'call') return leafHolds(tree, request)
  if (tree.op === '!') return !treeHolds(tree.of[0], request)
  if (tree.op === '&&') return tree.of.every((part) => treeHolds(part, request))
  return tree.of.some((part) => treeHolds(part, request))
}

function literalHolds({ leaf, negated }: Literal, request: Asked): boolean {
  return leafHolds(leaf, request) !== negated
}

function leafHolds({ fn, values }: Leaf, request: Asked): boolean {
  if (fn === 'Query') {
    const parameters = request.query.split('&').map((pair) => `${pair}=`.split('='))
    return parameters.some(([name, value]) => {
      return name === 'q' && (values.length === 0 || values.includes(value ?? ''))
    })
  }
  return values.some((value) => valueHolds(fn, value, request))
}

function valueHolds(fn: string, value: string, request: Asked): boolean {
  const { host, path, method, listener, clientIp, header = '' } = request
  if (PATH_FUNCTIONS.includes(fn) && path === '*') return false
  switch (fn) {
    case 'Host':
      return glob(value.toLowerCase(), '.').test(host)
    case 'HostRegexp':
      return new RegExp(value, 'i').test(host)
    case 'Path':
      return glob(value, '/').test(path)
    case 'PathPrefix':
      return (
        `${path}/`.startsWith(value.endsWith('/') ? value : `${value}/`) && path.startsWith(value)
      )
    case 'PathRegexp':
      return new RegExp(value).test(path)
    case 'Method':
      return glob(value, ' ').test(method)
    case 'MethodRegexp':
      return new RegExp(value).test(method)
    case 'Header':
      return glob(value, '/').test(header)
    case 'HeaderRegexp':
      return new RegExp(value).test(header)
    case 'Listener':
      return value === listener
    case 'ClientIP':
      return clientIp.replace('::ffff:', '').startsWith(NETWORK_STARTS[value] ?? '?')
    default:
      throw new Error(`the oracle does not know ${fn}`)
  }
}

const NETWORK_STARTS: Readonly<Record<string, string>> = {
  '10.0.0.0/8': '10.',
  '10.1.0.0/16': '10.1.',
  '2001:db8::/32': '2001:db8:',
  '::ffff:10.2.0.0/112': '10.2.',
}

function glob(value: string, separator: string): RegExp {
  const source = value
    .replaceAll('.', '\\.')
    .replace(/^\*\*/, '[^.]+(\\.[^.]+)*')
    .replace(/^\*/, '[^.]+')
    .replace(/<int:\w+>/g, '[0-9]+')
    .replace(/<path:\w+>/g, '.*')
    .replace(/<\w+>/g, `[^${separator}]*`)
  return new RegExp(`^${source}$`)
}

// ---- the comparison

function assertAgreement(steps: readonly Step[]): void {
  const table = new RoutingTable<string>()
  const oracle = new Oracle()
  for (const step of steps) {
    if (step.do === 'upsert') {
      table.upsert(step.id, write(step.tree, step.style), step.priority, step.id)
      oracle.upsert(step.id, step.tree, step.priority)
    } else if (step.do === 'delete') {
      table.delete(step.id)
      oracle.delete(step.id)
    } else {
      const { asked } = step
      assert.equal(table.match(requestOf(asked)), oracle.match(asked), JSON.stringify(asked))
    }
  }
}

function requestOf({ header, ...rest }: Asked): RoutableRequest {
  return { ...rest, fieldHolds: (name, test) => test(name === 'x-h' ? (header ?? '') : '') }
}

test('the table answers as the oracle does, over all kinds of routes', () => {
  fc.assert(fc.property(stepsOf(anyTree, 12), assertAgreement), { numRuns: 2_000 })
})

test('the table answers as the oracle does, over many paths in one host', () => {
  fc.assert(fc.property(stepsOf(pathTree, 40), assertAgreement), { numRuns: 2_000 })
})

test('a route that is said to be shadowed takes no request', () => {
  const one = fc.record({
    tree: fc.oneof(anyTree, pathTree, hostLeaf, pathLeaf, otherLeaf),
    priority: fc.constantFrom(0, 0, 1, 5),
  })
  const several = fc.array(one, { minLength: 2, maxLength: 12, size: 'max' })
  const requests = fc.array(asked, { minLength: 40, maxLength: 80, size: 'max' })
  let found = 0

  fc.assert(
    fc.property(several, requests, (routes, all) => {
      const table = new RoutingTable<string>()
      const judged = routes.flatMap(({ tree, priority }, at) => {
        const parsed = parseRoute(write(tree, at))
        if (!parsed.ok) return []
        table.upsert(`${at}`, parsed.expression, priority, `${at}`)
        return { id: `${at}`, expression: parsed.expression, priority }
      })
      const shadowed = findShadowed(judged).map(({ id }) => id)
      found += shadowed.length
      for (const each of all) {
        const taker = table.match(requestOf(each))
        assert.ok(taker === undefined || !shadowed.includes(taker), JSON.stringify(each))
      }
    }),
    { numRuns: 2_000 },
  )
  assert.ok(found > 500, `${found} were found`)
})
