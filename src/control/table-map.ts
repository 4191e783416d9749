/** One kind of the table: a map that is copied when it changes after it was handed out, and never otherwise. */
export interface TableMap<T> {
  get(id: string): T | undefined
  /** Putting the object that is there already changes nothing. */
  put(id: string, object: T | null): void
  current(): ReadonlyMap<string, T>
}

export function createTableMap<T>(): TableMap<T> {
  let map = new Map<string, T>()
  let isHandedOut = false

  function own(): Map<string, T> {
    if (isHandedOut) map = new Map(map)
    isHandedOut = false
    return map
  }

  return {
    get: (id) => map.get(id),
    put(id, object) {
      if (object === null) {
        if (map.has(id)) own().delete(id)
      } else if (map.get(id) !== object) own().set(id, object)
    },
    current() {
      isHandedOut = true
      return map
    },
  }
}
