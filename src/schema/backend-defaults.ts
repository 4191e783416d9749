/** What a backend does that says nothing else. */
import type { Ejection, Retry, RetryBudget } from '../model/snapshot.ts'

export const defaultEjection: Ejection = {
  failures: 5,
  errors: 0,
  successRate: null,
  baseMs: 30_000,
  longestMs: 300_000,
  share: 0.5,
}

export const defaultPanic = 0.5

export const defaultRetry: Retry = {
  attempts: 2,
  when: null,
  backoffMs: 0,
  longestBackoffMs: 250,
  bufferBytes: 65_536,
  hedge: null,
}

export const defaultRetryBudget: RetryBudget = { ratio: 0.2, perSecond: 3 }
