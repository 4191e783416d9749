/**
 * `redirect: https` of a listener: clients are sent to the same host, path and query with https, before any route. The host is
 * that of the Host field, whose grammar `http/message/authority.ts` has checked, so that no link leads a client elsewhere.
 */
import type { Exchange } from '../http/exchange.ts'
import type { LocalResponse } from '../http/message/local-response.ts'
import { compileLocation } from '../middleware/location.ts'
import { redirectTo } from '../middleware/redirect.ts'
import type { HttpsRedirect } from '../model/snapshot.ts'

const HTTPS_PORT = 443
/** Of methods other than GET and HEAD, which clients keep with these statuses (RFC 9110 section 15.4). */
const [MOVED, FOUND, TEMPORARY, PERMANENT] = [301, 302, 307, 308] as const

/** Returns null for a request that came by https, to a trusted proxy in front that says so. */
export function compileHttpsRedirect({
  port,
  permanent,
}: HttpsRedirect): (exchange: Exchange) => LocalResponse | null {
  const suffix = port === null || port === HTTPS_PORT ? '' : `:${port}`
  const locationOf = compileLocation(`https://{host}${suffix}{uri}`)
  const [ofRead, ofOthers] = permanent ? [MOVED, PERMANENT] : [FOUND, TEMPORARY]
  return (exchange) => {
    if (exchange.clientScheme === 'https') return null
    const { method } = exchange
    const status = method === 'GET' || method === 'HEAD' ? ofRead : ofOthers
    return redirectTo(locationOf(exchange), status)
  }
}
