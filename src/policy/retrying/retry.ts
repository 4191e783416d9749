/** When a request is sent to a server again, and how long to wait before: what `Retry` declares, compiled. */
import type { ErrorKind } from '../../http/errors.ts'
import type { Hedge, Retry } from '../../model/snapshot.ts'
import { type RetryPredicate, parseRetryPredicate } from './retry-predicate.ts'

/** vulcand's: whatever a predicate says. */
export const MAX_ATTEMPTS = 11

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

export interface RetryPolicy {
  /** In all, the first included. */
  readonly attempts: number
  /** Tried servers may be tried once more, where there is no other: it waits before, or was told to by a predicate. */
  readonly canRepeatServer: boolean
  /** Whether answers are judged, too, not only failures. */
  readonly judgesResponses: boolean
  readonly bufferBytes: number
  readonly hedge: Hedge | null
  /**
   * Whether to send again after so many attempts, the last of which came to this status. `retry`: what its error says of
   * itself (see http/errors.ts), null for an answer.
   */
  allows(attempt: Parameters<RetryPredicate>[0], retry: ErrorKind['retry'] | null): boolean
  /** Before attempt number `next`, 2 or more. `chance` is from 0 up to 1. */
  backoffMs(next: number, chance: number): number
}

export function compileRetry(retry: Retry): RetryPolicy {
  const { when, backoffMs, longestBackoffMs, bufferBytes, hedge } = retry
  const attempts = Math.min(retry.attempts, MAX_ATTEMPTS)
  const predicate = when === null ? null : compilePredicate(when)
  return {
    attempts,
    canRepeatServer: predicate !== null || backoffMs > 0,
    judgesResponses: predicate !== null,
    allows(attempt, error) {
      if (attempt.attempts >= attempts) return false
      if (predicate !== null) return predicate(attempt)
      return error === 'always' || (error === 'idempotent' && isIdempotent(attempt.method))
    },
    bufferBytes,
    hedge,
    backoffMs(next, chance) {
      if (backoffMs === 0) return 0
      const longest = Math.min(longestBackoffMs, backoffMs * 2 ** (next - 2))
      // Half of it by chance, so that those who failed together do not come back together.
      return longest * (0.5 + chance / 2)
    },
  }
}

/** RFC 9110 section 9.2.2. */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method)
}

function compilePredicate(text: string): RetryPredicate {
  const parsed = parseRetryPredicate(text)
  if (parsed.ok) return parsed.predicate
  throw new Error(`the retry predicate ${JSON.stringify(text)} was admitted: ${parsed.message}`)
}
