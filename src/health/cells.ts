/** The cells of the scoreboard that only the health monitor writes. */
import { NO_TRAFFIC } from '../scoreboard/layout.ts'
import { sharedLoad, type Slot } from '../scoreboard/scoreboard.ts'

/** Stores only what differs: a store invalidates the cache line of every thread that reads it. */
export function writeCell(slot: Slot, cell: number, value: number): void {
  if (sharedLoad(slot, cell) !== value) Atomics.store(slot.shared, slot.at + cell, value)
}

/** SHARED.trafficShare as a share from 0 to 1. */
export function toShare(trafficShare: number): number {
  if (trafficShare === NO_TRAFFIC) return 0
  return trafficShare === 0 ? 1 : trafficShare / 1000
}
