/** How long a response asks to wait (RFC 9110 section 10.2.3). */
import type { IncomingHttpHeaders } from 'node:http'

const MAX_MS = 30 * 86_400_000

/** Null: it does not say. A date counts from the server's own Date, so that its clock may differ from this one (`now`). */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | null {
  const written = headers['retry-after']?.trim() ?? ''
  if (/^\d{1,10}$/.test(written)) return Math.min(Number(written) * 1000, MAX_MS)
  const until = Date.parse(written)
  if (Number.isNaN(until)) return null
  const sent = Date.parse(headers.date ?? '')
  return Math.min(Math.max(until - (Number.isNaN(sent) ? now : sent), 0), MAX_MS)
}
