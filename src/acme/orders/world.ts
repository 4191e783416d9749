/** Time and chance, as arguments: tests run hours in a moment. */
import { setTimeout as delay } from 'node:timers/promises'

export interface AcmeWorld {
  /** ms of a monotonic clock. */
  readonly now: () => number
  /** ms since the epoch. */
  readonly date: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** Rejects if the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

export const SYSTEM: AcmeWorld = {
  now: () => performance.now(),
  date: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
}
