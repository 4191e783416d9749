/**
 * Several sources into one set. The order of the list is the precedence: what two sources declare under one id is the
 * earlier one's, and the later one's is a conflict that names the earlier. Nothing is copied: this is a view over what
 * each source declares, and it answers which of its objects a change in one source touches.
 *
 *   backend  b of a later source lives on as `b@source`, so that frontends of that source, and those that say so, reach it
 *   server   joins the backend of that name in its own source; without one, the backend that the name means to all others
 *            inside the backend may stand one of its id: then the earlier source's holds, see join-servers.ts
 *   frontend names a backend in the same way; `b@source` means that source's, whichever source it is written in, also
 *            one that only its servers declare there
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
  /** In the table: not always the one it has in its source. */
  readonly id: string
  readonly declared: DeclaredObject
  readonly source: string
}

export interface Merge {
  /** Names in the table that may mean something else now that these names changed in a source; some more than once. */
  affected(names: Iterable<ObjectName>): readonly ObjectName[]
  /** By its name in the table; null: no source declares it. */
  find(kind: ObjectKind, id: string): MergedObject | null
  /** The backend that a source means by a name, as the table calls it. */
  backendOf(source: string, name: string): string
  /** Of a source: lower goes before. */
  precedence(source: string): number
  conflicts(): readonly Problem[]
}

/** `sources` in order of precedence. */
export function createMerge(sources: readonly MergeSource[]): Merge {
  const conflicts = new Map<string, readonly Problem[]>()
  /** By backend in the table: of servers that stand inside it and, in another source, under keys of their own. */
  const inlineConflicts = new Map<string, readonly Problem[]>()
  /** Backends that a source has servers of, `b@source`. */
  const implied = new Set<string>()
  /** Somebody wrote `b@source`: then a backend that comes or goes may move parts even without a conflict. */
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
    // Its servers alone declare it there, unless they join the backend of another source.
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
      // Those of a frontend that is not in force are not, either.
      const heard = sources.filter((one) => one === owner || !declares(one, 'frontend', frontend))
      return first(heard, (source) => of(source, id))
    }
    const shadowed = kind === 'backend' ? shadowOf(id) : null
    // Nobody else can take that name from it.
    return shadowed === null
      ? first(sources, (source) => of(source, id))
      : of(shadowed, splitSourceName(id)[0])
  }

  /** The source whose backend this name stands for, because an earlier source has its own name; null: it is just a name. */
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
    // What a source may have called it: its name, the name without the source, or the name with it.
    const spellings = [backend, base, ...(owner === undefined ? [] : [`${backend}@${owner.name}`])]
    return first(sources, (source) =>
      first(spellings, (spelling) => {
        const found = of(source, joinParts(spelling, server))
        return found !== null && backendOf(source, spelling) === backend ? found : null
      }),
    )
  }

  function noteConflicts(kind: ObjectKind, id: string): void {
    // There may be 100,000 names at once, and mostly no two sources that share one.
    if (conflicts.size === 0 && !isShared(kind, id)) return
    const key = `${kind} ${id}`
    const [owner, ...others] = sources.filter((source) => declares(source, kind, id))
    // Servers and middlewares are parts: their wholes say what there is to say, but for one that stands twice.
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

  /** What `b@source` means may be another thing now: the backend, where parts are spelled with a source. */
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

  /** Two servers of one name in two backends of one name are no conflict. */
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
        // One that stands in one source alone takes no part anywhere with it.
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

  /** Every name that a server may have in the table, or have had. */
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

/** `b@redis` is `b` of `redis`. */
function splitSourceName(name: string): [base: string, source: string | null] {
  const at = name.lastIndexOf('@')
  return at <= 0 ? [name, null] : [name.slice(0, at), name.slice(at + 1)]
}
