/**
 * Which requests take another route in vulcand. It sorts routes by their text, the last in the order of bytes first, and the first
 * that matches takes the request; Sluice takes the most specific one. For two routes in another order, a request that both
 * match is looked for, and shown.
 */
import { quote } from '../../model/parsed.ts'
import { toAlternatives, type Literal } from '../../routing/alternatives.ts'
import { parseRoute } from '../../routing/parse.ts'
import { INT } from '../../routing/pattern.ts'
import type { RoutableRequest } from '../../routing/request.ts'
import { RoutingTable } from '../../routing/table.ts'
import type { Row } from '../from/rows.ts'
import { commonRequest, describeRequest } from './common-request.ts'

export interface VulcandRoute {
  readonly id: string
  /** Of the registry. */
  readonly key: string
  readonly route: string
}

interface ParsedRoute extends VulcandRoute {
  /** vulcand's routes have one alternative. */
  readonly literals: readonly Literal[]
  readonly matches: (request: RoutableRequest) => boolean
}

/** Pairs that are looked at, so that a large table does not take minutes. */
const MAX_PAIRS = 500_000

export function compareRoutes(declared: readonly VulcandRoute[]): readonly Row[] {
  const routes = declared.flatMap(parse)
  return [...sameTexts(routes), ...routes.flatMap(ofOne), ...orders(routes), ...merged(routes)]
}

function parse(one: VulcandRoute): readonly ParsedRoute[] {
  const parsed = parseRoute(one.route)
  if (!parsed.ok) return []
  const [literals, ...more] = toAlternatives(parsed.expression)
  if (literals === undefined || more.length > 0) return []
  const table = new RoutingTable<true>()
  table.upsert(one.id, parsed.expression, null, true)
  return [{ ...one, literals, matches: (request) => table.match(request) === true }]
}

function sameTexts(routes: readonly ParsedRoute[]): readonly Row[] {
  return [...Map.groupBy(routes, ({ route }) => route).values()].flatMap(([first, ...others]) =>
    others.map(({ id, key }): Row => {
      const both = `has the route of frontend ${quote(first?.id)}: vulcand has one route for both, of the frontend that was written last, and loses it with either`
      const text = `frontend ${id}: ${both}; in Sluice the id decides, unless one has a priority`
      return { verdict: 'differs', place: key, text }
    }),
  )
}

/** What one route means otherwise in vulcand. */
function ofOne({ id, key, route, literals }: ParsedRoute): readonly Row[] {
  const rows: Row[] = []
  const differs = (text: string): void =>
    void rows.push({ verdict: 'differs', place: key, text: `frontend ${id}: ${text}` })
  for (const { term } of literals) {
    const [matcher] = term.values
    if (matcher?.kind === 'pattern' && matcher.elements.at(-1) === INT) {
      differs(`${quote(matcher.text)} ends in <int:...>, which matches nothing in vulcand (404)`)
    }
  }
  const [, classes] = /\bHostRegexp\([^)]*(\\[A-Z])/.exec(route) ?? []
  if (classes !== undefined) {
    const lower = classes.toLowerCase()
    differs(`HostRegexp: vulcand reads ${classes} as ${lower}, because it lowers the expression`)
  }
  return rows
}

/** Pairs that match a request in common, of which vulcand takes another one. */
function orders(routes: readonly ParsedRoute[]): readonly Row[] {
  const table = new RoutingTable<ParsedRoute>()
  for (const one of routes) table.upsert(one.id, one.route, null, one)
  const sorted = routes.toSorted((one, other) => Buffer.compare(bytes(other), bytes(one)))
  const rank = new Map(sorted.map((one, at) => [one, at]))
  const byHost = Map.groupBy(sorted, hostOf)
  const anywhere = byHost.get(null) ?? []
  const rows: Row[] = []
  let pairs = 0
  for (const [host, here] of byHost) {
    const others = host === null ? [] : anywhere
    for (const [at, first] of here.entries()) {
      for (const second of [...here.slice(at + 1), ...others]) {
        pairs += 1
        if (pairs > MAX_PAIRS) return [...rows, tooMany(routes.length)]
        const request = commonRequest(first.literals, second.literals)
        if (request === null) continue
        const taken = table.match(request)
        const other = taken === first ? second : first
        // If a third route takes it, in either order, another pair shows that.
        if (taken !== first && taken !== second) continue
        if ((rank.get(other) ?? 0) > (rank.get(taken) ?? 0)) continue
        if (sorted.find((one) => one.matches(request)) !== other) continue
        rows.push(otherOrder(other, taken, request))
      }
    }
  }
  return rows
}

function bytes({ route }: ParsedRoute): Buffer {
  return Buffer.from(route)
}

/** Null: it is of several hosts, or of all. */
function hostOf({ literals }: ParsedRoute): string | null {
  const host = literals.find(({ term }) => term.subject === 'host')?.term.values[0]
  return host?.kind === 'literal' ? host.text : null
}

function otherOrder(before: ParsedRoute, taken: ParsedRoute, request: RoutableRequest): Row {
  const what = describeRequest(request)
  const text = `frontend ${before.id}: takes ${what} in vulcand, because its text comes last; in Sluice frontend ${quote(taken.id)} takes it, which is more specific`
  return { verdict: 'differs', place: before.key, text }
}

function tooMany(count: number): Row {
  return {
    verdict: 'note',
    place: 'all of it',
    text: `${count} routes are too many to compare the order of all pairs: ${MAX_PAIRS} were compared`,
  }
}

/**
 * vulcand merges routes whose comparisons begin alike; if they go on with other comparisons, adding the second makes the first
 * unreachable.
 */
function merged(routes: readonly ParsedRoute[]): readonly Row[] {
  const tries = routes.filter(({ literals }) =>
    literals.every(({ term }) => term.values.every(({ kind }) => kind !== 'regexp')),
  )
  const heads = Map.groupBy(tries, ({ literals }) => {
    const [first] = literals
    return first === undefined ? '' : `${first.term.subject} ${first.term.values[0]?.text ?? ''}`
  })
  return [...heads.values()].flatMap((group) =>
    group.flatMap((one): Row[] => {
      const other = group.find((next) => next !== one && isOtherShape(one, next))
      if (other === undefined) return []
      const text = `frontend ${one.id}: may be unreachable in vulcand (404) while frontend ${quote(other.id)} exists, whose route begins alike; Sluice serves both`
      return [{ verdict: 'note', place: one.key, text }]
    }),
  )
}

/** Neither sequence of comparisons is the beginning of the other. */
function isOtherShape(one: ParsedRoute, other: ParsedRoute): boolean {
  const [shape, otherShape] = [shapeOf(one), shapeOf(other)]
  return !shape.startsWith(otherShape) && !otherShape.startsWith(shape)
}

function shapeOf({ literals }: ParsedRoute): string {
  return literals.map(({ term }) => `${term.subject} `).join('')
}
