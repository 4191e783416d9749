/** When a CA suggests to renew (RFC 9773 section 4). */
import { wordsOf } from './problem.ts'
import { createReader } from './read-resources.ts'
import type { RenewalInfo } from './resources.ts'

// RFC 9773 section 4.3.2: clients set bounds of their own.
const [SHORTEST_MS, USUAL_MS, LONGEST_MS] = [60_000, 6 * 3_600_000, 86_400_000]

/** Throws AcmeError for a window without a length, which says nothing (section 4.2). */
export function readRenewalInfo(
  document: unknown,
  retryAfterMs: number | null,
  what: string,
  who: string,
): RenewalInfo {
  const reader = createReader(document, what, who)
  const window = createReader(reader.map('suggestedWindow'), what, who)
  const [start, end] = [window.time('start'), window.time('end')]
  if (start === null || end === null) throw reader.fail('its window has no start or no end')
  if (end <= start) throw reader.fail('its window ends before it starts')
  return {
    start,
    end,
    explanationUrl: wordsOf(reader.optionalText('explanationURL')),
    retryAfterMs: Math.min(Math.max(retryAfterMs ?? USUAL_MS, SHORTEST_MS), LONGEST_MS),
  }
}
