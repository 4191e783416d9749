/**
 * The routes at one place of the index, in order. Hot path: `find` runs for each request, so an entry is one flat object, and a single
 * entry needs no list.
 */
import type { TextMatcher } from './expression.ts'
import { matchesPath } from './expression.ts'
import type { RoutableRequest } from './request.ts'
import type { Alternative, Predicate } from './rule.ts'

export interface Candidates<T> {
  /** The first entry that matches the request and precedes `best`; else `best`. */
  find(request: RoutableRequest, best: RouteEntry<T> | undefined): RouteEntry<T> | undefined
}

/** One alternative of a route. The caller has compared the host; the entry compares all the rest. */
export class RouteEntry<T> implements Candidates<T> {
  readonly id: string
  readonly value: T
  readonly priority: number
  readonly host: TextMatcher | undefined
  readonly path: TextMatcher | undefined
  readonly predicates: readonly Predicate[]
  readonly hostRank: number
  readonly pathRank: number

  constructor(id: string, priority: number, alternative: Alternative, value: T) {
    this.id = id
    this.value = value
    this.priority = priority
    this.host = alternative.host
    this.path = alternative.path
    this.predicates = alternative.predicates
    this.hostRank = alternative.hostRank
    this.pathRank = alternative.pathRank
  }

  find(request: RoutableRequest, best: RouteEntry<T> | undefined): RouteEntry<T> | undefined {
    return (best === undefined || precedes(this, best)) && this.holds(request) ? this : best
  }

  holds(request: RoutableRequest): boolean {
    if (this.path !== undefined && !matchesPath(this.path, request.path)) return false
    for (const predicate of this.predicates) if (!predicate(request)) return false
    return true
  }
}

/** What the order depends on. */
interface Ordered {
  readonly id: string
  readonly priority: number
  readonly hostRank: number
  readonly pathRank: number
  readonly predicates: { readonly length: number }
}

/** The order of routes, see docs/routes.md. Total except between two alternatives of one route, where it does not matter. */
export function precedes(one: Ordered, other: Ordered): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority
  if (one.hostRank !== other.hostRank) return one.hostRank > other.hostRank
  if (one.pathRank !== other.pathRank) return one.pathRank > other.pathRank
  const gain = one.predicates.length - other.predicates.length
  return gain === 0 ? one.id < other.id : gain > 0
}

export class EntryList<T> implements Candidates<T> {
  /** First goes first. */
  readonly entries: RouteEntry<T>[]

  constructor(first: RouteEntry<T>, second: RouteEntry<T>) {
    this.entries = precedes(second, first) ? [second, first] : [first, second]
  }

  find(request: RoutableRequest, best: RouteEntry<T> | undefined): RouteEntry<T> | undefined {
    for (const entry of this.entries) {
      if (best !== undefined && !precedes(entry, best)) return best
      if (entry.holds(request)) return entry
    }
    return best
  }

  add(entry: RouteEntry<T>): void {
    this.entries.splice(this.#placeOf(entry), 0, entry)
  }

  remove(entry: RouteEntry<T>): void {
    this.entries.splice(this.entries.indexOf(entry, this.#placeOf(entry)), 1)
  }

  #placeOf(entry: RouteEntry<T>): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const there = this.entries[middle]
      if (there !== undefined && precedes(there, entry)) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Nothing, one, or several. */
export type Slot<T> = RouteEntry<T> | EntryList<T> | undefined

export function addEntry<T>(slot: Slot<T>, entry: RouteEntry<T>): RouteEntry<T> | EntryList<T> {
  if (slot === undefined) return entry
  if (slot instanceof RouteEntry) return new EntryList(slot, entry)
  slot.add(entry)
  return slot
}

export function removeEntry<T>(slot: Slot<T>, entry: RouteEntry<T>): Slot<T> {
  if (slot === undefined || slot instanceof RouteEntry) return undefined
  slot.remove(entry)
  return slot.entries.length === 1 ? slot.entries[0] : slot
}
