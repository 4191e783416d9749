/**
 * What the languages of conditions and of failover predicates have in common: terms, joined by `&&` and `||` and put in
 * parentheses. What a term is, each says itself.
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

/** `what` names the text in errors. `readTerm` takes the tokens of one term; the first of them is a name. */
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

/** Whether it holds, when `holds` says so of each term. */
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

/** The tokens of a text, one at a time. Whatever does not fit is a ScanError. */
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

  /** The current token; the next one is current then. */
  next(): Token {
    const token = this.#current
    this.#current = scanToken(this.#text, token.end)
    return token
  }

  /** Whether this punctuation is here; it is passed then. */
  skips(punctuation: string): boolean {
    const { kind, text } = this.#current
    const isHere = kind === 'punctuation' && text === punctuation
    if (isHere) this.next()
    return isHere
  }

  take(punctuation: string, expected: string): void {
    if (!this.skips(punctuation)) this.refuse(expected)
  }

  /** A function, whose name is current, and its numbers; `usage` shows how it is written. */
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

  /** A number, never negative or infinite. */
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

  /** Not the current token, but what was expected in its place. */
  refuse(expected: string): never {
    const { position } = this.#current
    throw new ScanError(`found ${describeToken(this.#current)}, expected ${expected}`, position)
  }
}

export interface Parameter {
  readonly expected: string
  /** `before`: the one before it. */
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
