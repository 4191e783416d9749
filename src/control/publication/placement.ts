/** Objects with the slots they are counted in: as the threads are told of them, and as metrics and status list them. */
import type {
  Backend,
  Delta,
  Frontend,
  Listener,
  Placed,
  PlacedBackend,
  PlacedFrontend,
  Snapshot,
} from '../../model/snapshot.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'
import type { Changes } from './diff.ts'
import type { OnFault } from '../../observe/fault.ts'
import { createSlots, slotsOf } from './slots.ts'
import { createStates } from './states.ts'

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
  /** Slots for what comes. What cannot be placed is reported one by one, and stays as it was. */
  place(changes: Changes, onFault: OnFault): PlacedChanges
  /** Retirement for what goes with the number; answers with what the threads are told. */
  apply(before: Snapshot, after: Snapshot, changes: PlacedChanges, number: number): Delta
  /** What a thread is told that knows nothing yet. */
  toDelta(changes: Changes, number: number): Delta
  list(snapshot: Snapshot): PlacedObjects
  /** Gives back the slots of what is gone; `acknowledged` is the least number that all threads have acknowledged. */
  sweep(acknowledged: number): void
}

export interface PlacedChanges {
  /** What could be placed. */
  readonly changes: Changes
  readonly upserts: Delta['upserts']
}

/** Of a second each. */
const SERVER_SWEEPS = 10

export function createPlacement(scoreboard: Scoreboard): Placement {
  // Apart, so that an id is its own key: 100,000 ids with a prefix would be as many texts more.
  const numbers = slotsOf(scoreboard)
  const slots = {
    listeners: createSlots(numbers),
    backends: createSlots(numbers),
    // What is known of a server that is away for a moment is kept, see health/recently-removed.ts.
    servers: createSlots(numbers, SERVER_SWEEPS),
    breakers: createSlots(numbers, SERVER_SWEEPS),
    frontends: createSlots(numbers),
  }
  const states = createStates(scoreboard)

  function placeListener(object: Listener): Placed<Listener> {
    return { object, slot: slots.listeners.place(object.id) }
  }

  function placeFrontend(object: Frontend): PlacedFrontend {
    return { object, slot: slots.frontends.place(object.id), states: states.place(object) }
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

  // Whether or not a thread listens everything is placed: metrics, and the next thread, want it.
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
    apply(before, after, { changes, upserts: placed }, number) {
      const { upserts, deletes } = changes
      for (const id of deletes.listeners) slots.listeners.retire(id, number)
      for (const id of deletes.frontends) {
        slots.frontends.retire(id, number)
        states.retire(id, number)
      }
      for (const frontend of upserts.frontends) states.change(frontend, number)
      for (const id of deletes.backends) slots.backends.retire(id, number)
      for (const id of [...deletes.backends, ...upserts.backends.map((backend) => backend.id)]) {
        const kept = new Set(after.backends.get(id)?.servers.map(({ url }) => url))
        for (const { url } of before.backends.get(id)?.servers ?? []) {
          if (!kept.has(url)) slots.servers.retire(serverIdentity(id, url), number)
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
      const kept = {
        listeners: placed.listeners.map(({ object }) => object),
        backends: placed.backends.map(({ object }) => object),
        frontends: placed.frontends.map(({ object }) => object),
      }
      return { changes: { upserts: kept, deletes }, upserts: placed }
    },
    toDelta,
    list: (snapshot) => ({
      listeners: list(snapshot.listeners, placeListener),
      backends: listBackends(snapshot),
      frontends: list(snapshot.frontends, placeFrontend),
    }),
    sweep(acknowledged) {
      for (const kind of Object.values(slots)) kind.sweep(acknowledged)
      states.sweep(acknowledged)
    },
  }
}

/** A breaker with another condition counts other things, so it begins anew. */
function breakerIdentities(backend: Backend | undefined): readonly string[] {
  if (backend === undefined || backend.breaker === null) return []
  const { condition } = backend.breaker
  return backend.servers.map(({ url }) => `${url} ${backend.id} ${condition}`)
}

function serverIdentity(backend: string, url: string): string {
  return `${url} ${backend}`
}
