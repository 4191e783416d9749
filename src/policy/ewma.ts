/**
 * The time to the head of a server's responses, over all threads: a peak-sensitive moving average. A slower response counts at
 * once and in full; faster ones bring it down with a time constant of 10 s, and so does silence, so that a slow server gets
 * requests again.
 *
 * It has two cells in the server's slot: microseconds, and the time of the last change (wrapping-clock.ts). They are written
 * one after the other without a lock: if threads write at the same time, a sample is lost.
 *
 * Hot path: most responses of a busy server cost two loads and no exp, because faster ones are taken once per STEP_MS (a whole
 * microsecond is too coarse for smaller steps).
 */
import { SHARED } from '../scoreboard/layout.ts'
import { type Slot, sharedLoad } from '../scoreboard/scoreboard.ts'
import { msSince, toCell } from './wrapping-clock.ts'

const DECAY_MS = 10_000
const STEP_MS = 100
const LONGEST_MICROS = 2 ** 31 - 1

/** Records the time to the head of one response. */
export function recordLatency(slot: Slot, micros: number, nowMs: number): void {
  const sample = micros > 1 ? Math.min(LONGEST_MICROS, Math.round(micros)) : 1
  const average = sharedLoad(slot, SHARED.ewma)
  if (sample >= average) {
    move(slot, sample, nowMs)
    return
  }
  const elapsed = elapsedMs(slot, nowMs)
  if (elapsed < STEP_MS) return
  // Rounded down: rounded to the nearest, it would stop just above the samples.
  move(slot, Math.floor(sample + (average - sample) * Math.exp(-elapsed / DECAY_MS)), nowMs)
}

/** The average in microseconds, decayed up to now; 0 without a sample. */
export function ewmaAt(slot: Slot, nowMs: number): number {
  const average = sharedLoad(slot, SHARED.ewma)
  if (average === 0) return 0
  const elapsed = elapsedMs(slot, nowMs)
  return elapsed < STEP_MS ? average : average * Math.exp(-elapsed / DECAY_MS)
}

function move(slot: Slot, average: number, nowMs: number): void {
  Atomics.store(slot.shared, slot.at + SHARED.ewma, average)
  Atomics.store(slot.shared, slot.at + SHARED.ewmaAt, toCell(nowMs))
}

function elapsedMs(slot: Slot, nowMs: number): number {
  return msSince(sharedLoad(slot, SHARED.ewmaAt), nowMs)
}
