/**
 * Places of which there are only so many over all threads. What a thread holds of them also stands in its own column, so that
 * they come back when it dies (`Scoreboard.forgetThread`).
 */
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, sharedAdd, type Slot } from '../scoreboard/scoreboard.ts'

/** A shared cell and the counter that says what this thread holds of it. */
export interface Places {
  readonly cell: number
  readonly counter: number
}

export const IN_FLIGHT: Places = { cell: SHARED.inFlight, counter: COUNT.inFlight }
/** The counter is that of the connections: `waiting` is the same cell. */
export const WAITING: Places = { cell: SHARED.waiting, counter: COUNT.connections }

/** Takes one, unless as many as `most` are taken. */
export function takePlace(slot: Slot, { cell, counter }: Places, most: number): boolean {
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
export function addPlace(slot: Slot, { cell, counter }: Places): void {
  sharedAdd(slot, cell, 1)
  count(slot, counter, 1)
}

export function givePlace(slot: Slot, { cell, counter }: Places): void {
  count(slot, counter, -1)
  sharedAdd(slot, cell, -1)
}
