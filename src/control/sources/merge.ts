/**
 * Merges several sources into one table. The order of the list is the precedence: of two objects with the same id the one
 * of the earlier source is in the table, and the other is a conflict. Nothing is copied: the merge is a view over the
 * sources, and returns which names of the table a change in one source affects.
 *
 *   backend   b of a later source is in the table as `b@source`: frontends of that source reach it, and those that write
 *             `b@source`
 *   server    belongs to the backend of that name in its own source, else to the one that the name means in all others;
 *             for a server of the same id inside the backend see admission/merge-servers.ts
 *   frontend  refers to a backend in the same way; `b@source` means the backend of that source from any source, also one
 *             that only its servers declare there
 */
import type { Problem } from '../../model/problem.ts'
import { type ObjectKind, type ObjectName, joinParts, splitParts } from '../../model/names.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { inlineServers } from './object-index.ts'

export interface MergeSource {
  readonly name: string
  objects(kind: ObjectKind): ReadonlyMap<string, DeclaredObject>
  /** Whether it has `server` objects of the backend. */
  hasServersOf(backend: string): boolean
}

export interface MergedObject {
  /** The name in the table; it may differ from the id in the source. */
  readonly id: string
  readonly declared: DeclaredObject
  readonly source: string
}

export interface Merge {
  /** The names in the table that a change of these names in a source may affect; some more than once. */
  affected(names: Iterable<ObjectName>): readonly ObjectName[]
  /** The object of a name in the table; null: no source declares it. */
  find(kind: ObjectKind, id: string): MergedObject | null
  /** The name in the table of the backend that a source means by `name`. */
  backendOf(source: string, name: string): string
  /** The precedence of a source: the lower one wins. */
  precedence(source: string): number
  conflicts(): readonly Problem[]
}

/** `sources` in order of precedence. */
export function createMerge(sources: readonly MergeSource[]): Merge {
  const conflicts = new Map<string, readonly Problem[]>()
  /** By backend in the table: servers inside it that another source declares with a key. */
  const inlineConflicts = new Map<string, readonly Problem[]>()
  /** Backends that a source has servers of, as `b@source`. */
  const implied = new Set<string>()
  /** An id with `@source` was seen: then a backend that comes or goes may move servers even without a conflict. */
  let areSourceNamesUsed = false

  function declares(source: MergeSource | undefined, kind: ObjectKind, id: string): boolean {
    return source?.objects(kind).has(id) ?? false
  }

  function ownerOf(kind: ObjectKind, id: string): MergeSource | undefined {
    return sources.find((source) => declares(source, kind, id))
  }

  function backendOf(source: MergeSource | undefined, name: string): string {
    if (source !== undefined && declares(source, 'backend', name)) {
      return ownerOf('backend', name) === source ? name : `${name}@${source.name}`
    }
    const [base, at] = splitSourceName(name)
    const meant = at === null ? undefined : sources.find((one) => one.name === at)
    const owner = ownerOf('backend', base)
    if (declares(meant, 'backend', base)) return owner === meant ? base : name
    // Only its servers declare it there, unless they belong to the backend of another source.
    return owner === undefined && meant?.hasServersOf(base) === true ? base : name
  }

  function find(kind: ObjectKind, id: string): MergedObject | null {
    const of = (source: MergeSource, written: string): MergedObject | null => {
      const declared = source.objects(kind).get(written)
      return declared === undefined ? null : { id, declared, source: source.name }
    }
    if (kind === 'server') return findServer(id, of)
    if (kind === 'middleware') {
      const [frontend] = splitParts(id)
      const owner = ownerOf('frontend', frontend)
      // Middlewares of a frontend that is a conflict are ignored too.
      const candidates = sources.filter(
        (one) => one === owner || !declares(one, 'frontend', frontend),
      )
      return first(candidates, (source) => of(source, id))
    }
    const shadowed = kind === 'backend' ? shadowOf(id) : null
    // No other source can take that name.
    return shadowed === null
      ? first(sources, (source) => of(source, id))
      : of(shadowed, splitSourceName(id)[0])
  }

  /** The source of a backend that is in the table as `b@source`, because an earlier source has `b`; else null. */
  function shadowOf(id: string): MergeSource | null {
    const [base, at] = splitSourceName(id)
    const source = at === null ? undefined : sources.find(({ name }) => name === at)
    if (source === undefined || !declares(source, 'backend', base)) return null
    return ownerOf('backend', base) === source ? null : source
  }

  function findServer(
    id: string,
    of: (source: MergeSource, written: string) => MergedObject | null,
  ): MergedObject | null {
    const [backend, server] = splitParts(id)
    const [base] = splitSourceName(backend)
    const owner = ownerOf('backend', backend)
    // The names that a source may use for it: the name in the table, the name without a source, or with one.
    const spellings = [backend, base, ...(owner === undefined ? [] : [`${backend}@${owner.name}`])]
    return first(sources, (source) =>
      first(spellings, (spelling) => {
        const found = of(source, joinParts(spelling, server))
        return found !== null && backendOf(source, spelling) === backend ? found : null
      }),
    )
  }

  function noteConflicts(kind: ObjectKind, id: string): void {
    // There may be 100,000 names at once, and mostly no two sources share one.
    if (conflicts.size === 0 && !isShared(kind, id)) return
    const key = `${kind} ${id}`
    const [owner, ...others] = sources.filter((source) => declares(source, kind, id))
    // Of parts only those with the same id in two sources are conflicts.
    if (owner === undefined || others.length === 0) conflicts.delete(key)
    else
      conflicts.set(
        key,
        others.flatMap((other) => conflict(kind, id, other, owner) ?? []),
      )
  }

  function isConflict(kind: ObjectKind, id: string): boolean {
    return conflicts.size > 0 && conflicts.has(`${kind} ${id}`)
  }

  function isShared(kind: ObjectKind, id: string): boolean {
    let isFound = false
    for (const source of sources) {
      if (!declares(source, kind, id)) continue
      if (isFound) return true
      isFound = true
    }
    return false
  }

  function conflict(
    kind: ObjectKind,
    id: string,
    { name, objects }: MergeSource,
    owner: MergeSource,
  ): Problem | null {
    const declared = objects(kind).get(id)
    if (declared === undefined) return null
    if (kind === 'server' && splitsFromOwner(id, name, owner.name)) return null
    const { key, line, column } = declared
    const help =
      kind === 'backend' ? `reach this one as "${id}@${name}", or rename it` : 'rename one of them'
    return {
      kind,
      id,
      message: `${kind} "${id}" is ignored: source "${owner.name}" already declares it; ${help}`,
      source: name,
      key,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
    }
  }

  /** Notes that `b@source` may mean another backend now; returns the backend if ids with a source are in use. */
  function noteImplied(server: string, add: (kind: ObjectKind, id: string) => void): string[] {
    const [backend] = splitParts(server)
    let isDifferent = false
    for (const { name, hasServersOf } of sources) {
      const spelled = `${backend}@${name}`
      const isImplied = hasServersOf(backend)
      if (implied.has(spelled) === isImplied) continue
      if (isImplied) implied.add(spelled)
      else implied.delete(spelled)
      isDifferent = true
      add('backend', backend)
      add('backend', spelled)
    }
    return isDifferent && areSourceNamesUsed ? [backend] : []
  }

  function noteInlineConflicts(backend: string): void {
    const found = findInlineConflicts(backend)
    if (found.length > 0) inlineConflicts.set(backend, found)
    else inlineConflicts.delete(backend)
  }

  function findInlineConflicts(backend: string): readonly Problem[] {
    const whole = find('backend', backend)
    if (whole === null) return []
    const isAlone = sources.every(
      (source) => source.name === whole.source || source.objects('server').size === 0,
    )
    return isAlone
      ? []
      : inlineServers(whole.declared).flatMap((server) => {
          const id = joinParts(backend, server)
          const key = find('server', id)
          if (key === null || key.source === whole.source) return []
          const isKeyFirst = precedence(key.source) < precedence(whole.source)
          const [loser, holder] = isKeyFirst ? [whole, key] : [key, whole]
          const where = isKeyFirst ? '' : ` inside backend ${JSON.stringify(backend)}`
          const message = `server "${id}" is ignored: source "${holder.source}" already declares it${where}; rename one of them`
          const { key: at, line, column } = loser.declared
          const position = line === undefined || column === undefined ? {} : { line, column }
          return [
            { kind: 'server' as const, id, message, source: loser.source, key: at, ...position },
          ]
        })
  }

  function precedence(source: string): number {
    return sources.findIndex(({ name }) => name === source)
  }

  /** Servers of the same id are no conflict if their sources mean two backends by the same name. */
  function splitsFromOwner(id: string, name: string, owner: string): boolean {
    const [backend] = splitParts(id)
    const byName = (wanted: string): MergeSource | undefined =>
      sources.find((source) => source.name === wanted)
    return backendOf(byName(name), backend) !== backendOf(byName(owner), backend)
  }

  return {
    affected(names) {
      if (sources.length === 1) return [...names]
      const found: ObjectName[] = []
      const add = (kind: ObjectKind, id: string): void => void found.push({ kind, id })
      const moved = { backend: new Set<string>(), frontend: new Set<string>() }
      for (const name of names) {
        const { kind, id } = name
        areSourceNamesUsed ||= id.includes('@')
        const wasShared = areSourceNamesUsed || isConflict(kind, id)
        noteConflicts(kind, id)
        if (kind === 'server') {
          addServer(id, add)
          for (const backend of noteImplied(id, add)) moved.backend.add(backend)
          continue
        }
        found.push(name)
        if (kind !== 'backend' && kind !== 'frontend') continue
        if (kind === 'backend') for (const source of sources) add(kind, `${id}@${source.name}`)
        // A backend of a single source moves no parts.
        if (wasShared || isConflict(kind, id)) moved[kind].add(id)
      }
      for (const [kind, part] of [
        ['backend', 'server'],
        ['frontend', 'middleware'],
      ] as const) {
        if (moved[kind].size > 0) addPartsOf(kind, part, moved[kind], add)
      }
      for (const backend of backendsIn(found)) noteInlineConflicts(backend)
      return found
    },
    find,
    backendOf: (source, name) =>
      sources.length === 1
        ? name
        : backendOf(
            sources.find((one) => one.name === source),
            name,
          ),
    precedence,
    conflicts: () => [...conflicts.values(), ...inlineConflicts.values()].flat(),
  }

  function addPartsOf(
    kind: 'backend' | 'frontend',
    part: 'server' | 'middleware',
    wholes: ReadonlySet<string>,
    add: (kind: ObjectKind, id: string) => void,
  ): void {
    for (const source of sources) {
      for (const id of source.objects(part).keys()) {
        const [whole] = splitParts(id)
        const [base] = splitSourceName(whole)
        if (!wholes.has(whole) && !wholes.has(base)) continue
        noteConflicts(part, id)
        if (kind === 'frontend') add(part, id)
        else addServer(id, add)
      }
    }
  }

  /** Adds every name that a server may have, or may have had, in the table. */
  function addServer(id: string, add: (kind: ObjectKind, id: string) => void): void {
    const [backend, server] = splitParts(id)
    const [base] = splitSourceName(backend)
    for (const whole of new Set([backend, base])) {
      add('server', joinParts(whole, server))
      for (const { name } of sources) add('server', joinParts(`${whole}@${name}`, server))
    }
  }
}

function backendsIn(names: readonly ObjectName[]): ReadonlySet<string> {
  const found = new Set<string>()
  for (const { kind, id } of names) {
    if (kind === 'backend') found.add(id)
    else if (kind === 'server') found.add(splitParts(id)[0])
  }
  return found
}

function first<T, R>(items: readonly T[], look: (item: T) => R | null): R | null {
  for (const item of items) {
    const found = look(item)
    if (found !== null) return found
  }
  return null
}

/** `b@redis` -> `b`, `redis`. */
function splitSourceName(name: string): [base: string, source: string | null] {
  const at = name.lastIndexOf('@')
  return at <= 0 ? [name, null] : [name.slice(0, at), name.slice(at + 1)]
}
