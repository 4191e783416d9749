/** A path with two readings or spellings, once its route is known: what is forwarded of it, or why it is refused. */
import { ExchangeError } from '../http/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { decodedReadings, forwardedPath } from '../http/path-policy.ts'
import { Route } from './route.ts'

/**
 * `found` is what `find` answered: a route, or why there is none. Null: the exchange goes on, its target made. What is refused
 * ends its connection, as a head does that cannot be read in one way.
 */
export function resolveAmbiguousPath(
  exchange: Exchange,
  found: Route | string,
  find: (exchange: Exchange) => Route | string,
): ExchangeError | null {
  const { to } = exchange
  const { doubtful } = to
  if (doubtful === null) return null
  const route = found instanceof Route ? found : null
  const policy = route?.paths ?? doubtful.policy
  const verdict = forwardedPath(doubtful, policy)
  if ('refused' in verdict) return refuse(exchange, verdict.refused)
  // A server may decode `/private%2fx` before it looks for segments: then a rule on /private has to have held for it.
  if (policy !== 'reject' && route !== null) {
    for (const path of decodedReadings(doubtful)) {
      exchange.to = { ...to, path }
      if (find(exchange) !== route)
        return refuse(exchange, 'the path leads to one route as it is and to another one decoded')
    }
  }
  const mark = to.target.indexOf('?')
  const query = mark < 0 ? '' : to.target.slice(mark)
  exchange.to = { ...to, target: verdict.path + query, doubtful: null }
  return null
}

function refuse(exchange: Exchange, detail: string): ExchangeError {
  exchange.head.keepAlive = false
  return new ExchangeError('AMBIGUOUS_PATH', detail)
}
