/**
 * Which scoreboard slot counts what. A slot belongs to an identity (a frontend's, backend's or listener's id; a server's
 * backend and url), not to a version, so that counters survive every change around it. One of these for each kind.
 *
 * The slot of a deleted object retires: threads may still finish exchanges that write to it. It is given back once every
 * thread has acknowledged the deletion and it was seen idle in two sweeps running. An object that comes back before
 * takes its slot up again.
 */
import { SHARED } from '../scoreboard/layout.ts'
import type { Scoreboard } from '../scoreboard/scoreboard.ts'

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
  idle: boolean
}

export function createSlots(scoreboard: Scoreboard): Slots {
  const placed = new Map<string, number>()
  const retired = new Map<string, Retired>()

  function isIdle(slot: number): boolean {
    return (
      scoreboard.shared(slot, SHARED.inFlight) === 0 &&
      scoreboard.shared(slot, SHARED.connections) === 0
    )
  }

  return {
    place(identity) {
      const known = placed.get(identity)
      if (known !== undefined) return known
      const slot = retired.get(identity)?.slot ?? scoreboard.allocate()
      retired.delete(identity)
      placed.set(identity, slot)
      return slot
    },
    retire(identity, number) {
      const slot = placed.get(identity)
      if (slot === undefined) return
      placed.delete(identity)
      retired.set(identity, { slot, number, idle: false })
    },
    sweep(acknowledged) {
      for (const [identity, entry] of retired) {
        const wasIdle = entry.idle
        entry.idle = entry.number <= acknowledged && isIdle(entry.slot)
        if (!entry.idle || !wasIdle) continue
        retired.delete(identity)
        scoreboard.release(entry.slot)
      }
    },
  }
}
