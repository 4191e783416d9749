/**
 * Which scoreboard slot (or table) counts what. It belongs to an identity (a frontend's, backend's or listener's id; a server's
 * backend and url; a middleware's frontend and options), not to a version, so that counters survive every change around it. One of these for each kind.
 *
 * The slot of a deleted object retires: threads may still finish exchanges that write to it. It is given back once every
 * thread has acknowledged the deletion and it was seen idle in two sweeps running. An object that comes back before
 * takes its slot up again.
 */
import { SHARED } from '../../scoreboard/layout.ts'
import type { Scoreboard } from '../../scoreboard/scoreboard.ts'

/** Where numbers come from. */
export interface Numbers {
  allocate(): number
  release(number: number): void
  isIdle(number: number): boolean
}

export function slotsOf(scoreboard: Scoreboard): Numbers {
  return {
    allocate: () => scoreboard.allocate(),
    release: (slot) => scoreboard.release(slot),
    isIdle: (slot) =>
      scoreboard.shared(slot, SHARED.inFlight) === 0 &&
      scoreboard.shared(slot, SHARED.connections) === 0,
  }
}

export function tablesOf(scoreboard: Scoreboard): Numbers {
  return {
    allocate: () => scoreboard.allocateTable(),
    release: (table) => scoreboard.releaseTable(table),
    isIdle: () => true,
  }
}

export interface Slots {
  /** The slot of what comes into force: its own, or a new one. */
  place(identity: string): number
  /** What leaves with the delta of this number. */
  retire(identity: string, number: number): void
  /** Gives back what is idle; `acknowledged` is the least number that all threads have acknowledged. */
  sweep(acknowledged: number): void
}

interface Retired {
  readonly slot: number
  readonly number: number
  /** Sweeps in a row in which it was seen idle. */
  idle: number
}

/** `idleSweeps`: after so many a slot is given back; at least two. */
export function createSlots(numbers: Numbers, idleSweeps = 2): Slots {
  const placed = new Map<string, number>()
  const retired = new Map<string, Retired>()

  return {
    place(identity) {
      const known = placed.get(identity)
      if (known !== undefined) return known
      const slot = retired.get(identity)?.slot ?? numbers.allocate()
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
      for (const [identity, entry] of retired) {
        const isIdle = entry.number <= acknowledged && numbers.isIdle(entry.slot)
        entry.idle = isIdle ? entry.idle + 1 : 0
        if (entry.idle < idleSweeps) continue
        retired.delete(identity)
        numbers.release(entry.slot)
      }
    },
  }
}
