/** The cells of the scoreboard that only the health monitor writes. */
import { ADMIT_NONE } from '../scoreboard/layout.ts'
import { sharedLoad, type Slot } from '../scoreboard/scoreboard.ts'

/** Stores only what differs: a store invalidates the cache line of every thread that reads it. */
export function writeCell(slot: Slot, cell: number, value: number): void {
  if (sharedLoad(slot, cell) !== value) Atomics.store(slot.shared, slot.at + cell, value)
}

/** SHARED.admit as a share from 0 to 1. */
export function toShare(admit: number): number {
  if (admit === ADMIT_NONE) return 0
  return admit === 0 ? 1 : admit / 1000
}
