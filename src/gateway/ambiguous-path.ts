/** A path that can be read in two ways, once its route is known: what of it is forwarded, or why it is refused. */
import { ExchangeError } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { decodedReadings, forwardedPath } from '../http/message/path-policy.ts'
import { Route } from './route.ts'

/**
 * Sets the target that is forwarded, and returns null, or the error. `found` is the result of `find`: a route, or why there is
 * none. A refusal ends the connection, as for every head that is ambiguous.
 */
export function resolveAmbiguousPath(
  exchange: Exchange,
  found: Route | string,
  find: (exchange: Exchange) => Route | string,
): ExchangeError | null {
  const { to } = exchange
  const { ambiguous } = to
  if (ambiguous === null) return null
  const route = found instanceof Route ? found : null
  const policy = route?.paths ?? ambiguous.policy
  const forwarded = forwardedPath(ambiguous, policy)
  if ('refused' in forwarded) return refuse(exchange, forwarded.refused)
  // A server may decode `/private%2fx` before it splits the path into segments. A rule on /private must then have applied.
  if (policy !== 'reject' && route !== null) {
    for (const path of decodedReadings(ambiguous)) {
      exchange.to = { ...to, path }
      if (find(exchange) !== route)
        return refuse(exchange, 'the path leads to one route as it is and to another one decoded')
    }
  }
  const mark = to.target.indexOf('?')
  const query = mark < 0 ? '' : to.target.slice(mark)
  exchange.to = { ...to, target: forwarded.path + query, ambiguous: null }
  return null
}

function refuse(exchange: Exchange, detail: string): ExchangeError {
  exchange.head.keepAlive = false
  return new ExchangeError('AMBIGUOUS_PATH', detail)
}
