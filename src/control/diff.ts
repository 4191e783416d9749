/** What must be told for one snapshot to become another. Objects that admission left alone are the same objects. */
import type { Backend, Frontend, Listener, Snapshot } from '../model/snapshot.ts'
import { isEqual } from './equal.ts'

export interface Changes {
  readonly upserts: {
    readonly listeners: readonly Listener[]
    readonly backends: readonly Backend[]
    readonly frontends: readonly Frontend[]
  }
  readonly deletes: {
    readonly listeners: readonly string[]
    readonly backends: readonly string[]
    readonly frontends: readonly string[]
  }
}

export const emptySnapshot: Snapshot = {
  listeners: new Map(),
  backends: new Map(),
  frontends: new Map(),
}

export function diffSnapshots(before: Snapshot, after: Snapshot): Changes {
  return {
    upserts: {
      listeners: upserts(before.listeners, after.listeners),
      backends: upserts(before.backends, after.backends),
      frontends: upserts(before.frontends, after.frontends),
    },
    deletes: {
      listeners: deletes(before.listeners, after.listeners),
      backends: deletes(before.backends, after.backends),
      frontends: deletes(before.frontends, after.frontends),
    },
  }
}

function upserts<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): readonly T[] {
  if (before === after) return []
  const changed: T[] = []
  for (const [id, object] of after) {
    if (!isEqual(before.get(id), object)) changed.push(object)
  }
  return changed
}

function deletes<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
): readonly string[] {
  if (before === after) return []
  const gone: string[] = []
  for (const id of before.keys()) if (!after.has(id)) gone.push(id)
  return gone
}
