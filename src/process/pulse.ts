/**
 * Heartbeats of the serving threads in shared memory. A thread whose event loop does not turn cannot send a message; the main
 * thread sees that its heartbeat has stopped before failures that come of the stall are counted. See health/stalls.ts.
 */
import { systemMs } from '../scoreboard/board-clock.ts'

const EVERY_MS = 50

export interface Pulses {
  /** One Float64 per thread: the time of its last heartbeat. */
  readonly memory: SharedArrayBuffer
  /** For a thread that is started: it is not late before its first heartbeat. */
  reset(thread: number): void
  /** How long its event loop has not turned, ms. */
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

/** Starts the heartbeat of a thread, and returns a function that stops it. */
export function startPulse(memory: SharedArrayBuffer, thread: number): () => void {
  const cells = new Float64Array(memory)
  const timer = setInterval(() => (cells[thread] = systemMs()), EVERY_MS).unref()
  return () => clearInterval(timer)
}
