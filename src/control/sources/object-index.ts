/** Declared objects by kind and id, and the servers of each backend. */
import { OBJECT_KINDS, type ObjectKind, type ObjectName, splitParts } from '../../model/names.ts'
import type { DeclaredObject } from '../../providers/provider.ts'

export type ObjectsByKind = Readonly<Record<ObjectKind, Map<string, DeclaredObject>>>

export interface ObjectIndex {
  readonly size: number
  /** A live view. */
  ofKind(kind: ObjectKind): ReadonlyMap<string, DeclaredObject>
  all(): DeclaredObject[]
  get(name: ObjectName): DeclaredObject | undefined
  set(object: DeclaredObject): void
  delete(name: ObjectName): void
  /** The `server` objects of a backend. */
  serversOf(backend: string): ReadonlyMap<string, DeclaredObject>
  /** Backends with `server` objects. */
  owners(): Iterable<string>
}

/** A set of names. */
export interface NameSet {
  add(name: ObjectName): void
  list(): ObjectName[]
}

const NO_OBJECTS: ReadonlyMap<string, DeclaredObject> = new Map()

export function groupByKind(objects: Iterable<DeclaredObject>): ObjectsByKind {
  const groups = emptyGroups()
  for (const object of objects) groups[object.kind].set(object.id, object)
  return groups
}

export function sizeOf(groups: ObjectsByKind): number {
  return OBJECT_KINDS.reduce((sum, kind) => sum + groups[kind].size, 0)
}

export function createObjectIndex(): ObjectIndex {
  const groups = emptyGroups()
  const servers = new Map<string, Map<string, DeclaredObject>>()

  return {
    get size() {
      return sizeOf(groups)
    },
    ofKind: (kind) => groups[kind],
    all: () => OBJECT_KINDS.flatMap((kind) => [...groups[kind].values()]),
    get: ({ kind, id }) => groups[kind].get(id),
    set(object) {
      groups[object.kind].set(object.id, object)
      if (object.kind !== 'server') return
      const owner = ownerOf(object.id)
      const siblings = servers.get(owner)
      if (siblings === undefined) servers.set(owner, new Map([[object.id, object]]))
      else siblings.set(object.id, object)
    },
    delete({ kind, id }) {
      groups[kind].delete(id)
      if (kind !== 'server') return
      const owner = ownerOf(id)
      const siblings = servers.get(owner)
      siblings?.delete(id)
      if (siblings?.size === 0) servers.delete(owner)
    },
    serversOf: (backend) => servers.get(backend) ?? NO_OBJECTS,
    owners: () => servers.keys(),
  }
}

export function createNameSet(): NameSet {
  const ids: Readonly<Record<ObjectKind, Set<string>>> = byKind(() => new Set())
  return {
    add: ({ kind, id }) => void ids[kind].add(id),
    list: () => OBJECT_KINDS.flatMap((kind) => [...ids[kind]].map((id) => ({ kind, id }))),
  }
}

/** The backend of a server, the frontend of a middleware. */
export function ownerOf(id: string): string {
  return splitParts(id)[0]
}

/** The ids of the servers inside a backend's value; none if `servers` is no map. */
export function inlineServers(backend: DeclaredObject): readonly string[] {
  const servers = serversWithin(backend)
  return typeof servers === 'object' && servers !== null ? Object.keys(servers) : []
}

/** Whether there are servers inside a backend's value. */
export function hasServers(backend: DeclaredObject): boolean {
  return inlineServers(backend).length > 0
}

/** Whether a backend's value is readable and has no servers inside. A malformed backend is not known to have none. */
export function hasNoServers(backend: DeclaredObject): boolean {
  const { value, fault } = backend
  if (fault !== undefined || typeof value !== 'object' || value === null) return false
  const servers = serversWithin(backend)
  return servers === undefined || (typeof servers === 'object' && !hasServers(backend))
}

function serversWithin({ value }: DeclaredObject): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return (value as { readonly servers?: unknown }).servers
}

function emptyGroups(): ObjectsByKind {
  return byKind(() => new Map())
}

function byKind<T>(make: () => T): Readonly<Record<ObjectKind, T>> {
  return {
    listener: make(),
    host: make(),
    backend: make(),
    server: make(),
    frontend: make(),
    middleware: make(),
  }
}

/** A key for maps by kind and id. */
export function keyOf({ kind, id }: ObjectName): string {
  return `${kind} ${id}`
}
