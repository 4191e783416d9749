/**
 * The common part of the languages of breaker conditions and retry predicates: terms joined by `&&` and `||`, with
 * parentheses. Each language defines its terms.
 *
 *   any  = all { "||" all }
 *   all  = one { "&&" one }
 *   one  = "(" any ")" | term
 */
import { describeToken, ScanError, scanToken, type Token } from './scan.ts'

export type Expression<Term> =
  | { readonly kind: 'term'; readonly term: Term }
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Expression<Term>[] }

export type ParsedExpression<Term> =
  | { readonly ok: true; readonly logic: Expression<Term> }
  /** `position` counts characters from 0. */
  | { readonly ok: false; readonly message: string; readonly position: number }

const MAX_LENGTH = 2048
const MAX_DEPTH = 32

/** `what` names the text in errors. `readTerm` reads the tokens of one term, of which the first is a name. */
export function parseExpression<Term>(
  text: string,
  what: string,
  readTerm: (tokens: TokenReader) => Term,
): ParsedExpression<Term> {
  try {
    if (text.length > MAX_LENGTH) {
      throw new ScanError(
        `the ${what} has ${text.length} characters, at most ${MAX_LENGTH} are taken`,
        MAX_LENGTH,
      )
    }
    const tokens = new TokenReader(text)
    const logic = readAny(tokens, { what, readTerm }, 0)
    if (tokens.current.kind !== 'end') tokens.refuse('"&&", "||" or the end')
    return { ok: true, logic }
  } catch (error) {
    if (!(error instanceof ScanError)) throw error
    return { ok: false, message: error.message, position: error.position }
  }
}

interface Language<Term> {
  readonly what: string
  readonly readTerm: (tokens: TokenReader) => Term
}

function readAny<Term>(
  tokens: TokenReader,
  language: Language<Term>,
  depth: number,
): Expression<Term> {
  const parts = [readAll(tokens, language, depth)]
  while (tokens.skips('||')) parts.push(readAll(tokens, language, depth))
  return joined('any', parts)
}

function readAll<Term>(
  tokens: TokenReader,
  language: Language<Term>,
  depth: number,
): Expression<Term> {
  const parts = [readOne(tokens, language, depth)]
  while (tokens.skips('&&')) parts.push(readOne(tokens, language, depth))
  return joined('all', parts)
}

function joined<Term>(kind: 'all' | 'any', parts: readonly Expression<Term>[]): Expression<Term> {
  const [first] = parts
  return first !== undefined && parts.length === 1 ? first : { kind, parts }
}

function readOne<Term>(
  tokens: TokenReader,
  language: Language<Term>,
  depth: number,
): Expression<Term> {
  if (tokens.current.kind === 'name') return { kind: 'term', term: language.readTerm(tokens) }
  const { position } = tokens.current
  if (!tokens.skips('(')) tokens.refuse('a function or "("')
  if (depth === MAX_DEPTH) {
    throw new ScanError(`the ${language.what} is nested more than ${MAX_DEPTH} deep`, position)
  }
  const inner = readAny(tokens, language, depth + 1)
  tokens.take(')', '"&&", "||" or ")"')
  return inner
}

/** Whether the expression holds, given whether each term does. */
export function evaluate<Term>(logic: Expression<Term>, holds: (term: Term) => boolean): boolean {
  switch (logic.kind) {
    case 'term':
      return holds(logic.term)
    case 'all':
      return logic.parts.every((part) => evaluate(part, holds))
    case 'any':
      return logic.parts.some((part) => evaluate(part, holds))
  }
}

/** The tokens of a text, one at a time. Its methods throw a ScanError if a token does not fit. */
export class TokenReader {
  readonly #text: string
  #current: Token

  constructor(text: string) {
    this.#text = text
    this.#current = scanToken(text, 0)
  }

  get current(): Token {
    return this.#current
  }

  /** Returns the current token and moves to the next one. */
  next(): Token {
    const token = this.#current
    this.#current = scanToken(this.#text, token.end)
    return token
  }

  /** Skips the current token if it is this punctuation; returns whether it was. */
  skips(punctuation: string): boolean {
    const { kind, text } = this.#current
    const isHere = kind === 'punctuation' && text === punctuation
    if (isHere) this.next()
    return isHere
  }

  take(punctuation: string, expected: string): void {
    if (!this.skips(punctuation)) this.refuse(expected)
  }

  /** Reads a function call, of which the current token is the name, and returns its numbers. `usage` is an example for errors. */
  call(usage: string, ...parameters: readonly Parameter[]): readonly number[] {
    const { text } = this.next()
    this.take('(', `"(", as in ${usage}`)
    const values: number[] = []
    for (const { expected, isFit } of parameters) {
      const before = values.at(-1)
      if (before !== undefined) this.take(',', `",", as in ${usage}`)
      values.push(this.number(expected, (value) => isFit(value, before ?? 0)))
    }
    const most = parameters.length === 0 ? 'nothing' : `${parameters.length} of them`
    this.take(')', `")", as ${text} takes ${most}`)
    return values
  }

  /** Reads a number, never negative or infinite. */
  number(expected: string, isFit: (value: number) => boolean = () => true): number {
    const { kind, text } = this.#current
    const value = kind === 'number' ? Number(text) : NaN
    if (!Number.isFinite(value) || !isFit(value)) this.refuse(expected)
    this.next()
    return value
  }

  comparison(usage: string): Comparison {
    const { kind, text } = this.#current
    const found = kind === 'punctuation' ? COMPARISONS.find((one) => one === text) : undefined
    if (found === undefined) return this.refuse(`a comparison, as in ${usage}`)
    this.next()
    return found
  }

  /** Throws: the current token is not what was expected. */
  refuse(expected: string): never {
    const { position } = this.#current
    throw new ScanError(`found ${describeToken(this.#current)}, expected ${expected}`, position)
  }
}

export interface Parameter {
  readonly expected: string
  /** `before`: the value of the previous parameter. */
  readonly isFit: (value: number, before: number) => boolean
}

export type Comparison = '==' | '!=' | '<=' | '>=' | '<' | '>'
const COMPARISONS: readonly Comparison[] = ['==', '!=', '<=', '>=', '<', '>']

export function compare(left: number, comparison: Comparison, right: number): boolean {
  switch (comparison) {
    case '==':
      return left === right
    case '!=':
      return left !== right
    case '<=':
      return left <= right
    case '>=':
      return left >= right
    case '<':
      return left < right
    case '>':
      return left > right
  }
}
