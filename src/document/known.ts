/** The last reading of a JSON file with its text, so that the next reading reads only what an edit has changed. */
import {
  type DocumentObject,
  keyPrefixOf,
  SECTIONS,
  toObject,
  type SectionKind,
} from './document-object.ts'
import { type Edit, findEdit, type KnownSection } from './edited.ts'
import { type JsonTree, readJson } from './json.ts'
import { createLines } from './lines.ts'
import type { ReferenceWorld } from './references.ts'
import type { Position, Tree } from './tree.ts'

/** The objects of a kind, in the order of the text. */
interface ObjectSection extends KnownSection {
  readonly kind: SectionKind
  readonly objects: readonly DocumentObject[]
  /** Objects with references, by id and as written: the references may resolve to something else next time. */
  readonly referring: ReadonlyMap<string, unknown>
}

export interface KnownText {
  readonly text: string
  readonly sections: readonly ObjectSection[]
}

export function knownTextOf(
  text: string,
  { root, membersOf }: JsonTree,
  objects: readonly DocumentObject[],
): KnownText {
  const sections: ObjectSection[] = []
  for (const [kind, ofKind] of Map.groupBy(objects, (object) => object.kind)) {
    const byId = new Map(ofKind.map((object) => [object.id, object]))
    const values = root[SECTIONS[kind]] as Readonly<Record<string, unknown>>
    const places = [...membersOf(SECTIONS[kind])]
    const referring = ofKind.filter(({ id, value }) => value !== values[id])
    sections.push({
      kind,
      ids: places.map(([id]) => id),
      offsets: Int32Array.from(places, ([, { offset }]) => offset),
      ends: Int32Array.from(places, ([, { end }]) => end),
      objects: places.flatMap(([id]) => byId.get(id) ?? []),
      referring: new Map(referring.map(({ id }) => [id, values[id]])),
    })
  }
  return { text, sections }
}

/**
 * Null: the text has to be read whole. Otherwise an unchanged object at the same place is the same JavaScript object as before,
 * unless it has references.
 */
export function readEdited(
  before: KnownText,
  text: string,
  filename: string,
  world: ReferenceWorld | null,
): { readonly known: KnownText; readonly locate: Tree['locate'] } | null {
  const edit = findEdit(before.text, text, before.sections)
  if (edit === null) return null
  const positionAt = createLines(text)
  let tree: Tree | null = null
  const locate: Tree['locate'] = (path) => (tree ??= readJson(text)).locate(path)
  const editedEnd = before.sections[edit.section]?.ends[edit.to - 1] ?? 0

  const sections = before.sections.map((section, number) => {
    const { kind, ids } = section
    const isBehind = (section.offsets[0] ?? 0) > editedEnd
    const end = isBehind ? 0 : ids.length
    const here = number === edit.section ? edit : { ...edit, from: end, to: end, members: [] }
    const { from, to, members } = here
    const offsets = spliced(section.offsets, here, ({ offset }) => offset)
    const placeOf = (at: number): Position => positionAt(offsets[at] ?? 0)
    const read = (id: string, value: unknown, at: number): DocumentObject =>
      toObject({ kind, id, value, ...placeOf(at) }, keyPrefixOf(filename, kind), world, locate)

    const objects = [
      ...section.objects.slice(0, from),
      ...members.map(({ id, value }, at) => read(id, value, from + at)),
      ...section.objects.slice(to),
    ]
    for (let at = from + members.length; at < objects.length; at++) {
      const object = objects[at]
      if (object !== undefined) objects[at] = movedTo(object, placeOf(at))
    }
    const referring = new Map(section.referring)
    for (const id of ids.slice(from, to)) referring.delete(id)
    for (const [at, { id, value }] of members.entries())
      if (objects[from + at]?.value !== value) referring.set(id, value)
    const spelled = [...ids.slice(0, from), ...members.map(({ id }) => id), ...ids.slice(to)]
    for (const [id, value] of referring) {
      const at = spelled.indexOf(id)
      objects[at] = read(id, value, at)
    }
    const ends = spliced(section.ends, here, (member) => member.end)
    return { kind, ids: spelled, offsets, ends, objects, referring }
  })
  return { known: { text, sections }, locate }
}

function spliced(
  places: Int32Array,
  { from, to, members, shift }: Pick<Edit, 'from' | 'to' | 'members' | 'shift'>,
  placeOf: (member: Edit['members'][number]) => number,
): Int32Array {
  const all = new Int32Array(places.length - (to - from) + members.length)
  all.set(places.subarray(0, from))
  all.set(members.map(placeOf), from)
  for (let at = to; at < places.length; at++)
    all[at - to + from + members.length] = (places[at] ?? 0) + shift
  return all
}

function movedTo(object: DocumentObject, { line, column }: Position): DocumentObject {
  return object.line === line && object.column === column ? object : { ...object, line, column }
}
