/**
 * How long a server takes to the head of its answer, as all threads see it: a peak-sensitive moving average. A slower answer
 * counts at once and in full; faster ones take it back with a time constant of 10 s, and so does silence: a server that was
 * slow is asked again some day.
 *
 * Two cells of the server's slot, microseconds and the time they were moved at (see
 * wrapping-clock.ts). They are written one after the other without a lock: threads that meet lose a sample, no more.
 *
 * Hot path: most answers of a busy server cost two loads and no exp, because faster ones are only looked at once in STEP_MS
 * (a whole microsecond is too coarse for smaller steps).
 */
import { SHARED } from '../scoreboard/layout.ts'
import { type Slot, sharedLoad } from '../scoreboard/scoreboard.ts'
import { msSince, toCell } from './wrapping-clock.ts'

const DECAY_MS = 10_000
const STEP_MS = 100
const LONGEST_MICROS = 2 ** 31 - 1

/** One answer's head has come. */
export function recordLatency(slot: Slot, micros: number, nowMs: number): void {
  const sample = micros > 1 ? Math.min(LONGEST_MICROS, Math.round(micros)) : 1
  const average = sharedLoad(slot, SHARED.ewma)
  if (sample >= average) {
    move(slot, sample, nowMs)
    return
  }
  const elapsed = elapsedMs(slot, nowMs)
  if (elapsed < STEP_MS) return
  // Down to the whole microsecond: rounded, it would stand still just above the samples.
  move(slot, Math.floor(sample + (average - sample) * Math.exp(-elapsed / DECAY_MS)), nowMs)
}

/** Microseconds, with what silence has taken off; 0 when there is no measurement. */
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
