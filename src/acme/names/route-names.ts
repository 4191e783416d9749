/**
 * Which names a route may take on a listener. Of a route only the terms about the host and the listener are decided; all others
 * may hold or not.
 */
import { matchesText, type Expression, type Term } from '../../routing/expression.ts'
import { parseRoute } from '../../routing/parse.ts'
import { ANY, LABELS } from '../../routing/pattern.ts'
import { parseName } from '../../model/acme-names.ts'

export interface NamedRoute {
  readonly expression: Expression
  /** All hosts that it names, wildcards as `*.example.com`. */
  readonly names: readonly string[]
}

/** Null: it does not parse, which admission reports. */
export function readRoute(text: string): NamedRoute | null {
  const parsed = parseRoute(text)
  if (!parsed.ok) return null
  const names = new Set<string>()
  for (const term of termsOf(parsed.expression)) {
    if (term.subject !== 'host') continue
    for (const matcher of term.values) {
      const host = hostOf(matcher)
      const name = host === null || host === '' ? null : parseName(host)
      if (name?.ok === true) names.add(name.value)
      else if (host !== null && host !== '') names.add(host)
    }
  }
  return { expression: parsed.expression, names: [...names] }
}

/** Whether a request for the name on the listener may match. */
export function mayMatch(expression: Expression, name: string, listener: string): boolean {
  const host = name.includes(':') ? `[${name}]` : name.replace(/^\*(?=\.)/, ANY_LABEL)
  return truthOf(expression, host, listener) !== NO
}

/** Stands for all names that a wildcard covers. */
const ANY_LABEL = 'any-label-0'

const NO = -1
const MAYBE = 0
const YES = 1
type Truth = typeof NO | typeof MAYBE | typeof YES

function truthOf(expression: Expression, host: string, listener: string): Truth {
  switch (expression.kind) {
    case 'and':
      return Math.min(...expression.terms.map((one) => truthOf(one, host, listener))) as Truth
    case 'or':
      return Math.max(...expression.terms.map((one) => truthOf(one, host, listener))) as Truth
    case 'not':
      return -truthOf(expression.term, host, listener) as Truth
    case 'term':
      return truthOfTerm(expression, host, listener)
    default:
      return expression satisfies never
  }
}

function truthOfTerm({ subject, values }: Term, host: string, listener: string): Truth {
  if (subject !== 'host' && subject !== 'listener') return MAYBE
  const text = subject === 'host' ? host : listener
  const holds = values.some((value) => {
    if (value.kind === 'network') return false
    return value.kind === 'present' || matchesText(value, text)
  })
  return holds ? YES : NO
}

function* termsOf(expression: Expression): Generator<Term> {
  if (expression.kind === 'term') yield expression
  else if (expression.kind === 'not') yield* termsOf(expression.term)
  else for (const term of expression.terms) yield* termsOf(term)
}

/** A plain name or a wildcard of one label; null: a certificate cannot be for it. */
function hostOf(matcher: Term['values'][number]): string | null {
  if (matcher.kind === 'literal') return matcher.text
  if (matcher.kind !== 'pattern') return null
  const [first, rest, ...more] = matcher.elements
  const isWildcard = first === ANY || first === LABELS
  return isWildcard && typeof rest === 'string' && rest.startsWith('.') && more.length === 0
    ? `*${rest}`
    : null
}
