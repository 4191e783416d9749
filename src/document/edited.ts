/**
 * Finds what an edit has changed in a JSON file. Most readings differ from the previous one in one object of thousands, so
 * texts are compared first: equal text at the beginning and the end is not read again. If the edit is within one section, only
 * the members that it touches are read.
 */
import { walkJson } from './json-walk.ts'

/** The members of a section in the order of the text. */
export interface KnownSection {
  readonly ids: readonly string[]
  /** The offset of each, and the offset after each. */
  readonly offsets: Int32Array
  readonly ends: Int32Array
}

export interface Edit {
  /** The index of the section, and the range of its members that are gone, without `to`. */
  readonly section: number
  readonly from: number
  readonly to: number
  /** The members in their place. */
  readonly members: readonly EditedMember[]
  /** By how much everything after them has moved. */
  readonly shift: number
}

export interface EditedMember {
  readonly id: string
  readonly value: unknown
  readonly offset: number
  readonly end: number
}

/** A larger difference counts as another file. */
const MOST_MEMBERS = 64

/** The texts differ. Null: the new text has to be read whole. */
export function findEdit(
  before: string,
  text: string,
  sections: readonly KnownSection[],
): Edit | null {
  const start = sharedStart(before, text)
  const behind = sharedEnd(before, text, start)
  const end = before.length - behind
  const shift = text.length - before.length
  const section = sections.findIndex(
    ({ offsets, ends }) => (offsets[0] ?? Infinity) <= start && (ends.at(-1) ?? -1) >= end,
  )
  const known = sections[section]
  if (known === undefined) return null
  const from = known.offsets.findLastIndex((offset) => offset <= start)
  const to = known.ends.findIndex((one) => one >= end) + 1
  if (to - from > MOST_MEMBERS) return null
  const offset = known.offsets[from] ?? 0
  const members = readMembers(text.slice(offset, (known.ends[to - 1] ?? 0) + shift), offset)
  if (members === null) return null
  for (const { id } of members) {
    const at = known.ids.indexOf(id)
    const other = at >= from && at < to ? known.ids.indexOf(id, to) : at
    if (other !== -1) return null
  }
  return { section, from, to, members, shift }
}

/** The members in a text that consists of members of a map; null for any other text. */
function readMembers(text: string, at: number): EditedMember[] | null {
  const opened = '{"":{'
  const whole = `${opened}${text}}}`
  const places: { id: string; offset: number; end: number }[] = []
  const ids = new Set<string>()
  let maps = 0
  try {
    const root = JSON.parse(whole) as Record<string, Record<string, unknown>>
    walkJson(
      whole,
      0,
      true,
      (depth, step, offset) => {
        // The text closes the map and opens another one.
        if (depth === 0) return ++maps > 1
        if (depth > 1) return false
        const id = String(step)
        places.push({ id, offset: offset - opened.length + at, end: 0 })
        return ids.size === ids.add(id).size
      },
      (depth, end) => {
        const last = places.at(-1)
        if (depth === 1 && last !== undefined) last.end = end - opened.length + at
      },
    )
    const values = root[''] ?? {}
    const isFew = places.length > 0 && places.length <= MOST_MEMBERS
    return isFew ? places.map((place) => ({ ...place, value: values[place.id] })) : null
  } catch {
    return null
  }
}

/** The length of the common beginning. Halving uses the native comparison of strings. */
function sharedStart(one: string, other: string): number {
  let low = 0
  let high = Math.min(one.length, other.length)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (one.slice(low, middle) === other.slice(low, middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** The length of the common end, without the common beginning. */
function sharedEnd(one: string, other: string, start: number): number {
  let low = 0
  let high = Math.min(one.length, other.length) - start
  while (low < high) {
    const middle = (low + high + 1) >> 1
    const a = one.slice(one.length - middle, one.length - low)
    if (a === other.slice(other.length - middle, other.length - low)) low = middle
    else high = middle - 1
  }
  return low
}
