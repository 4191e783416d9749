/**
 * What an edit has changed in a file of JSON. Most readings differ from the one before in one object of thousands. So the text
 * is compared first: what is the same from its beginning and from its end need not be read again. Where an edit lies within
 * one section, the members that it touches are read as members of that section, and all around them is as it was.
 */
import { walkJson } from './json-walk.ts'

/** The members of a section as they follow one another in the text. */
export interface KnownSection {
  readonly ids: readonly string[]
  /** Where each begins, and what is behind each. */
  readonly offsets: Int32Array
  readonly ends: Int32Array
}

export interface Edit {
  /** The number of the section, and which of its members are no more: from the first up to the one before `to`. */
  readonly section: number
  readonly from: number
  readonly to: number
  /** What is in their place. */
  readonly members: readonly EditedMember[]
  /** How much further everything behind them is now. */
  readonly shift: number
}

export interface EditedMember {
  readonly id: string
  readonly value: unknown
  readonly offset: number
  readonly end: number
}

/** More than this is no edit but another file. */
const MOST_MEMBERS = 64

/** Null: the text has to be read whole. Of two texts that differ. */
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

/** Of a text that is members of a map and nothing else; null for any other. */
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
        // A text that closes the map and opens another one.
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

/** How many characters two texts begin with that are the same. Comparing by halves is the native comparison of all of them. */
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

/** The same from the end, without what the beginning has. */
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
