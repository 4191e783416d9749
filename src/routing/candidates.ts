/**
 * The routes at one place of the index, in order. Hot path: `find` runs for each request, so an entry is one flat object, and a single
 * entry needs no list.
 */
import type { TextMatcher } from './expression.ts'
import { matchesPath } from './expression.ts'
import type { Located } from './request.ts'
import type { Alternative, Predicate } from './rule.ts'

export interface Candidates<T, R extends Located> {
  /** The first entry that matches the request (or the connection) and precedes `best`; else `best`. */
  find(request: R, best: RouteEntry<T, R> | undefined): RouteEntry<T, R> | undefined
}

/** One alternative of a route. The caller has compared the host; the entry compares all the rest. */
export class RouteEntry<T, R extends Located> implements Candidates<T, R> {
  readonly id: string
  readonly value: T
  readonly priority: number
  readonly host: TextMatcher | undefined
  readonly path: TextMatcher | undefined
  readonly predicates: readonly Predicate<R>[]
  readonly hostRank: number
  readonly pathRank: number
  readonly key: string

  /** `key`: see Ordered. */
  constructor(id: string, priority: number, alternative: Alternative<R>, value: T, key = '') {
    this.id = id
    this.value = value
    this.priority = priority
    this.host = alternative.host
    this.path = alternative.path
    this.predicates = alternative.predicates
    this.hostRank = alternative.hostRank
    this.pathRank = alternative.pathRank
    this.key = key
  }

  find(request: R, best: RouteEntry<T, R> | undefined): RouteEntry<T, R> | undefined {
    return (best === undefined || precedes(this, best)) && this.holds(request) ? this : best
  }

  holds(request: R): boolean {
    if (this.path !== undefined && !matchesPath(this.path, request.path)) return false
    for (const predicate of this.predicates) if (!predicate(request)) return false
    return true
  }
}

/** What the order depends on. */
interface Ordered {
  readonly id: string
  readonly priority: number
  /** In vulcand's order the text of the route; else ''. */
  readonly key: string
  readonly hostRank: number
  readonly pathRank: number
  readonly predicates: { readonly length: number }
}

/** The order of routes, see docs/routes.md. Total except between two alternatives of one route, where it does not matter. */
export function precedes(one: Ordered, other: Ordered): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority
  if (one.key !== other.key) return one.key > other.key
  if (one.hostRank !== other.hostRank) return one.hostRank > other.hostRank
  if (one.pathRank !== other.pathRank) return one.pathRank > other.pathRank
  const gain = one.predicates.length - other.predicates.length
  return gain === 0 ? one.id < other.id : gain > 0
}

export class EntryList<T, R extends Located> implements Candidates<T, R> {
  /** First goes first. */
  readonly entries: RouteEntry<T, R>[]

  constructor(first: RouteEntry<T, R>, second: RouteEntry<T, R>) {
    this.entries = precedes(second, first) ? [second, first] : [first, second]
  }

  find(request: R, best: RouteEntry<T, R> | undefined): RouteEntry<T, R> | undefined {
    for (const entry of this.entries) {
      if (best !== undefined && !precedes(entry, best)) return best
      if (entry.holds(request)) return entry
    }
    return best
  }

  add(entry: RouteEntry<T, R>): void {
    this.entries.splice(this.#placeOf(entry), 0, entry)
  }

  remove(entry: RouteEntry<T, R>): void {
    this.entries.splice(this.entries.indexOf(entry, this.#placeOf(entry)), 1)
  }

  #placeOf(entry: RouteEntry<T, R>): number {
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
export type Slot<T, R extends Located> = RouteEntry<T, R> | EntryList<T, R> | undefined

export function addEntry<T, R extends Located>(
  slot: Slot<T, R>,
  entry: RouteEntry<T, R>,
): RouteEntry<T, R> | EntryList<T, R> {
  if (slot === undefined) return entry
  if (slot instanceof RouteEntry) return new EntryList(slot, entry)
  slot.add(entry)
  return slot
}

export function removeEntry<T, R extends Located>(
  slot: Slot<T, R>,
  entry: RouteEntry<T, R>,
): Slot<T, R> {
  if (slot === undefined || slot instanceof RouteEntry) return undefined
  slot.remove(entry)
  return slot.entries.length === 1 ? slot.entries[0] : slot
}
