/** Objects with their slots in the scoreboard, for the deltas to the threads, for metrics and for status. */
import type {
  Backend,
  Delta,
  Frontend,
  Listener,
  PlacedBackend,
  PlacedFrontend,
  PlacedListener,
  Snapshot,
} from '../../model/snapshot.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'
import type { Objects, SnapshotDiff } from './diff.ts'
import type { OnFault } from '../../observe/fault.ts'
import { createSlots, slotsOf } from './slots.ts'
import { createMiddlewareSlots } from './middleware-slots.ts'
import { listenerRouteId } from '../../model/names.ts'

/** Everything in force, each object once. */
export interface PlacedObjects {
  /** `route`: of one with a backend, counted as a frontend. */
  readonly listeners: Iterable<PlacedId & { readonly route: PlacedRoute | null }>
  readonly backends: Iterable<PlacedServers>
  readonly frontends: Iterable<PlacedRoute>
}

export interface PlacedId {
  readonly id: string
  readonly slot: number
}

export interface PlacedRoute extends PlacedId {
  /** It takes streams, and no requests. */
  readonly isStream: boolean
}

export interface PlacedServers extends PlacedId {
  readonly servers: Iterable<{ readonly url: string; readonly slot: number }>
  /** It scales from zero, and its requests may wait. */
  readonly holds: boolean
}

export interface Placement {
  /** Allocates the slots of a diff. An object that causes an exception is reported, left out, and stays as it was. */
  place(changes: SnapshotDiff, onFault: OnFault): PlacedChanges
  /** Retires the slots of what leaves with the number; returns the delta for the threads. */
  apply(before: Snapshot, after: Objects, changes: PlacedChanges, number: number): Delta
  /** The delta of a diff whose objects have slots already, or get them now. */
  toDelta(changes: SnapshotDiff, number: number): Delta
  list(snapshot: Snapshot): PlacedObjects
  /** Releases idle retired slots. `acknowledged`: the least number that all threads have acknowledged. */
  sweep(acknowledged: number): void
}

export interface PlacedChanges {
  /** Without the objects that could not be placed. */
  readonly changes: SnapshotDiff
  readonly upserts: Delta['upserts']
}

type PlacedObjectsOf<Kind extends keyof PlacedObjects> = Generator<
  PlacedObjects[Kind] extends Iterable<infer T> ? T : never
>

/** Sweeps of a second each until the slot of a removed server is released. */
const SERVER_SWEEPS = 10

export function createPlacement(scoreboard: Scoreboard): Placement {
  const allocator = slotsOf(scoreboard)
  // One map for each kind, so that an id is its own key: a prefix would cost 100,000 more texts.
  const slots = {
    listeners: createSlots(allocator),
    backends: createSlots(allocator),
    // A server that returns soon keeps its state, see health/recently-removed.ts.
    servers: createSlots(allocator, SERVER_SWEEPS),
    breakers: createSlots(allocator, SERVER_SWEEPS),
    frontends: createSlots(allocator),
  }
  const middlewares = createMiddlewareSlots(scoreboard)

  function placeListener(object: Listener): PlacedListener {
    const { id, backend } = object
    const routeSlot = backend === null ? null : slots.frontends.place(listenerRouteId(id))
    return { object, slot: slots.listeners.place(id), routeSlot }
  }

  function placeFrontend(object: Frontend): PlacedFrontend {
    return { object, slot: slots.frontends.place(object.id), states: middlewares.slotsOf(object) }
  }

  function placeBackend(object: Backend): PlacedBackend {
    return {
      object,
      slot: slots.backends.place(object.id),
      serverSlots: object.servers.map(({ url }) =>
        slots.servers.place(serverIdentity(object.id, url)),
      ),
      breakerSlots: breakerIdentities(object).map((identity) => slots.breakers.place(identity)),
    }
  }

  // Objects get slots also without an attached thread: metrics and the next thread need them.
  function toDelta({ upserts, deletes }: SnapshotDiff, number: number): Delta {
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

  function* listBackends(snapshot: Snapshot): Generator<PlacedServers> {
    for (const backend of snapshot.backends.values()) {
      const { object, slot, serverSlots } = placeBackend(backend)
      const servers = object.servers.map(({ url }, at) => ({ url, slot: serverSlots[at] ?? slot }))
      const holds = object.scale !== null && object.scale.zero !== null
      yield { id: object.id, slot, servers, holds }
    }
  }

  function* listListeners({ listeners }: Snapshot): PlacedObjectsOf<'listeners'> {
    for (const listener of listeners.values()) {
      const { slot, routeSlot } = placeListener(listener)
      const { id, protocol } = listener
      const isStream = protocol === 'tcp'
      const route =
        routeSlot === null ? null : { id: listenerRouteId(id), slot: routeSlot, isStream }
      yield { id, slot, route }
    }
  }

  function* listFrontends({ frontends }: Snapshot): PlacedObjectsOf<'frontends'> {
    for (const frontend of frontends.values()) {
      const { slot } = placeFrontend(frontend)
      yield { id: frontend.id, slot, isStream: frontend.protocol === 'tcp' }
    }
  }

  return {
    apply(before, after, { changes, upserts: placed }, number) {
      const { upserts, deletes } = changes
      for (const id of deletes.listeners) {
        slots.listeners.retire(id, number)
        slots.frontends.retire(listenerRouteId(id), number)
      }
      for (const { id, backend } of upserts.listeners) {
        if (backend === null) slots.frontends.retire(listenerRouteId(id), number)
      }
      for (const id of deletes.frontends) {
        slots.frontends.retire(id, number)
        middlewares.retire(id, number)
      }
      for (const frontend of upserts.frontends) middlewares.update(frontend, number)
      for (const id of deletes.backends) slots.backends.retire(id, number)
      for (const id of [...deletes.backends, ...upserts.backends.map((backend) => backend.id)]) {
        const remaining = new Set(after.backends.get(id)?.servers.map(({ url }) => url))
        for (const { url } of before.backends.get(id)?.servers ?? []) {
          if (!remaining.has(url)) slots.servers.retire(serverIdentity(id, url), number)
        }
        const breakers = new Set(breakerIdentities(after.backends.get(id)))
        for (const identity of breakerIdentities(before.backends.get(id))) {
          if (!breakers.has(identity)) slots.breakers.retire(identity, number)
        }
      }
      return { number, upserts: placed, deletes }
    },
    place({ upserts, deletes }, onFault) {
      const placeAll = <T extends { readonly id: string }, P>(
        kind: 'listener' | 'backend' | 'frontend',
        objects: readonly T[],
        place: (object: T) => P,
      ): P[] =>
        objects.flatMap((object) => {
          try {
            return [place(object)]
          } catch (error) {
            onFault({ kind, id: object.id }, error)
            return []
          }
        })
      const placed = {
        listeners: placeAll('listener', upserts.listeners, placeListener),
        backends: placeAll('backend', upserts.backends, placeBackend),
        frontends: placeAll('frontend', upserts.frontends, placeFrontend),
      }
      const diff = {
        listeners: placed.listeners.map(({ object }) => object),
        backends: placed.backends.map(({ object }) => object),
        frontends: placed.frontends.map(({ object }) => object),
      }
      return { changes: { upserts: diff, deletes }, upserts: placed }
    },
    toDelta,
    list: (snapshot) => ({
      listeners: listListeners(snapshot),
      backends: listBackends(snapshot),
      frontends: listFrontends(snapshot),
    }),
    sweep(acknowledged) {
      for (const kind of Object.values(slots)) kind.sweep(acknowledged)
      middlewares.sweep(acknowledged)
    },
  }
}

/** A breaker with another condition counts other things, so that it gets another slot. */
function breakerIdentities(backend: Backend | undefined): readonly string[] {
  if (backend === undefined || backend.breaker === null) return []
  const { condition } = backend.breaker
  return backend.servers.map(({ url }) => `${url} ${backend.id} ${condition}`)
}

function serverIdentity(backend: string, url: string): string {
  return `${url} ${backend}`
}
