/**
 * Finds shadowed routes, which no request reaches: equal routes, and routes whose every alternative is implied by an alternative that
 * precedes it. Results are certain; routes that only several others together shadow, and regular expressions, are not detected.
 * The order is that of candidates.ts.
 */
import { expressionText, toAlternatives, type Literal } from './alternatives.ts'
import { precedes } from './candidates.ts'
import { implies } from './implication.ts'
import type { Expression, TextMatcher } from './expression.ts'
import { matchesText } from './expression.ts'
import { placeAlternative } from './rule.ts'

export interface RouteToCheck {
  readonly id: string
  readonly expression: Expression
  readonly priority: number
  /** See `orderKey`; absent: the most specific route goes first. */
  readonly key?: string
}

export interface Shadowed {
  readonly id: string
  /** Those that take its requests, in no order. */
  readonly by: readonly string[]
  /** Both hold for the same requests. */
  readonly isSame: boolean
  readonly because: 'priority' | 'text' | 'host' | 'path' | 'terms' | 'id'
}

interface Place extends Omit<ReturnType<typeof placeAlternative>, 'further'> {
  readonly id: string
  readonly priority: number
  readonly key: string
  readonly literals: readonly Literal[]
  /** Those besides host and path. */
  readonly predicates: readonly Literal[]
}

/** Places of one host: by path, and those with a path that may hold for others. */
interface PlacesOfHost {
  readonly host: TextMatcher | undefined
  readonly byPath: Map<string, Place[]>
  readonly wide: Place[]
}

/** Of two places, and of their terms; a table that needs more is not looked at to its end. */
const MOST_COMPARISONS = 1_000_000
const MOST_EXPRESSIONS = 20_000

export function findShadowed(routes: readonly RouteToCheck[]): readonly Shadowed[] {
  const byHost = new Map<string, PlacesOfHost>()
  const texts = new Map<string, string>()
  const places = new Map<string, readonly Place[]>()
  for (const { id, expression, priority, key = '' } of routes) {
    const alternatives = toAlternatives(expression)
    texts.set(id, expressionText(alternatives))
    places.set(
      id,
      alternatives.map((literals) => {
        const { further, ...rest } = placeAlternative(literals)
        const place = { ...rest, id, priority, key, literals, predicates: further }
        addPlace(byHost, place)
        return place
      }),
    )
  }
  const find = createFinder(byHost)
  const found: Shadowed[] = []
  for (const { id } of routes) {
    const before: Place[] = []
    const own = places.get(id) ?? []
    for (const place of own) {
      const one = find(place)
      if (one === null) break
      before.push(one)
    }
    const [first] = own
    const [winner] = before
    if (before.length < own.length || first === undefined || winner === undefined) continue
    const by = [...new Set(before.map((one) => one.id))]
    const isSame = by.length === 1 && texts.get(by[0] ?? '') === texts.get(id)
    found.push({ id, by, isSame, because: whyBefore(winner, first) })
  }
  return found
}

function addPlace(byHost: Map<string, PlacesOfHost>, place: Place): void {
  const { host, path } = place
  const key = keyOf(host)
  const ofHost = byHost.get(key) ?? { host, byPath: new Map<string, Place[]>(), wide: [] }
  byHost.set(key, ofHost)
  const same = ofHost.byPath.get(keyOf(path))
  if (same === undefined) ofHost.byPath.set(keyOf(path), [place])
  else same.push(place)
  if (path?.kind === 'pattern' || path?.kind === 'regexp') ofHost.wide.push(place)
}

function keyOf(matcher: TextMatcher | undefined): string {
  return matcher === undefined ? '' : `${matcher.kind} ${matcher.text}`
}

/** Gives a place of another route that takes all that the place would. */
function createFinder(byHost: ReadonlyMap<string, PlacesOfHost>): (place: Place) => Place | null {
  // Beside its own host only hosts with a route that is raised can go before it; of those few are there as a rule.
  const wideHosts = [...byHost.values()]
    .filter(({ host }) => host?.kind !== 'literal')
    .map((ofHost) => ({ ofHost, most: highestOf(ofHost) }))
    .sort((one, other) => other.most - one.most)
  for (const { wide } of byHost.values()) wide.sort((one, other) => other.priority - one.priority)
  let left = MOST_COMPARISONS
  const budget = { comparisons: MOST_COMPARISONS, expressions: MOST_EXPRESSIONS }

  function findIn(ofHost: PlacesOfHost, place: Place): Place | null {
    for (const key of keysAround(place.path)) {
      for (const other of ofHost.byPath.get(key) ?? []) if (takes(other, place)) return other
    }
    if (place.path === undefined) return null
    for (const other of ofHost.wide) {
      // Of equal priority a pattern goes behind what it covers, unless both are the same.
      if (isBehind(other.priority, place) || left <= 0) return null
      if (takes(other, place)) return other
    }
    return null
  }

  function takes(other: Place, place: Place): boolean {
    left -= 1
    if (left <= 0 || other.id === place.id || !precedes(other, place)) return false
    return other.literals.every((literal) => implies(literal, place.literals, budget))
  }

  return (place) => {
    const own = byHost.get(keyOf(place.host))
    const found = own === undefined ? null : findIn(own, place)
    if (found !== null) return found
    for (const { ofHost, most } of wideHosts) {
      if (isBehind(most, place) || left <= 0) return null
      left -= 1
      if (ofHost === own || isElsewhere(ofHost.host, place.host)) continue
      const other = findIn(ofHost, place)
      if (other !== null) return other
    }
    return null
  }
}

/** A wider place of this priority goes behind what it covers. By their texts, it may go before. */
function isBehind(priority: number, { priority: own, key }: Place): boolean {
  return key === '' ? priority <= own : priority < own
}

function highestOf({ byPath }: PlacesOfHost): number {
  let most = -Infinity
  for (const places of byPath.values()) {
    for (const { priority } of places) if (priority > most) most = priority
  }
  return most
}

function isElsewhere(wide: TextMatcher | undefined, host: TextMatcher | undefined): boolean {
  if (wide === undefined) return false
  return host === undefined || (host.kind === 'literal' && !matchesText(wide, host.text))
}

/** The keys of paths that cover this one: itself, no path, and each prefix of its literal beginning. */
function keysAround(path: TextMatcher | undefined): string[] {
  const keys = [keyOf(path)]
  if (path === undefined) return keys
  keys.push(keyOf(undefined))
  const start = path.kind === 'pattern' ? path.elements[0] : path.kind === 'regexp' ? '' : path.text
  if (typeof start !== 'string') return keys
  for (let at = start.indexOf('/'); at >= 0; at = start.indexOf('/', at + 1)) {
    if (at > 0) keys.push(`prefix ${start.slice(0, at)}`)
    keys.push(`prefix ${start.slice(0, at + 1)}`)
  }
  if (path.kind === 'literal') keys.push(`prefix ${start}`)
  return keys
}

function whyBefore(one: Place, other: Place): Shadowed['because'] {
  if (one.priority !== other.priority) return 'priority'
  if (one.key !== other.key) return 'text'
  if (one.hostRank !== other.hostRank) return 'host'
  if (one.pathRank !== other.pathRank) return 'path'
  return one.predicates.length === other.predicates.length ? 'id' : 'terms'
}
