/**
 * Values by the name of an object: a map for each kind. One map with kind and id joined makes a new text for each look-up, which
 * cost 1,000 apps more than all else that a change causes.
 */
import type { ObjectKind, ObjectName } from './names.ts'

export interface NameMap<T> {
  readonly size: number
  get(name: ObjectName): T | undefined
  set(name: ObjectName, value: T): void
  has(name: ObjectName): boolean
  values(): T[]
}

export function createNameMap<T>(): NameMap<T> {
  const kinds = new Map<ObjectKind, Map<string, T>>()

  return {
    get size() {
      let size = 0
      for (const ids of kinds.values()) size += ids.size
      return size
    },
    get: ({ kind, id }) => kinds.get(kind)?.get(id),
    set({ kind, id }, value) {
      const ids = kinds.get(kind)
      if (ids === undefined) kinds.set(kind, new Map([[id, value]]))
      else ids.set(id, value)
    },
    has: ({ kind, id }) => kinds.get(kind)?.has(id) === true,
    values: () => [...kinds.values()].flatMap((ids) => [...ids.values()]),
  }
}
