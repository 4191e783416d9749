/** The cells of the scoreboard that the control plane alone writes. */
import { ADMIT_NONE } from '../scoreboard/layout.ts'
import { sharedLoad, type Slot } from '../scoreboard/scoreboard.ts'

/** A store takes a line of the cache away from every thread that reads it. */
export function writeCell(slot: Slot, cell: number, value: number): void {
  if (sharedLoad(slot, cell) !== value) Atomics.store(slot.shared, slot.at + cell, value)
}

/** What SHARED.admit says, from 0 to 1. */
export function toShare(admit: number): number {
  if (admit === ADMIT_NONE) return 0
  return admit === 0 ? 1 : admit / 1000
}
