/**
 * Where middlewares that remember do so: a slot or a table of the scoreboard, known by the frontend (or its backend) and what
 * of its options makes it another one. So a limiter or a breaker survives every change around it, a breaker also those of its durations.
 */
import { identityOfMiddleware, stateOfMiddleware } from '../../middleware/catalog.ts'
import type { Frontend } from '../../model/snapshot.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'
import { createSlots, slotsOf, tablesOf } from './slots.ts'
import type { Slots } from './slots.ts'

export interface States {
  /** For each middleware its slot or table, or null; none at all where none remembers. */
  place(frontend: Frontend): readonly (number | null)[]
  /** The frontend comes (into this shape) with the delta of this number. */
  change(frontend: Frontend, number: number): void
  /** It leaves. */
  retire(frontend: string, number: number): void
  sweep(acknowledged: number): void
}

interface Place {
  readonly identity: string
  readonly from: Slots
}

const none: readonly (number | null)[] = []

export function createStates(scoreboard: Scoreboard): States {
  const slots = createSlots(slotsOf(scoreboard))
  const tables = createSlots(tablesOf(scoreboard))
  /** By frontend. Those without are not here. */
  const held = new Map<string, readonly Place[]>()
  /** Frontends of one backend may share. */
  const holders = new Map<string, number>()

  function placesOf({ id, backend, middlewares }: Frontend): readonly (Place | null)[] {
    const times = new Map<string, number>()
    return middlewares.map((spec) => {
      const state = stateOfMiddleware(spec)
      if (state === null) return null
      const owner =
        state.of === 'backend' && backend !== null ? `backend ${backend}` : `frontend ${id}`
      const text = `${state.in} ${owner} ${identityOfMiddleware(spec)}`
      // The same twice on one way is two.
      const time = (times.get(text) ?? 0) + 1
      times.set(text, time)
      return { identity: `${text} ${time}`, from: state.in === 'slot' ? slots : tables }
    })
  }

  function release(places: readonly Place[], number: number): void {
    for (const { identity, from } of places) {
      const left = (holders.get(identity) ?? 1) - 1
      if (left > 0) holders.set(identity, left)
      else {
        holders.delete(identity)
        from.retire(identity, number)
      }
    }
  }

  return {
    place(frontend) {
      if (frontend.middlewares.length === 0) return none
      const places = placesOf(frontend)
      if (places.every((place) => place === null)) return none
      return places.map((place) => (place === null ? null : place.from.place(place.identity)))
    },
    change(frontend, number) {
      const before = held.get(frontend.id) ?? []
      const after = placesOf(frontend).flatMap((place) => place ?? [])
      if (before.length + after.length === 0) return
      // Taken before what was is given back, so that what stays is never without a holder.
      for (const { identity } of after) holders.set(identity, (holders.get(identity) ?? 0) + 1)
      release(before, number)
      if (after.length === 0) held.delete(frontend.id)
      else held.set(frontend.id, after)
    },
    retire(frontend, number) {
      release(held.get(frontend) ?? [], number)
      held.delete(frontend)
    },
    sweep(acknowledged) {
      slots.sweep(acknowledged)
      tables.sweep(acknowledged)
    },
  }
}
