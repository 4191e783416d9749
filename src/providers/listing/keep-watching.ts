/**
 * Watches a provider until the signal aborts, again after each loss, with back-off and jitter. Sources are followed by
 * control; this is for a source that consists of several, of which one must not stop the others.
 */
import { errorOf } from '../../model/error-message.ts'
import { setTimeout as passed } from 'node:timers/promises'
import { exponentialBackoff } from '../../model/backoff.ts'
import type { Declaration, Provider } from '../provider.ts'

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5_000

export interface Watched {
  readonly onDeclaration: (declaration: Declaration) => void
  /** Its last declaration stays. */
  readonly onLost: (error: Error) => void
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** Resolves when the signal has aborted. */
export async function keepWatching(
  provider: Provider,
  signal: AbortSignal,
  { onDeclaration, onLost, random = Math.random }: Watched,
): Promise<void> {
  let losses = 0
  while (!signal.aborted) {
    try {
      for await (const reading of provider.watch(signal)) {
        losses = 0
        if (reading.readable) onDeclaration(reading)
        else onLost(new Error(reading.problems.map(({ message }) => message).join('; ')))
      }
      if (!signal.aborted) throw new Error('its watch has ended')
    } catch (error) {
      if (signal.aborted) return
      onLost(errorOf(error))
    }
    const ceiling = exponentialBackoff(FIRST_DELAY_MS, losses, MAX_DELAY_MS)
    losses += 1
    await passed(ceiling * (0.5 + random() / 2), null, { signal }).catch(() => null)
  }
}
