/** The objects of one kind in the table. The map records which ids change, so that a change in a large table copies nothing. */
export interface TrackedMap<T> {
  /** A live view. */
  readonly objects: ReadonlyMap<string, T>
  /** Null removes the object. Putting the same object again is no change. */
  put(id: string, object: T | null): void
  /** The ids put or removed since the last call. */
  takeChanged(): ReadonlySet<string>
}

export function createTrackedMap<T>(): TrackedMap<T> {
  const objects = new Map<string, T>()
  let changed = new Set<string>()

  return {
    objects,
    put(id, object) {
      if (object === (objects.get(id) ?? null)) return
      changed.add(id)
      if (object === null) objects.delete(id)
      else objects.set(id, object)
    },
    takeChanged() {
      const taken = changed
      changed = new Set()
      return taken
    },
  }
}

/** Ids of objects in the table that may have changed. */
export interface ChangedIds {
  readonly listeners: ReadonlySet<string>
  readonly backends: ReadonlySet<string>
  readonly frontends: ReadonlySet<string>
}

export function uniteChanged(one: ChangedIds, other: ChangedIds): ChangedIds {
  return {
    listeners: new Set([...one.listeners, ...other.listeners]),
    backends: new Set([...one.backends, ...other.backends]),
    frontends: new Set([...one.frontends, ...other.frontends]),
  }
}
