/** A compiled route: each alternative with its place in the index and its remaining predicates. */
import type { Literal } from './alternatives.ts'
import { toAlternatives } from './alternatives.ts'
import type { Expression, Matcher, Subject, Term, TextMatcher } from './expression.ts'
import { matchesPath, matchesText } from './expression.ts'
import { compileNetworks } from '../model/ip.ts'
import { hostRank, pathRank } from './rank.ts'
import type { RoutableRequest } from './request.ts'

export interface Rule {
  /** A route that names none has 0. */
  readonly priority: number
  readonly alternatives: readonly Alternative<RoutableRequest>[]
}

export interface Alternative<R> {
  readonly host: TextMatcher | undefined
  readonly path: TextMatcher | undefined
  /** All of them must hold; what costs least comes first. */
  readonly predicates: readonly Predicate<R>[]
  readonly hostRank: number
  readonly pathRank: number
}

export type Predicate<R> = (request: R) => boolean
type CompileTerm<R> = (term: Term) => Predicate<R>

export function compileRule(expression: Expression, priority: number | null): Rule {
  if (priority !== null && !Number.isFinite(priority)) {
    throw new RangeError(`cannot order a route by the priority ${priority}: it is no finite number`)
  }
  return {
    priority: priority ?? 0,
    alternatives: toAlternatives(expression).map((literals) =>
      compileAlternative(literals, compileRequestTerm),
    ),
  }
}

/** The rank of an alternative, and its predicates besides host and path. */
export function placeAlternative(
  literals: readonly Literal[],
): Omit<Alternative<never>, 'predicates'> & { readonly further: Literal[] } {
  const host = mostSpecific(literals, 'host', hostRank)
  const path = mostSpecific(literals, 'path', pathRank)
  const hostMatcher = textMatcher(host)
  const pathMatcher = textMatcher(path)
  return {
    host: hostMatcher,
    path: pathMatcher,
    hostRank: hostRank(hostMatcher),
    pathRank: pathRank(pathMatcher),
    further: literals.filter((literal) => literal !== host && literal !== path),
  }
}

export function compileAlternative<R>(
  literals: readonly Literal[],
  compileTerm: CompileTerm<R>,
): Alternative<R> {
  const { host, path, hostRank, pathRank, further } = placeAlternative(literals)
  const predicates =
    further.length === 0
      ? NO_PREDICATES
      : further.sort(byCost).map((literal) => compilePredicate(literal, compileTerm))
  return { host, path, predicates, hostRank, pathRank }
}

const NO_PREDICATES: readonly Predicate<unknown>[] = []

// The others about the same subject become further predicates. Among equals any will do: rank and result are the same.
function mostSpecific(
  literals: readonly Literal[],
  subject: Subject,
  rank: (matcher: TextMatcher | undefined) => number,
): Literal | undefined {
  let best: Literal | undefined
  for (const literal of literals) {
    if (literal.negated || literal.term.subject !== subject) continue
    if (best === undefined || rank(textMatcher(literal)) > rank(textMatcher(best))) best = literal
  }
  return best
}

function textMatcher(literal: Literal | undefined): TextMatcher | undefined {
  return literal?.term.values.find(isTextMatcher)
}

export function isTextMatcher(matcher: Matcher): matcher is TextMatcher {
  return matcher.kind !== 'network' && matcher.kind !== 'present'
}

function byCost(one: Literal, other: Literal): number {
  return COSTS[one.term.subject] - COSTS[other.term.subject]
}

const COSTS: Readonly<Record<Subject, number>> = {
  listener: 0,
  method: 1,
  host: 2,
  path: 3,
  header: 4,
  query: 5,
  clientIp: 6,
  alpn: 3,
}

function compilePredicate<R>(
  { term, negated }: Literal,
  compileTerm: CompileTerm<R>,
): Predicate<R> {
  const holds = compileTerm(term)
  return negated ? (request) => !holds(request) : holds
}

function compileRequestTerm({ subject, name, values }: Term): Predicate<RoutableRequest> {
  const matchers = values.filter(isTextMatcher)
  const matchesAny = (text: string): boolean =>
    matchers.some((matcher) => matchesText(matcher, text))
  switch (subject) {
    case 'host':
      return (request) => matchesAny(request.host)
    case 'path':
      return (request) => matchers.some((matcher) => matchesPath(matcher, request.path))
    case 'method':
      return (request) => matchesAny(request.method)
    case 'listener': {
      const id = matchers[0]?.text
      return (request) => request.listener === id
    }
    case 'header': {
      // As in vulcand, a missing field has the empty value.
      const test = matchers.some(({ text }) => NOT_ASCII.test(text))
        ? (value: string) => matchesAny(value) || matchesAny(readUtf8(value))
        : matchesAny
      return (request) => request.fieldHolds(name, test)
    }
    case 'query':
      return compileQuery(name, matchers[0]?.text)
    case 'clientIp': {
      const contains = compileNetworks(values.map((value) => value.text))
      return (request) => contains(request.clientIp)
    }
    // Of connections only.
    case 'alpn':
      return () => false
    default:
      return subject satisfies never
  }
}

const NOT_ASCII = /[^\x00-\x7f]/

/** A field's bytes, which come as latin1, as the text that routes are written in. */
function readUtf8(value: string): string {
  return Buffer.from(value, 'latin1').toString()
}

function compileQuery(name: string, value: string | undefined): Predicate<RoutableRequest> {
  return ({ query }) => query !== '' && new URLSearchParams(query).has(name, value)
}
