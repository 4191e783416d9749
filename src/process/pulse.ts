/**
 * Signs of life of the serving threads, in memory that all share. A thread whose event loop stands still cannot say so; that
 * its pulse has stopped can be seen meanwhile, before what it then holds against servers is counted.
 */
import { systemMs } from '../scoreboard/board-clock.ts'

const EVERY_MS = 50

export interface Pulses {
  /** One cell a thread, Float64: when its loop was seen to turn last. */
  readonly memory: SharedArrayBuffer
  /** A thread is started anew: it is not late until it has begun. */
  reset(thread: number): void
  /** How long its loop has stood still, ms. */
  stallOf(thread: number): number
}

export function createPulses(threads: number): Pulses {
  const memory = new SharedArrayBuffer(threads * 8)
  const cells = new Float64Array(memory)
  return {
    memory,
    reset(thread) {
      cells[thread] = 0
    },
    stallOf(thread) {
      const at = cells[thread] ?? 0
      return at === 0 ? 0 : Math.max(0, systemMs() - at - EVERY_MS)
    },
  }
}

/** In the thread. Answers how to stop it. */
export function beat(memory: SharedArrayBuffer, thread: number): () => void {
  const cells = new Float64Array(memory)
  const timer = setInterval(() => (cells[thread] = systemMs()), EVERY_MS).unref()
  return () => clearInterval(timer)
}
