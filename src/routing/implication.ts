/**
 * Implications between comparisons: whether all values that match one match the other, or none does. True is certain; false may mean
 * unknown (usually for two regular expressions).
 */
import { isWithin, parseNetwork } from '../model/ip.ts'
import type { Literal } from './alternatives.ts'
import type { Matcher, TextMatcher } from './expression.ts'
import { matchesText } from './expression.ts'
import type { PatternElement } from './pattern.ts'
import { ANY, LABELS, REST, splitPattern } from './pattern.ts'

/** Bounds the work: a regular expression takes up to 4,096 steps per character. Beyond it the result is unknown. */
export interface Budget {
  comparisons: number
  expressions: number
}
const LONGEST_FOR_EXPRESSION = 256

/** All that matches the value matches one of these, too. */
export function isCovered(value: Matcher, by: readonly Matcher[], budget: Budget): boolean {
  return by.some((other) => covers(other, value, budget))
}

/** Nothing that matches the value matches any of the others. */
export function misses(value: Matcher, others: readonly Matcher[], budget: Budget): boolean {
  return others.every(
    (other) => isText(other) && isText(value) && areDisjoint(value, other, budget),
  )
}

/** If all of `given` hold, the literal holds. */
export function implies(literal: Literal, given: readonly Literal[], budget: Budget): boolean {
  const { term, negated } = literal
  return given.some((one) => {
    const { subject, name, values } = one.term
    if (subject !== term.subject || name !== term.name) return false
    if (!negated) {
      return !one.negated && values.every((value) => isCovered(value, term.values, budget))
    }
    // A negated literal has one value. Another line of the same field may still match it.
    if (one.negated) return term.values.every((value) => isCovered(value, values, budget))
    const isSingle = subject !== 'header' && subject !== 'query' && subject !== 'alpn'
    return isSingle && values.every((value) => misses(value, term.values, budget))
  })
}

function covers(other: Matcher, value: Matcher, budget: Budget): boolean {
  if (other.kind === 'present') return true
  if (other.kind === value.kind && other.text === value.text) return true
  if (other.kind === 'network')
    return value.kind === 'network' && isBlockWithin(value.text, other.text)
  return isText(value) && (meets(value, other, budget) ?? takes(other, value))
}

function isBlockWithin(inner: string, outer: string): boolean {
  const [one, other] = [parseNetwork(inner), parseNetwork(outer)]
  return one !== null && other !== null && isWithin(one, other)
}

function areDisjoint(one: TextMatcher, other: TextMatcher, budget: Budget): boolean {
  if (one.kind === 'literal') return meets(one, other, budget) === false
  if (other.kind === 'literal') return meets(other, one, budget) === false
  return meets(one, other, budget) === false && meets(other, one, budget) === false
}

/**
 * Whether what meets the value meets the other, if that is the same for all of it: a literal is one text, and all that a prefix matches meets
 * another prefix if the prefix itself does. Null: unknown.
 */
function meets(value: TextMatcher, other: TextMatcher, budget: Budget): boolean | null {
  const isKnown = value.kind === 'literal' || (value.kind === 'prefix' && other.kind === 'prefix')
  if (!isKnown || --budget.comparisons < 0) return null
  if (other.kind === 'regexp') {
    if (value.text.length > LONGEST_FOR_EXPRESSION || --budget.expressions < 0) return null
  }
  return matchesText(other, value.text)
}

/** Patterns, by their pieces: a prefix takes what begins with it. */
function takes(other: TextMatcher, value: TextMatcher): boolean {
  if (value.kind === 'literal' || value.kind === 'regexp') return false
  if (other.kind === 'literal' || other.kind === 'regexp') return false
  if (value.kind === 'prefix') {
    return other.kind === 'pattern' && isRestOf(other.elements, value.text)
  }
  if (other.kind === 'pattern') {
    const { separator } = value
    return separator === other.separator && isWider(other.elements, value.elements, separator)
  }
  const [start] = value.elements
  const below = other.text.endsWith('/') ? other.text : `${other.text}/`
  return typeof start === 'string' && start.startsWith(below)
}

/** `/a/<path:x>` takes all that the prefix `/a/` does. */
function isRestOf(elements: readonly PatternElement[], prefix: string): boolean {
  const [start, rest, ...more] = elements
  return typeof start === 'string' && rest === REST && more.length === 0 && prefix.startsWith(start)
}

/** Piece by piece: `<x>` takes what `<int:x>` and any literal do, `<path:x>` and `**` any number of pieces. */
function isWider(
  wide: readonly PatternElement[],
  narrow: readonly PatternElement[],
  separator: string,
): boolean {
  if (wide[0] === LABELS) return endsAlike(wide, narrow, separator)
  if (separator === '' || narrow[0] === LABELS) return false
  const wides = splitPattern(wide, separator)
  const narrows = splitPattern(narrow, separator)
  for (const [at, piece] of wides.entries()) {
    const other = narrows[at]
    if (other === undefined) return false
    if (piece.length === 1 && piece[0] === REST) return true
    if (other.includes(REST) || !takesPiece(piece, other)) return false
  }
  return wides.length === narrows.length
}

function takesPiece(wide: readonly PatternElement[], narrow: readonly PatternElement[]): boolean {
  if (wide.length === 1 && wide[0] === ANY) return true
  return wide.length === narrow.length && wide.every((element, at) => element === narrow[at])
}

/** `**.example.com` takes every pattern that ends in it behind at least one label. */
function endsAlike(
  [, ending = '']: readonly PatternElement[],
  narrow: readonly PatternElement[],
  separator: string,
): boolean {
  const last = narrow.at(-1)
  if (typeof ending !== 'string' || typeof last !== 'string' || !last.endsWith(ending)) return false
  // A wildcard may match an empty label, and no host has one.
  return separator === '.' && (narrow.length > 1 || last.length > ending.length)
}

function isText(matcher: Matcher): matcher is TextMatcher {
  return matcher.kind !== 'network' && matcher.kind !== 'present'
}
