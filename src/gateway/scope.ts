/** A listener's scope, live: a route expression that its requests have to match before any route is looked at. */
import type { RoutableRequest } from '../routing/request.ts'
import { RoutingTable } from '../routing/table.ts'

export type Scope = (request: RoutableRequest) => boolean

/** The expression has been admitted; one that does not parse is an error of the caller. */
export function compileScope(listener: string, expression: string): Scope {
  const table = new RoutingTable<true>()
  table.upsert(`the scope of ${listener}`, expression, null, true)
  return (request) => table.match(request) === true
}
