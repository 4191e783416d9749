/** The clock and the pauses of control, unless a test gives others. */
import { setTimeout as delay } from 'node:timers/promises'

export function monotonic(): number {
  return performance.now()
}

/** Also ends when the signal aborts. */
export async function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
