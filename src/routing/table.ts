/**
 * The routing table. It is changed in place between requests: a change touches only what it names, and the cost of a match does not
 * depend on the number of routes.
 */
import { RouteEntry } from './candidates.ts'
import type { Expression } from './expression.ts'
import type { RouteOrder } from '../model/settings.ts'
import type { RouteProtocol } from './functions.ts'
import { HostIndex } from './host-index.ts'
import { parseRoute } from './parse.ts'
import type { RoutableRequest } from './request.ts'
import { compileRule } from './rule.ts'

export class RoutingTable<T> {
  readonly #index: HostIndex<T, RoutableRequest>
  readonly #order: RouteOrder
  readonly #routes = new Map<string, RouteEntries<T>>()

  constructor(order: RouteOrder = 'specific') {
    this.#order = order
    this.#index = new HostIndex(order === 'specific')
  }

  get size(): number {
    return this.#routes.size
  }

  match(request: RoutableRequest): T | undefined {
    return this.#index.find(request)?.value
  }

  /** `route` must have been admitted: throws, before any change, if it does not parse. */
  upsert(id: string, route: string | Expression, priority: number | null, value: T): void {
    const expression = typeof route === 'string' ? parseAdmitted(id, route) : route
    const { priority: rank, alternatives } = compileRule(expression, priority)
    const key = orderKey(this.#order, route)
    const entries = alternatives.map(
      (alternative) => new RouteEntry(id, rank, alternative, value, key),
    )
    const former = this.#routes.get(id)
    // New entries first, so that a host that stays keeps its place in the map, which would otherwise be rebuilt from time to time.
    for (const entry of entries) this.#index.add(entry)
    this.#routes.set(id, entries.length === 1 && entries[0] !== undefined ? entries[0] : entries)
    this.#remove(former)
  }

  delete(id: string): void {
    const former = this.#routes.get(id)
    this.#routes.delete(id)
    this.#remove(former)
  }

  #remove(former: RouteEntries<T> | undefined): void {
    if (former instanceof RouteEntry) this.#index.remove(former)
    else for (const entry of former ?? []) this.#index.remove(entry)
  }
}

/** What the order compares before all else but the priority: in vulcand's, the text of the route as bytes. */
export function orderKey(order: RouteOrder, route: string | Expression): string {
  if (order === 'specific' || typeof route !== 'string') return ''
  return NOT_ASCII.test(route) ? Buffer.from(route).toString('latin1') : route
}

const NOT_ASCII = /[^\x00-\x7f]/

/** One for each alternative; most routes have only one. */
type RouteEntries<T> = RouteEntry<T, RoutableRequest> | readonly RouteEntry<T, RoutableRequest>[]

export function parseAdmitted(
  id: string,
  text: string,
  protocol: RouteProtocol = 'http',
): Expression {
  const parsed = parseRoute(text, protocol)
  if (parsed.ok) return parsed.expression
  throw new Error(`cannot route "${id}": ${parsed.message} (at ${parsed.position} of ${text})`)
}
