/** Reads YAML 1.2 (core schema: `no` is text; `<<` merges). The nodes have the places. */
import {
  LineCounter,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseDocument as parseYaml,
  type Document,
  type Node,
  type Pair,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import { quote, type Path } from '../model/parsed.ts'
import { Unreadable, type Position, type Tree } from './tree.ts'

const MAX_DEPTH = 32
const TOO_DEEP = `is nested deeper than ${MAX_DEPTH}`
/** The most values that aliases may add: a few bytes of text must not become a billion values. */
const MAX_ALIASED = 1_000_000

export function readYaml(text: string): Tree {
  const lines = new LineCounter()
  function positionAt(offset: number): Position {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  const document = parseYaml(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Set, so that a %YAML 1.1 directive cannot enable dates, binary and sets.
    schema: 'core',
    resolveKnownTags: false,
    merge: true,
    stringKeys: true,
    // Checked below: the package compares each key with all before it, which takes seconds for 10,000 routes.
    uniqueKeys: false,
  })
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault !== undefined) {
    throw new Unreadable(describe(fault), positionAt(fault.pos[0]))
  }
  if (document.contents === null || isEmptyScalar(document.contents)) {
    throw new Unreadable('is empty', null)
  }
  measure(document.contents, positionAt)
  const root: unknown = document.toJS({ maxAliasCount: -1 })
  if (!isRecord(root)) {
    throw new Unreadable(`must be a map at the top level, not ${quote(root)}`, positionAt(0))
  }
  return { root, locate: createLocate(document, positionAt) }
}

function describe(fault: YAMLError): string {
  // The package is recursive: many opening brackets overflow its stack, which it reports as a fault of the text.
  if (fault.message.includes('call stack')) return TOO_DEEP
  if (fault.code === 'MULTIPLE_DOCS') return 'holds more than one document (---); write it as one'
  return `is not valid YAML: ${fault.message}`
}

interface Extent {
  /** The number of values in it, including those of aliases. */
  readonly weight: number
  /** Levels below it. */
  readonly height: number
}

/** Refuses text that is nested too deeply or grows too much by aliases, before values are made. */
function measure(root: Node, positionAt: (offset: number) => Position): void {
  const anchored = new Map<string, Extent>()
  let aliased = 0

  function refuse(node: Node, why: string): never {
    throw new Unreadable(why, positionAt(node.range?.[0] ?? 0))
  }

  function refuseTwice(map: YAMLMap): void {
    const seen = new Set<string>()
    for (const pair of map.items) {
      const key = keyOf(pair)
      // `<<` may occur more than once: each merges.
      if (seen.has(key) && key !== '<<') {
        refuse(isNode(pair.key) ? pair.key : map, `the key ${quote(key)} occurs twice in one map`)
      }
      seen.add(key)
    }
  }

  function extentOf(node: Node, depth: number): Extent {
    if (isAlias(node)) {
      const extent = anchored.get(node.source)
      if (extent === undefined) refuse(node, `the alias *${node.source} has no anchor before it`)
      aliased += extent.weight
      if (aliased > MAX_ALIASED) refuse(node, `aliases make more than ${MAX_ALIASED} values of it`)
      if (depth + extent.height > MAX_DEPTH) refuse(node, TOO_DEEP)
      return extent
    }
    if (depth > MAX_DEPTH) refuse(node, TOO_DEEP)
    if (isMap(node)) refuseTwice(node)
    let weight = 1
    let height = 0
    for (const inner of innerNodes(node)) {
      const extent = extentOf(inner, depth + 1)
      weight += extent.weight
      height = Math.max(height, extent.height + 1)
    }
    if ('anchor' in node && typeof node.anchor === 'string')
      anchored.set(node.anchor, { weight, height })
    return { weight, height }
  }

  extentOf(root, 0)
}

function innerNodes(node: Node): Node[] {
  if (isSeq(node)) return node.items.filter((item) => isNode(item))
  return isMap(node)
    ? node.items.flatMap(({ key, value }) => [key, value].filter((part) => isNode(part)))
    : []
}

function createLocate(
  document: Document,
  positionAt: (offset: number) => Position,
): (path: Path) => Position | null {
  /** Maps of a section have up to 100,000 members, and the place of each is looked up. */
  const indexes = new Map<Node, Map<string, Pair>>()

  function memberOf(node: Node, step: string | number): { at: Node | null; value: unknown } | null {
    if (isSeq(node)) {
      const item = node.items[Number(step)]
      return item === undefined ? null : { at: isNode(item) ? item : null, value: item }
    }
    if (!isMap(node)) return null
    let index = indexes.get(node)
    if (index === undefined) {
      index = new Map(node.items.map((pair) => [keyOf(pair), pair]))
      indexes.set(node, index)
    }
    const pair = index.get(String(step))
    return pair === undefined ? null : { at: isNode(pair.key) ? pair.key : null, value: pair.value }
  }

  return (path) => {
    let node: unknown = document.contents
    let offset: number | null = null
    for (const step of path) {
      const target = isAlias(node) ? node.resolve(document) : node
      const member = isNode(target) ? memberOf(target, step) : null
      // A value from `<<` has no place of its own; the nearest is that of the merging map.
      if (member === null) break
      offset = member.at?.range?.[0] ?? offset
      node = member.value
    }
    return offset === null ? null : positionAt(offset)
  }
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : ''
}

function isEmptyScalar(node: Node): boolean {
  return isScalar(node) && node.value === null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
