/** Objects with the slots they are counted in: as the threads are told of them, and as metrics and status list them. */
import type {
  Backend,
  Delta,
  Frontend,
  Listener,
  Placed,
  PlacedBackend,
  Snapshot,
} from '../model/snapshot.ts'
import type { Changes } from './diff.ts'
import type { Slots } from './slots.ts'

/** All that is in force, each object once. */
export interface PlacedObjects {
  readonly listeners: Iterable<PlacedId>
  readonly backends: Iterable<PlacedPool>
  readonly frontends: Iterable<PlacedId>
}

export interface PlacedId {
  readonly id: string
  readonly slot: number
}

export interface PlacedPool extends PlacedId {
  readonly servers: Iterable<{ readonly url: string; readonly slot: number }>
}

export interface Placement {
  /** Slots for what comes, retirement for what goes with the number. */
  apply(before: Snapshot, after: Snapshot, changes: Changes, number: number): void
  toDelta(changes: Changes, number: number): Delta
  list(snapshot: Snapshot): PlacedObjects
}

const listenerIdentity = (id: string): string => `listener ${id}`
const frontendIdentity = (id: string): string => `frontend ${id}`
const backendIdentity = (id: string): string => `backend ${id}`
const serverIdentity = (backend: string, url: string): string => `server ${url} ${backend}`

export function createPlacement(slots: Slots): Placement {
  function placeListener(object: Listener): Placed<Listener> {
    return { object, slot: slots.place(listenerIdentity(object.id)) }
  }

  function placeFrontend(object: Frontend): Placed<Frontend> {
    return { object, slot: slots.place(frontendIdentity(object.id)) }
  }

  function placeBackend(object: Backend): PlacedBackend {
    return {
      object,
      slot: slots.place(backendIdentity(object.id)),
      serverSlots: object.servers.map(({ url }) => slots.place(serverIdentity(object.id, url))),
    }
  }

  function toDelta({ upserts, deletes }: Changes, number: number): Delta {
    return {
      number,
      upserts: {
        listeners: upserts.listeners.map(placeListener),
        backends: upserts.backends.map(placeBackend),
        frontends: upserts.frontends.map(placeFrontend),
      },
      deletes,
    }
  }

  function* listBackends(snapshot: Snapshot): Generator<PlacedPool> {
    for (const backend of snapshot.backends.values()) {
      const { object, slot, serverSlots } = placeBackend(backend)
      const servers = object.servers.map(({ url }, at) => ({ url, slot: serverSlots[at] ?? slot }))
      yield { id: object.id, slot, servers }
    }
  }

  function* list<T extends { readonly id: string }>(
    objects: ReadonlyMap<string, T>,
    place: (object: T) => Placed<T>,
  ): Generator<PlacedId> {
    for (const object of objects.values()) yield { id: object.id, slot: place(object).slot }
  }

  return {
    apply(before, after, { upserts, deletes }, number) {
      for (const id of deletes.listeners) slots.retire(listenerIdentity(id), number)
      for (const id of deletes.frontends) slots.retire(frontendIdentity(id), number)
      for (const id of deletes.backends) slots.retire(backendIdentity(id), number)
      for (const id of [...deletes.backends, ...upserts.backends.map((backend) => backend.id)]) {
        const kept = new Set(after.backends.get(id)?.servers.map(({ url }) => url))
        for (const { url } of before.backends.get(id)?.servers ?? []) {
          if (!kept.has(url)) slots.retire(serverIdentity(id, url), number)
        }
      }
      // Whether or not a thread listens: metrics, and the next thread, want them.
      upserts.listeners.forEach(placeListener)
      upserts.backends.forEach(placeBackend)
      upserts.frontends.forEach(placeFrontend)
    },
    toDelta,
    list: (snapshot) => ({
      listeners: list(snapshot.listeners, placeListener),
      backends: listBackends(snapshot),
      frontends: list(snapshot.frontends, placeFrontend),
    }),
  }
}
