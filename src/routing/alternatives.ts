/**
 * The disjunctive normal form of an expression: `||` outside, `&&` inside, `!` only on single values. Each alternative has its own
 * place in the order of routes. Every spelling of an expression has the same alternatives, as sets of literals.
 */
import type { Expression, Matcher, Term } from './expression.ts'

/** A term that holds, or a single value that does not. */
export interface Literal {
  readonly term: Term
  readonly negated: boolean
}

export const MAX_ALTERNATIVES = 256
export const MAX_LITERALS = 4096

export interface AlternativeCount {
  readonly alternatives: number
  /** Over all alternatives. */
  readonly literals: number
}

/** The size of `toAlternatives` before it removes duplicates; costs no more than reading the expression. */
export function countAlternatives(expression: Expression, negated = false): AlternativeCount {
  if (expression.kind === 'not') return countAlternatives(expression.term, !negated)
  if (expression.kind === 'term') {
    const count = expression.values.length
    if (negated) return { alternatives: 1, literals: count }
    const alternatives = isIndexed(expression) ? count : 1
    return { alternatives, literals: alternatives }
  }
  const counts = expression.terms.map((term) => countAlternatives(term, negated))
  return counts.reduce(joins(expression.kind, negated) === 'and' ? multiply : add)
}

export function toAlternatives(expression: Expression): Literal[][] {
  const alternative = toOnlyAlternative(expression)
  if (alternative !== null) return [alternative]
  const alternatives = expand(expression, false).map(withoutRepeats)
  if (alternatives.length === 1) return alternatives
  const distinct = new Map(alternatives.map((literals) => [alternativeText(literals), literals]))
  return [...distinct.values()]
}

/** The same text for all equal alternatives. */
function alternativeText(literals: readonly Literal[]): string {
  return literals.map(literalKey).sort().join('\n')
}

/** The same text for all expressions with equal alternatives. */
export function expressionText(alternatives: readonly (readonly Literal[])[]): string {
  return alternatives.map(alternativeText).sort().join('\n\n')
}

/** The same text for all equal literals. */
function literalKey({ term, negated }: Literal): string {
  const values = term.values.map((value) => `${value.kind}=${JSON.stringify(value.text)}`)
  return `${negated ? '!' : ''}${term.subject} ${JSON.stringify(term.name)} ${values.sort().join()}`
}

function add(one: AlternativeCount, other: AlternativeCount): AlternativeCount {
  return {
    alternatives: one.alternatives + other.alternatives,
    literals: one.literals + other.literals,
  }
}

function multiply(one: AlternativeCount, other: AlternativeCount): AlternativeCount {
  return {
    alternatives: one.alternatives * other.alternatives,
    literals: one.literals * other.alternatives + other.literals * one.alternatives,
  }
}

function expand(expression: Expression, negated: boolean): Literal[][] {
  if (expression.kind === 'not') return expand(expression.term, !negated)
  if (expression.kind === 'term') return expandTerm(expression, negated)
  const parts = expression.terms.map((term) => expand(term, negated))
  if (joins(expression.kind, negated) === 'or') return parts.flat()
  return parts.reduce((joined, part) =>
    joined.flatMap((left) => part.map((right) => [...left, ...right])),
  )
}

// De Morgan: a negated `&&` is an `||` of what it negates.
function joins(kind: 'and' | 'or', negated: boolean): 'and' | 'or' {
  if (!negated) return kind
  return kind === 'and' ? 'or' : 'and'
}

function expandTerm(term: Term, negated: boolean): Literal[][] {
  const single = (value: Matcher): Literal => ({
    term: term.values.length === 1 ? term : { ...term, values: [value] },
    negated,
  })
  if (negated) return [term.values.map(single)]
  if (isIndexed(term))
    return term.values.map((value) => (isAny(term, value) ? [] : [single(value)]))
  return [[{ term: distinctValues(term), negated }]]
}

// Each host and each path has its own place in the index; other values are compared one after another.
function isIndexed(term: Term): boolean {
  return term.subject === 'host' || term.subject === 'path'
}

/** `*` of HostSNI is no condition. */
function isAny({ subject }: Term, value: Matcher | undefined): boolean {
  return subject === 'host' && value?.kind === 'present'
}

function distinctValues(term: Term): Term {
  if (term.values.length === 1) return term
  const values = new Map(term.values.map((value) => [`${value.kind} ${value.text}`, value]))
  return { ...term, values: [...values.values()] }
}

function withoutRepeats(literals: Literal[]): Literal[] {
  if (literals.length === 1) return literals
  const distinct = new Map(literals.map((literal) => [literalKey(literal), literal]))
  return distinct.size === literals.length ? literals : [...distinct.values()]
}

/**
 * The fast path for routes that name a host, and perhaps a path, once: they are one alternative without duplicates. Saves each
 * thread 0.1 s with 100,000 routes. Null: not that simple.
 */
function toOnlyAlternative(expression: Expression): Literal[] | null {
  const terms = expression.kind === 'and' ? expression.terms : [expression]
  const literals: Literal[] = []
  for (const term of terms) {
    if (term.kind !== 'term' || term.values.length !== 1) return null
    if (literals.some((literal) => literal.term.subject === term.subject)) return null
    if (!isAny(term, term.values[0])) literals.push({ term, negated: false })
  }
  return literals
}
