/** Reads JSON: JSON.parse for the values, a walk over the text for the places. */
import { JsonFault, parseJson, walkJson } from './json-walk.ts'
import { createLines } from './lines.ts'
import { isMap, quote, type Path } from '../model/parsed.ts'
import { Unreadable, type Position, type Tree } from './tree.ts'

export interface Place {
  readonly offset: number
  readonly valueOffset: number
  /** The offset after the value. */
  end: number
}

export interface JsonTree extends Tree {
  /** The members of a section, in the order of the text. */
  readonly membersOf: (section: string) => ReadonlyMap<string, Place>
}

export function readJson(text: string): JsonTree {
  if (text.trim() === '') throw new Unreadable('is empty', null)
  const positionAt = createLines(text)
  const sections = new Map<string, Place>()
  /** The objects' members, by section. */
  const places = new Map<string, Map<string, Place>>()
  let inSection = new Map<string, Place>()
  let last: Place | null = null

  function note(
    depth: number,
    step: string | number,
    offset: number,
    valueOffset: number,
  ): boolean {
    if (depth > 1) return false
    const known = depth === 0 ? sections : inSection
    const before = known.size
    const key = String(step)
    last = { offset, valueOffset, end: valueOffset }
    known.set(key, last)
    if (depth === 0) {
      inSection = new Map()
      places.set(key, inSection)
    }
    return known.size === before
  }

  function leave(depth: number, end: number): void {
    if (depth === 1 && last !== null) last.end = end
  }

  function locate([section, id, ...rest]: Path): Position | null {
    const outer = sections.get(String(section))
    if (outer === undefined) return null
    if (id === undefined) return positionAt(outer.offset)
    const place = places.get(String(section))?.get(String(id))
    if (place === undefined) return positionAt(outer.offset)
    return positionAt(rest.length === 0 ? place.offset : offsetOf(text, place, rest))
  }

  let root: unknown
  try {
    root = parseJson(text, note, leave)
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    throw new Unreadable(`is not valid JSON: ${error.message}`, positionAt(error.offset))
  }
  if (!isMap(root))
    throw new Unreadable(`must be a map at the top level, not ${quote(root)}`, positionAt(0))
  return { root, locate, membersOf: (section) => places.get(section) ?? new Map() }
}

/** Does not look for duplicate keys: the walk runs when a place is needed. */
export function readJsonValues(text: string): Tree {
  const root: unknown = JSON.parse(text)
  if (!isMap(root)) throw new Unreadable('must be a map at the top level', null)
  return { root, locate: (path) => readJson(text).locate(path) }
}

/** The offset of the deepest existing member of `path`. */
function offsetOf(text: string, place: Place, path: Path): number {
  let found = place.offset
  let matched = 0
  walkJson(text, place.valueOffset, true, (depth, step, offset) => {
    // A step is taken only directly below the previous one, and not again once the walk has left it.
    if (depth < matched) matched = path.length + 1
    if (depth === matched && step === path[depth]) {
      found = offset
      matched += 1
    }
    return false
  })
  return found
}
