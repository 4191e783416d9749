/**
 * Which slot (or table) of the scoreboard belongs to which object, for one kind of object. A slot belongs to an identity (a
 * frontend's, backend's or listener's id; a server's backend and url; a middleware's frontend and options) and not to a
 * version, so that counters survive every other change.
 *
 * The slot of a deleted object retires first: threads may still finish exchanges that write to it. It is released once
 * every thread has acknowledged the delete and two sweeps in a row found it idle. An object that returns before gets its
 * slot back.
 */
import { SHARED } from '../../scoreboard/layout.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'

/** Allocates slots or tables of the scoreboard. */
export interface SlotAllocator {
  allocate(): number
  release(number: number): void
  isIdle(number: number): boolean
}

export function slotsOf(scoreboard: Scoreboard): SlotAllocator {
  return {
    allocate: () => scoreboard.allocate(),
    release: (slot) => scoreboard.release(slot),
    isIdle: (slot) =>
      scoreboard.underWay(slot) === 0 && scoreboard.shared(slot, SHARED.connections) === 0,
  }
}

export function tablesOf(scoreboard: Scoreboard): SlotAllocator {
  return {
    allocate: () => scoreboard.allocateTable(),
    release: (table) => scoreboard.releaseTable(table),
    isIdle: () => true,
  }
}

export interface Slots {
  /** The slot of an object that comes into force: the one it has, or a new one. */
  place(identity: string): number
  /** The object leaves with the delta of this number. */
  retire(identity: string, number: number): void
  /** Releases idle retired slots. `acknowledged`: the least number that all threads have acknowledged. */
  sweep(acknowledged: number): void
}

interface Retired {
  readonly slot: number
  readonly number: number
  /** How many sweeps in a row found it idle. */
  idle: number
}

/** `idleSweeps`: how many sweeps in a row must find a slot idle; at least two. */
export function createSlots(allocator: SlotAllocator, idleSweeps = 2): Slots {
  const placed = new Map<string, number>()
  const retired = new Map<string, Retired>()

  return {
    place(identity) {
      const known = placed.get(identity)
      if (known !== undefined) return known
      const slot = retired.get(identity)?.slot ?? allocator.allocate()
      retired.delete(identity)
      placed.set(identity, slot)
      return slot
    },
    retire(identity, number) {
      const slot = placed.get(identity)
      if (slot === undefined) return
      placed.delete(identity)
      retired.set(identity, { slot, number, idle: 0 })
    },
    sweep(acknowledged) {
      for (const [identity, one] of retired) {
        const isIdle = one.number <= acknowledged && allocator.isIdle(one.slot)
        one.idle = isIdle ? one.idle + 1 : 0
        if (one.idle < idleSweeps) continue
        retired.delete(identity)
        allocator.release(one.slot)
      }
    },
  }
}
