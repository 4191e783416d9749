/** The scope of a listener: a route's expression that decides which requests it serves. */
import type { Exchange } from '../http/exchange.ts'
import { RoutingTable } from '../routing/table.ts'

/** An admitted expression: one that does not parse throws. */
export function compileScope(
  listener: string,
  expression: string,
): (exchange: Exchange) => boolean {
  const table = new RoutingTable<true>()
  table.upsert(`the scope of ${listener}`, expression, null, true)
  return (exchange) => table.match(exchange) === true
}
