/**
 * Permits that are limited over all threads. Each thread also counts its own permits in its column, so that they are released
 * if it dies (`Scoreboard.forgetThread`).
 */
import { COUNT, SHARED } from '../../scoreboard/layout.ts'
import { count, sharedAdd, type Slot } from '../../scoreboard/scoreboard.ts'

/** A shared cell, and the counter of this thread's part of it. */
export interface Permits {
  readonly cell: number
  readonly counter: number
}

export const IN_FLIGHT: Permits = { cell: SHARED.inFlight, counter: COUNT.inFlight }
/** A middleware has no connections: `waiting` uses their cell and their counter. */
export const WAITING: Permits = { cell: SHARED.waiting, counter: COUNT.connections }

/** Takes a permit, unless `most` are taken; returns whether it did. */
export function takePermit(slot: Slot, { cell, counter }: Permits, most: number): boolean {
  const at = slot.at + cell
  let taken = Atomics.load(slot.shared, at)
  while (taken < most) {
    const seen = Atomics.compareExchange(slot.shared, at, taken, taken + 1)
    if (seen === taken) {
      count(slot, counter, 1)
      return true
    }
    taken = seen
  }
  return false
}

/** Takes a permit without a limit. */
export function addPermit(slot: Slot, { cell, counter }: Permits): void {
  sharedAdd(slot, cell, 1)
  count(slot, counter, 1)
}

export function releasePermit(slot: Slot, { cell, counter }: Permits): void {
  count(slot, counter, -1)
  sharedAdd(slot, cell, -1)
}
