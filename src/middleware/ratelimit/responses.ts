/** Responses of a rate limit, as vulcand's, and the fields of draft-ietf-httpapi-ratelimit-headers-06. */
import type { ResponseHead } from '../../http/message/response-head.ts'
import type { LocalResponse } from '../../http/message/local-response.ts'
import { fieldValue, withoutFields } from '../../http/message/fields.ts'
import type { RateDecision } from '../../policy/limiting/rate-limit.ts'

const FIELDS = new Set(['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'])
const PLAIN = 'text/plain; charset=utf-8'

export function tooManyRequests(decision: RateDecision, withFields: boolean): LocalResponse {
  const { rate, retryAfterMs } = decision
  const ms = Math.max(1, Math.ceil(retryAfterMs))
  const retryIn = formatGoDuration(ms)
  const message = `max rate reached: retry-in ${retryIn}`
  const fields = `Retry-After: ${Math.ceil(ms / 1000)}\r\nX-Retry-In: ${retryIn}\r\n`
  return {
    status: 429,
    reason: 'RATE_LIMITED',
    detail: `more than ${rate.requests} requests in ${formatGoDuration(rate.periodMs)} (burst ${rate.burst})`,
    fields: withFields ? fields + rateFields(decision) : fields,
    contentType: PLAIN,
    body: Buffer.from(message),
    message,
  }
}

/** `onFailure: deny`. It is not the client's fault. */
export const UNDECIDED: LocalResponse = {
  status: 503,
  reason: 'RATE_LIMITED',
  detail: 'the rate limit cannot be decided now',
  fields: 'Retry-After: 1\r\n',
  contentType: PLAIN,
  body: Buffer.from('the rate limit cannot be decided now'),
  message: 'the rate limit cannot be decided now',
}

/** If there are several limits (one may be the server's own), the fields are those of the limit with the least remaining. */
export function addRateFields(head: ResponseHead, decision: RateDecision): void {
  const present = fieldValue(head.fields, 'ratelimit-remaining')
  if (present !== undefined) {
    const least = Math.min(...present.split(',').map(Number))
    if (least < decision.remaining) return
    head.fields = withoutFields(head.fields, FIELDS)
  }
  head.fields += rateFields(decision)
}

function rateFields({ rate, remaining, resetMs }: RateDecision): string {
  const reset = Math.ceil(resetMs / 1000)
  return `RateLimit-Limit: ${rate.burst}\r\nRateLimit-Remaining: ${remaining}\r\nRateLimit-Reset: ${reset}\r\n`
}

/** A duration of whole ms in Go's format: `10s`, `1.5s`, `2m0s`, `1h0m0.5s`, `250ms`. */
export function formatGoDuration(ms: number): string {
  if (ms < 1000) return ms === 0 ? '0s' : `${ms}ms`
  const seconds = `${(ms % 60_000) / 1000}s`
  if (ms < 60_000) return seconds
  const minutes = Math.floor(ms / 60_000)
  return minutes < 60
    ? `${minutes}m${seconds}`
    : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`
}
