/** The difference between two snapshots. Admission keeps unchanged objects identical, so that most comparisons are cheap. */
import type { Backend, Frontend, Listener, Snapshot } from '../../model/snapshot.ts'
import { isEqual } from '../../model/equal.ts'
import type { ChangedIds } from '../admission/tracked-map.ts'

export interface SnapshotDiff {
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

/** What the comparison needs of the snapshot that is published: its objects by id. */
export interface Objects {
  readonly listeners: ById<Listener>
  readonly backends: ById<Backend>
  readonly frontends: ById<Frontend>
}

type ById<T> = Pick<ReadonlyMap<string, T>, 'get'>

/** From nothing to the snapshot. */
export function diffFromEmpty({ listeners, backends, frontends }: Snapshot): SnapshotDiff {
  return {
    upserts: {
      listeners: [...listeners.values()],
      backends: [...backends.values()],
      frontends: [...frontends.values()],
    },
    deletes: EMPTY_DIFF.deletes,
  }
}

export const EMPTY_DIFF: SnapshotDiff = {
  upserts: { listeners: [], backends: [], frontends: [] },
  deletes: { listeners: [], backends: [], frontends: [] },
}

export const EMPTY_SNAPSHOT: Snapshot = {
  listeners: new Map(),
  backends: new Map(),
  frontends: new Map(),
}

/** Compares the `changed` objects only. */
export function diffSnapshots(before: Snapshot, after: Objects, changed: ChangedIds): SnapshotDiff {
  const listeners = diffKind(before.listeners, after.listeners, changed.listeners)
  const backends = diffKind(before.backends, after.backends, changed.backends)
  const frontends = diffKind(before.frontends, after.frontends, changed.frontends)
  return {
    upserts: {
      listeners: listeners.upserts,
      backends: backends.upserts,
      frontends: frontends.upserts,
    },
    deletes: {
      listeners: listeners.deletes,
      backends: backends.deletes,
      frontends: frontends.deletes,
    },
  }
}

function diffKind<T>(
  before: ReadonlyMap<string, T>,
  after: ById<T>,
  changed: ReadonlySet<string>,
): { readonly upserts: readonly T[]; readonly deletes: readonly string[] } {
  const upserts: T[] = []
  const deletes: string[] = []
  for (const id of changed) {
    const object = after.get(id)
    if (object !== undefined && !isEqual(before.get(id), object)) upserts.push(object)
    else if (object === undefined && before.has(id)) deletes.push(id)
  }
  return { upserts, deletes }
}
