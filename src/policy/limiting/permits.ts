/**
 * Places of which there are only so many over all threads. What a thread holds of them also stands in its own column, so that
 * they come back when it dies (`Scoreboard.forgetThread`).
 */
import { COUNT, SHARED } from '../../scoreboard/layout.ts'
import { count, sharedAdd, type Slot } from '../../scoreboard/scoreboard.ts'

/** A shared cell and the counter that says what this thread holds of it. */
export interface Permits {
  readonly cell: number
  readonly counter: number
}

export const IN_FLIGHT: Permits = { cell: SHARED.inFlight, counter: COUNT.inFlight }
/** The counter is that of the connections: `waiting` is the same cell. */
export const WAITING: Permits = { cell: SHARED.waiting, counter: COUNT.connections }

/** Takes one, unless as many as `most` are taken. */
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

/** Takes one, however many are taken. */
export function addPermit(slot: Slot, { cell, counter }: Permits): void {
  sharedAdd(slot, cell, 1)
  count(slot, counter, 1)
}

export function releasePermit(slot: Slot, { cell, counter }: Permits): void {
  count(slot, counter, -1)
  sharedAdd(slot, cell, -1)
}
