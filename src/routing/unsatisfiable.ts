/**
 * Finds routes that no request can match, which are reported as mistakes. Results are certain; regular expressions that exclude each
 * other are not detected, and the search is bounded.
 */
import { contains, isWithin, type Network, parseNetwork } from '../model/ip.ts'
import { type Literal, toAlternatives } from './alternatives.ts'
import { type Budget, isCovered, misses } from './implication.ts'
import type { Expression, Matcher, Subject } from './expression.ts'

/** Why no request can match the expression; null: one may. */
export function whyNever(expression: Expression): string | null {
  const budget = { comparisons: 10_000, expressions: 32 }
  let first: string | null = null
  for (const literals of toAlternatives(expression)) {
    const why = whyNeverAll(literals, budget)
    if (why === null) return null
    first ??= why
  }
  return first
}

function whyNeverAll(literals: readonly Literal[], budget: Budget): string | null {
  const seen = new Map<string, Literal[]>()
  for (const literal of literals) {
    const why = literal.negated ? whyNeverNot(literal) : whyNeverOne(literal)
    if (why !== null) return why
    const { subject, name } = literal.term
    const key = `${subject} ${name}`
    const known = seen.get(key)
    if (known === undefined) seen.set(key, [literal])
    else known.push(literal)
  }
  for (const same of seen.values()) {
    if (same.length > 1 && excludeEachOther(same, budget))
      return `no ${wordsOf(same)} meets all conditions`
  }
  return null
}

// One condition alone.

function whyNeverOne({ term: { subject, name, values } }: Literal): string | null {
  let why: string | null = null
  for (const value of values) {
    why = subject === 'path' ? neverAPath(value) : subject === 'header' ? neverAField(value) : null
    if (why === null) return null
  }
  return subject === 'header' ? `the header "${name}" ${why}` : why
}

function whyNeverNot({ term: { subject, values } }: Literal): string | null {
  const isAny = subject === 'host' && values.some(({ kind }) => kind === 'present')
  return isAny
    ? 'HostSNI("*") holds for every connection, so what "!" makes of it never does'
    : null
}

function neverAPath({ kind, text }: Matcher): string | null {
  if (kind === 'regexp') return null
  const why = neverSent(text)
  return why === null ? null : `the path "${text}" is never seen: ${why}`
}

/** What no path is compared with, under any policy of the listener. */
function neverSent(path: string): string | null {
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return 'a "%" itself is written "%25"'
  if (path.includes('%00')) return 'a request with "%00" is refused'
  if (path.includes('//')) return 'empty segments are merged, write one "/"'
  return /\/\.{1,2}(?:[/;]|%3B|$)/.test(path) ? 'dot segments are refused or resolved' : null
}

function neverAField({ kind, text }: Matcher): string | null {
  if (kind !== 'literal') return null
  if (text !== text.trim()) return 'is compared without the blanks around its value'
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(text) ? 'never holds a control character' : null
}

// Conditions on one subject.

function excludeEachOther(literals: readonly Literal[], budget: Budget): boolean {
  const positive = literals.filter(({ negated }) => !negated).map(({ term }) => term.values)
  const negated = literals.filter((one) => one.negated).flatMap(({ term }) => term.values)
  const [first] = literals
  switch (first?.term.subject) {
    // Of several lines, parameters of one name or protocols, each may meet another condition.
    case 'header':
    case 'query':
    case 'alpn':
      return positive.some((values) => values.every((value) => isCovered(value, negated, budget)))
    case 'clientIp':
      return excludeNetworks(positive.map(toNetworks), toNetworks(negated), budget)
    default:
      return positive.some((values, at) =>
        values.every(
          (value) =>
            isCovered(value, negated, budget) ||
            positive.some((others, other) => other !== at && misses(value, others, budget)),
        ),
      )
  }
}

function toNetworks(values: readonly Matcher[]): readonly Network[] {
  return values.flatMap(({ text }) => parseNetwork(text) ?? [])
}

function excludeNetworks(
  positive: readonly (readonly Network[])[],
  negated: readonly Network[],
  budget: Budget,
): boolean {
  const blocks = positive.flat().length + negated.length
  return positive.some((networks, at) =>
    networks.every(
      (network) =>
        (budget.comparisons -= blocks) > 0 &&
        (negated.some((other) => isWithin(network, other)) ||
          positive.some(
            (others, other) =>
              other !== at &&
              others.every((one) => !contains(one, network.start) && !contains(network, one.start)),
          )),
    ),
  )
}

function wordsOf([literal]: readonly Literal[]): string {
  if (literal === undefined) return 'request'
  const { subject, name } = literal.term
  return subject === 'header' || subject === 'query'
    ? `${WORDS[subject]} "${name}"`
    : WORDS[subject]
}

const WORDS: Readonly<Record<Subject, string>> = {
  host: 'host',
  path: 'path',
  method: 'method',
  listener: 'listener',
  header: 'header',
  query: 'parameter',
  clientIp: 'client address',
  alpn: 'protocol',
}
