/** One kind of the table, which knows what has changed in it. Nothing is copied: one change in a large table costs one. */
export interface TrackedMap<T> {
  /** Live. */
  readonly objects: ReadonlyMap<string, T>
  /** Putting the object that is there already changes nothing; null takes it away. */
  put(id: string, object: T | null): void
  /** The ids put or taken away since the last call. */
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

/** Ids of objects that may be different. */
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
