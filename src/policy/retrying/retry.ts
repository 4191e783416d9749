/** When a request is retried, and how long to wait before: the compiled form of `Retry`. */
import { exponentialBackoff } from '../../model/backoff.ts'
import type { ErrorKind } from '../../http/message/errors.ts'
import type { Hedge, Retry } from '../../model/snapshot.ts'
import { type RetryPredicate, parseRetryPredicate } from './retry-predicate.ts'

/** vulcand's limit, independent of the predicate. */
export const MAX_ATTEMPTS = 11
/** Of a request's body, kept for further attempts. */
export const MAX_BUFFER_BYTES: number = 16 * 1024 ** 2

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

export interface RetryPolicy {
  /** Including the first one. */
  readonly attempts: number
  /** Servers that were tried may be tried again if there is no other: there is a backoff, or a predicate decides. */
  readonly canRepeatServer: boolean
  /** The predicate also decides about responses, not only about failures. */
  readonly judgesResponses: boolean
  readonly bufferBytes: number
  readonly hedge: Hedge | null
  /**
   * Whether to retry after so many attempts, the last of which ended with this status. `retry`: what its error says about
   * itself (see http/message/errors.ts), null for a response.
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
      const longest = exponentialBackoff(backoffMs, next - 2, longestBackoffMs)
      // Half of it is random, so that requests that failed together are not retried together.
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
