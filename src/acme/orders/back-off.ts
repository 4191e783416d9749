/** When a name is tried again with an issuer that failed. It is kept in the registry: a program that restarts does not begin anew. */
import { DAY_MS } from '../../model/units.ts'
import type { Failure } from '../storage/records.ts'

const MINUTE_MS = 60_000
/** As Let's Encrypt recommends: its limits are of an hour (failed authorizations) and of a week. */
const AFTER_REFUSALS = [1, 10, 100, 24 * 60].map((minutes) => minutes * MINUTE_MS)
/** An issuer that did not get so far counts no order. */
const AFTER_LOSS = [1, 2, 5, 10, 30, 60].map((minutes) => minutes * MINUTE_MS)
const LOSSES: ReadonlySet<string> = new Set([
  ...['unreachable', 'timeout', 'malformedResponse', 'serverInternal', 'badNonce'],
])
const JITTER = 0.1
const LONGEST_MS = 7 * DAY_MS
const MAX_DETAIL = 1000

export interface Refusal {
  readonly type: string
  readonly detail: string
  /** What the issuer asks for; null: nothing. */
  readonly retryAfterMs: number | null
}

/** `now`: ms since the epoch. `chance`: from 0 up to 1. */
export function nextFailure(
  before: Failure | undefined,
  { type, detail, retryAfterMs }: Refusal,
  now: number,
  chance: number,
): Failure {
  const count = (before?.count ?? 0) + 1
  const steps = LOSSES.has(type) ? AFTER_LOSS : AFTER_REFUSALS
  const waitMs = (steps[Math.min(count, steps.length) - 1] ?? DAY_MS) * (1 + JITTER * chance)
  const asked = Math.min(retryAfterMs ?? 0, LONGEST_MS)
  const retryAt = Math.round(now + Math.max(waitMs, asked))
  return { count, at: now, retryAt, type, detail: detail.slice(0, MAX_DETAIL) }
}
