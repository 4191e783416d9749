/**
 * Where middlewares with state keep it: a slot or a table of the scoreboard. Its identity is the frontend (or its backend)
 * and the options that define the state, so that a limiter or a breaker survives every other change, a breaker also a
 * change of its durations.
 */
import { identityOfMiddleware, stateOfMiddleware } from '../../middleware/catalog.ts'
import type { Frontend } from '../../model/snapshot.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'
import { createSlots, slotsOf, tablesOf } from './slots.ts'
import type { Slots } from './slots.ts'

export interface MiddlewareSlots {
  /** The slot or table of each middleware, null for one without state; empty if none has state. */
  slotsOf(frontend: Frontend): readonly (number | null)[]
  /** The frontend takes this form with the delta of this number. */
  update(frontend: Frontend, number: number): void
  /** The frontend leaves with the delta of this number. */
  retire(frontend: string, number: number): void
  sweep(acknowledged: number): void
}

interface StateSlot {
  readonly identity: string
  readonly from: Slots
}

const NO_SLOTS: readonly (number | null)[] = []

export function createMiddlewareSlots(scoreboard: Scoreboard): MiddlewareSlots {
  const slots = createSlots(slotsOf(scoreboard))
  const tables = createSlots(tablesOf(scoreboard))
  /** Frontends without state are not in it. */
  const byFrontend = new Map<string, readonly StateSlot[]>()
  /** How many frontends use a slot: those of one backend may share. */
  const users = new Map<string, number>()

  function stateSlotsOf({ id, backend, middlewares }: Frontend): readonly (StateSlot | null)[] {
    const times = new Map<string, number>()
    return middlewares.map((spec) => {
      const state = stateOfMiddleware(spec)
      if (state === null) return null
      const owner =
        state.of === 'backend' && backend !== null ? `backend ${backend}` : `frontend ${id}`
      const text = `${state.in} ${owner} ${identityOfMiddleware(spec)}`
      // The same middleware twice in one chain has two states.
      const time = (times.get(text) ?? 0) + 1
      times.set(text, time)
      return { identity: `${text} ${time}`, from: state.in === 'slot' ? slots : tables }
    })
  }

  function release(released: readonly StateSlot[], number: number): void {
    for (const { identity, from } of released) {
      const left = (users.get(identity) ?? 1) - 1
      if (left > 0) users.set(identity, left)
      else {
        users.delete(identity)
        from.retire(identity, number)
      }
    }
  }

  return {
    slotsOf(frontend) {
      if (frontend.middlewares.length === 0) return NO_SLOTS
      const stateSlots = stateSlotsOf(frontend)
      if (stateSlots.every((one) => one === null)) return NO_SLOTS
      return stateSlots.map((one) => (one === null ? null : one.from.place(one.identity)))
    },
    update(frontend, number) {
      const before = byFrontend.get(frontend.id) ?? []
      const after = stateSlotsOf(frontend).flatMap((one) => one ?? [])
      if (before.length + after.length === 0) return
      // Counted before the release, so that a slot that stays always has a user.
      for (const { identity } of after) users.set(identity, (users.get(identity) ?? 0) + 1)
      release(before, number)
      if (after.length === 0) byFrontend.delete(frontend.id)
      else byFrontend.set(frontend.id, after)
    },
    retire(frontend, number) {
      release(byFrontend.get(frontend) ?? [], number)
      byFrontend.delete(frontend)
    },
    sweep(acknowledged) {
      slots.sweep(acknowledged)
      tables.sweep(acknowledged)
    },
  }
}
