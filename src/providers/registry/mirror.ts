/**
 * A registry's keys in memory, and the objects that a layout reads in them. A key that changes costs its group, however
 * many keys there are: what has to be read again is noted, and read once when somebody asks.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Problem } from '../../model/problem.ts'
import type { KeyEntry, Layout, Remnant } from '../layout.ts'
import type { Changes, Declaration, DeclaredObject, ObjectName } from '../provider.ts'
import { createTextBound, maxSourceChars } from './text-bound.ts'

export interface MirrorYield {
  readonly revision: string
  /** As in Declaration: a reason after `replace`, null after puts, deletes and a `replace` that was a step. */
  readonly listed: string | null
  readonly changedAt: number
  readonly problems?: readonly Problem[]
}

export interface Mirror {
  /** How many keys there are. */
  readonly size: number
  /** From a list: what is not in it is gone. `isStep`: the list goes on from the last one, and shows what has changed since. */
  replace(entries: Iterable<KeyEntry>, isStep?: boolean): void
  put(entry: KeyEntry): void
  delete(path: string): void
  /** All objects, and what has changed since the last call. */
  declare(about: MirrorYield): Declaration
  /** Whether the last declaration says anything that the one before did not. */
  readonly hasNews: boolean
}

interface Group {
  /** Almost every group has one key, and a map for it would cost more than the key. */
  keys: KeyEntry | Map<string, KeyEntry>
  /** As they were read last; see `stale`. */
  objects: readonly DeclaredObject[]
  /** The other groups that it looked into. */
  asked: ReadonlySet<string> | null
}

const NONE: readonly never[] = []
const maxRemnants = 100

/** Texts beyond `maxChars` of all together are not held: their keys have a fault instead. */
export function createMirror(layout: Layout, maxChars: number = maxSourceChars): Mirror {
  const groups = new Map<string, Group>()
  /** Who looked into a group, there or not, and must be read again with it. */
  const askers = new Map<string, Set<string>>()
  /** Groups to be read again, with what they held at the last `declare`. */
  const stale = new Map<string, readonly DeclaredObject[]>()
  const bound = createTextBound(maxChars)
  /** By group. */
  const remnants = new Map<string, Remnant>()
  let haveRemnantsChanged = false
  let hasNews = true
  let size = 0
  let isReplaced = true

  /** What a list has confirmed is not read again: 100,000 keys would hold up everything else. */
  function replace(entries: Iterable<KeyEntry>, isStep = false): void {
    const gone = new Set<string>()
    for (const group of groups.values()) for (const { path } of entriesOf(group)) gone.add(path)
    // What the list does not hold must leave room for what it does.
    bound.clear()
    for (const entry of entries) place(entry, !gone.delete(entry.path))
    for (const path of gone) remove(path)
    if (!isStep) isReplaced = true
  }

  /** `isWeighed`: the entry that stood there before is among those that the bound knows of. */
  function place(given: KeyEntry, isWeighed: boolean): void {
    const name = layout.groupOf(given.path)
    if (name === null) return
    const group = groups.get(name)
    const before = group === undefined ? undefined : keyOf(group, given.path)
    const entry = bound.take(given, isWeighed ? before : null)
    if (group === undefined) {
      groups.set(name, { keys: entry, objects: NONE, asked: null })
      size += 1
    } else {
      // A heartbeat: the object's revision stays the one at which it became what it is.
      if (before !== undefined && before.text === entry.text && before.fault === entry.fault) return
      if (before === undefined) size += 1
      setKey(group, entry)
    }
    touch(name)
  }

  /** The entry that was there. */
  function remove(path: string): KeyEntry | null {
    const name = layout.groupOf(path)
    const group = name === null ? undefined : groups.get(name)
    const entry = group === undefined ? undefined : keyOf(group, path)
    if (name === null || group === undefined || entry === undefined) return null
    touch(name)
    size -= 1
    if (group.keys instanceof Map) group.keys.delete(path)
    if (!(group.keys instanceof Map) || group.keys.size === 0) {
      forget(name, group)
      groups.delete(name)
      if (remnants.delete(name)) haveRemnantsChanged = true
    }
    return entry
  }

  function touch(name: string): void {
    note(name)
    askers.get(name)?.forEach(note)
  }

  function note(name: string): void {
    if (!stale.has(name)) stale.set(name, groups.get(name)?.objects ?? NONE)
  }

  function refresh(): void {
    for (const name of stale.keys()) {
      const group = groups.get(name)
      if (group === undefined) continue
      forget(name, group)
      const asked = new Set<string>()
      group.objects = layout.read(entriesOf(group), (other) => {
        asked.add(other)
        const found = groups.get(other)
        return found === undefined ? NONE : entriesOf(found)
      })
      noteRemnant(name, group)
      if (asked.size === 0) continue
      group.asked = asked
      for (const other of asked) {
        const those = askers.get(other)
        if (those === undefined) askers.set(other, new Set([name]))
        else those.add(name)
      }
    }
  }

  function noteRemnant(name: string, group: Group): void {
    const isEmpty = layout.remnantOf !== undefined && group.objects.length === 0
    const remnant = isEmpty ? (layout.remnantOf?.(entriesOf(group)) ?? null) : null
    if (remnant === null && !remnants.has(name)) return
    haveRemnantsChanged = true
    if (remnant === null) remnants.delete(name)
    else remnants.set(name, remnant)
  }

  /** Without the source, which is control's to say. */
  function remnantProblems(): readonly Problem[] {
    const all = [...remnants.values()]
    const told = all.slice(0, maxRemnants).map((one): Problem => ({ ...one, source: '' }))
    const [next] = all.slice(maxRemnants)
    if (next === undefined) return told
    const message = `and ${all.length - maxRemnants} more without their main keys`
    return [...told, { kind: 'source', id: '', message, source: '', key: next.key }]
  }

  /** Whom it asked, not what it holds. */
  function forget(name: string, group: Group): void {
    for (const other of group.asked ?? NONE) {
      const those = askers.get(other)
      those?.delete(name)
      if (those?.size === 0) askers.delete(other)
    }
    group.asked = null
  }

  function takeChanges(): Changes {
    const upserts: DeclaredObject[] = []
    const deletes: ObjectName[] = []
    for (const [name, before] of stale) {
      const now = groups.get(name)?.objects ?? NONE
      for (const object of now) {
        const old = before.find((one) => isSameName(one, object))
        if (old === undefined || !isSame(old, object)) upserts.push(object)
      }
      for (const { kind, id } of before) {
        if (!now.some((one) => isSameName(one, { kind, id }))) deletes.push({ kind, id })
      }
    }
    return { upserts, deletes }
  }

  function* objects(): Generator<DeclaredObject> {
    for (const group of groups.values()) yield* group.objects
  }

  return {
    get size() {
      return size
    },
    get hasNews() {
      return hasNews
    },
    replace,
    put: (entry) => place(entry, true),
    delete(path) {
      const entry = remove(path)
      if (entry !== null) bound.release(entry)
    },
    declare({ revision, listed, changedAt, problems = NONE }) {
      refresh()
      const changes = isReplaced || listed !== null ? null : takeChanges()
      const isChanged = changes === null || changes.upserts.length + changes.deletes.length > 0
      hasNews = isChanged || haveRemnantsChanged
      isReplaced = haveRemnantsChanged = false
      stale.clear()
      return {
        readable: true,
        revision,
        objects: { [Symbol.iterator]: objects },
        changes,
        listed: changes === null ? (listed ?? 'first') : null,
        problems: remnants.size === 0 ? problems : [...problems, ...remnantProblems()],
        changedAt,
      }
    },
  }
}

function keyOf({ keys }: Group, path: string): KeyEntry | undefined {
  if (keys instanceof Map) return keys.get(path)
  return keys.path === path ? keys : undefined
}

function setKey(group: Group, entry: KeyEntry): void {
  if (group.keys instanceof Map) group.keys.set(entry.path, entry)
  else if (group.keys.path === entry.path) group.keys = entry
  else group.keys = new Map([group.keys, entry].map((one) => [one.path, one]))
}

function entriesOf({ keys }: Group): readonly KeyEntry[] {
  return keys instanceof Map ? [...keys.values()] : [keys]
}

function isSameName(one: ObjectName, other: ObjectName): boolean {
  return one.kind === other.kind && one.id === other.id
}

/** But for the revision. */
function isSame(one: DeclaredObject, other: DeclaredObject): boolean {
  return (
    one.key === other.key &&
    one.fault === other.fault &&
    isDeepStrictEqual(one.closed, other.closed) &&
    isDeepStrictEqual(one.remarks, other.remarks) &&
    isDeepStrictEqual(one.value, other.value)
  )
}
