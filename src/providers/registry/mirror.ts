/**
 * A registry's keys in memory, and the objects that a layout reads in them. A change costs only the group of its key: groups
 * to be read again are noted, and read once with the next `declare`.
 */
import type { Problem } from '../../model/problem.ts'
import type { KeyEntry, Layout, Orphan } from '../layout.ts'
import type { ObjectName } from '../../model/names.ts'
import type { Changes, Declaration, DeclaredObject } from '../provider.ts'
import { isSameObject } from './same-object.ts'
import { createTextLimit, MAX_SOURCE_CHARS } from './text-limit.ts'

export interface MirrorDeclaration {
  readonly revision: string
  /** As in Declaration: a reason after `replace`, null after puts, deletes and a `replace` that was a step. */
  readonly listed: string | null
  readonly changedAt: number
  readonly problems?: readonly Problem[]
}

export interface Mirror {
  /** How many keys there are. */
  readonly size: number
  /** Takes a list: other keys are deleted. `isStep`: its differences are declared as single changes. */
  replace(entries: Iterable<KeyEntry>, isStep?: boolean): void
  put(entry: KeyEntry): void
  delete(path: string): void
  /** All objects, and the changes since the last call. */
  declare(about: MirrorDeclaration): Declaration
  /** Whether the last declaration differs from the one before. */
  readonly hasNews: boolean
}

interface Group {
  /** Almost every group has one key, for which a map would cost more than the key. */
  keys: KeyEntry | Map<string, KeyEntry>
  /** From the last read; see `stale`. */
  objects: readonly DeclaredObject[]
  /** The other groups that it was read from. */
  dependencies: ReadonlySet<string> | null
}

const NONE: readonly never[] = []
const MAX_ORPHANS = 100

/** Texts beyond `maxChars` in total are not kept: their keys have a fault instead. */
export function createMirror(layout: Layout, maxChars: number = MAX_SOURCE_CHARS): Mirror {
  const groups = new Map<string, Group>()
  /** By group, existing or not: the groups that were read from it and must be read again with it. */
  const dependents = new Map<string, Set<string>>()
  /** Groups to be read again, with their objects at the last `declare`. */
  const stale = new Map<string, readonly DeclaredObject[]>()
  const limit = createTextLimit(maxChars)
  /** By group. */
  const orphans = new Map<string, Orphan>()
  let haveOrphansChanged = false
  let hasNews = true
  let size = 0
  let isReplaced = true

  /** Keys that a list confirms are not read again: 100,000 of them would block the thread. */
  function replace(entries: Iterable<KeyEntry>, isStep = false): void {
    const gone = new Set<string>()
    for (const group of groups.values()) for (const { path } of entriesOf(group)) gone.add(path)
    // Keys that are not in the list must leave space for those that are.
    limit.clear()
    for (const entry of entries) place(entry, !gone.delete(entry.path))
    for (const path of gone) remove(path)
    if (!isStep) isReplaced = true
  }

  /** `isWeighed`: the limit counts the previous entry of this key. */
  function place(given: KeyEntry, isWeighed: boolean): void {
    const name = layout.groupOf(given.path)
    if (name === null) return
    const group = groups.get(name)
    const before = group === undefined ? undefined : keyOf(group, given.path)
    const entry = limit.take(given, isWeighed ? before : null)
    if (group === undefined) {
      groups.set(name, { keys: entry, objects: NONE, dependencies: null })
      size += 1
    } else {
      // A heartbeat: the object keeps the revision at which its value was set.
      if (before !== undefined && isSameEntry(before, entry)) return
      if (before === undefined) size += 1
      setKey(group, entry)
    }
    touch(name)
  }

  /** Returns the removed entry. */
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
      if (orphans.delete(name)) haveOrphansChanged = true
    }
    return entry
  }

  function touch(name: string): void {
    note(name)
    dependents.get(name)?.forEach(note)
  }

  function note(name: string): void {
    if (!stale.has(name)) stale.set(name, groups.get(name)?.objects ?? NONE)
  }

  function refresh(): void {
    for (const name of stale.keys()) {
      const group = groups.get(name)
      if (group === undefined) continue
      forget(name, group)
      const dependencies = new Set<string>()
      group.objects = layout.read(entriesOf(group), (other) => {
        dependencies.add(other)
        const found = groups.get(other)
        return found === undefined ? NONE : entriesOf(found)
      })
      noteOrphan(name, group)
      if (dependencies.size === 0) continue
      group.dependencies = dependencies
      for (const other of dependencies) {
        const those = dependents.get(other)
        if (those === undefined) dependents.set(other, new Set([name]))
        else those.add(name)
      }
    }
  }

  function noteOrphan(name: string, group: Group): void {
    const isEmpty = layout.orphanOf !== undefined && group.objects.length === 0
    const orphan = isEmpty ? (layout.orphanOf?.(entriesOf(group)) ?? null) : null
    if (orphan === null && !orphans.has(name)) return
    haveOrphansChanged = true
    if (orphan === null) orphans.delete(name)
    else orphans.set(name, orphan)
  }

  /** Without the source, which control adds. */
  function orphanProblems(): readonly Problem[] {
    const all = [...orphans.values()]
    const shown = all.slice(0, MAX_ORPHANS).map((one): Problem => ({ ...one, source: '' }))
    const [next] = all.slice(MAX_ORPHANS)
    if (next === undefined) return shown
    const message = `and ${all.length - MAX_ORPHANS} more keys that declare nothing`
    return [...shown, { kind: 'source', id: '', message, source: '', key: next.key }]
  }

  /** Its dependencies, not its keys. */
  function forget(name: string, group: Group): void {
    for (const other of group.dependencies ?? NONE) {
      const those = dependents.get(other)
      those?.delete(name)
      if (those?.size === 0) dependents.delete(other)
    }
    group.dependencies = null
  }

  function takeChanges(): Changes {
    const upserts: DeclaredObject[] = []
    const deletes: ObjectName[] = []
    for (const [name, before] of stale) {
      const now = groups.get(name)?.objects ?? NONE
      for (const object of now) {
        const old = before.find((one) => isSameName(one, object))
        if (old === undefined || !isSameObject(old, object)) upserts.push(object)
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
      if (entry !== null) limit.release(entry)
    },
    declare({ revision, listed, changedAt, problems = NONE }) {
      refresh()
      const changes = isReplaced || listed !== null ? null : takeChanges()
      const isChanged = changes === null || changes.upserts.length + changes.deletes.length > 0
      hasNews = isChanged || haveOrphansChanged
      isReplaced = haveOrphansChanged = false
      stale.clear()
      return {
        readable: true,
        revision,
        objects: { [Symbol.iterator]: objects },
        changes,
        listed: changes === null ? (listed ?? 'first') : null,
        problems: orphans.size === 0 ? problems : [...problems, ...orphanProblems()],
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

function isSameEntry(one: KeyEntry, other: KeyEntry): boolean {
  return one.text === other.text && one.fault === other.fault && one.isSealed === other.isSealed
}

function isSameName(one: ObjectName, other: ObjectName): boolean {
  return one.kind === other.kind && one.id === other.id
}
