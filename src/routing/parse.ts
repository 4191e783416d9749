/**
 * The route language. Text in, an expression or what is wrong with it out: an expression always compiles, and its size
 * is bounded.
 *
 *   any  = all { "||" all }
 *   all  = one { "&&" one }
 *   one  = "!" one | "(" any ")" | name "(" string { "," string } ")"
 */
import type { Token } from '../policy/scan.ts'
import { describeToken, ScanError, scanToken } from '../policy/scan.ts'
import { countAlternatives, MAX_ALTERNATIVES, MAX_LITERALS } from './alternatives.ts'
import type { Expression, Matcher } from './expression.ts'
import { foreignParameter } from './foreign.ts'
import type { RouteFunction, RouteProtocol } from './functions.ts'
import { elsewhere, isToken, ROUTE_FUNCTIONS } from './functions.ts'

export type ParsedRoute =
  | { readonly ok: true; readonly expression: Expression }
  /** `position` counts characters from 0. */
  | { readonly ok: false; readonly message: string; readonly position: number }

const MAX_LENGTH = 8192
const MAX_DEPTH = 64

export function parseRoute(text: string, protocol: RouteProtocol = 'http'): ParsedRoute {
  try {
    if (text.length > MAX_LENGTH) {
      throw new ScanError(
        `the route has ${text.length} characters, at most ${MAX_LENGTH} are taken`,
        MAX_LENGTH,
      )
    }
    return { ok: true, expression: new RouteParser(text, protocol).parse() }
  } catch (error) {
    if (!(error instanceof ScanError)) throw error
    return { ok: false, message: error.message, position: error.position }
  }
}

class RouteParser {
  readonly #text: string
  readonly #protocol: RouteProtocol
  #token: Token
  #depth = 0

  constructor(text: string, protocol: RouteProtocol) {
    this.#text = text
    this.#protocol = protocol
    this.#token = scanToken(text, 0)
  }

  parse(): Expression {
    const expression = this.#any()
    if (this.#token.kind !== 'end') this.#unexpected('"&&", "||" or the end')
    const { alternatives, literals } = countAlternatives(expression)
    if (alternatives > MAX_ALTERNATIVES || literals > MAX_LITERALS) {
      throw new ScanError(
        `the route has ${alternatives} alternatives of ${literals} terms when written without parentheses, ` +
          `at most ${MAX_ALTERNATIVES} of ${MAX_LITERALS} are taken; split it into several routes`,
        0,
      )
    }
    return expression
  }

  #any(): Expression {
    return this.#joined('or', '||', () => this.#all())
  }

  #all(): Expression {
    return this.#joined('and', '&&', () => this.#one())
  }

  #joined(kind: 'and' | 'or', operator: string, next: () => Expression): Expression {
    const first = next()
    if (!this.#at(operator)) return first
    const terms = [first]
    while (this.#at(operator)) {
      this.#advance()
      terms.push(next())
    }
    return { kind, terms }
  }

  #one(): Expression {
    const opening = this.#token
    if (opening.kind === 'name') return this.#call()
    const negated = this.#at('!')
    if (!negated && !this.#at('(')) this.#unexpected('a function, "!" or "("')
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) {
      throw new ScanError(`the route is nested more than ${MAX_DEPTH} deep`, opening.position)
    }
    this.#advance()
    const inner = negated ? this.#one() : this.#any()
    if (!negated) this.#take(')', `"&&", "||" or ")" to close the "(" at ${opening.position}`)
    this.#depth -= 1
    return negated ? { kind: 'not', term: inner } : inner
  }

  #call(): Expression {
    const name = this.#token
    const functions = ROUTE_FUNCTIONS[this.#protocol]
    const called = functions.get(name.text)
    if (called === undefined) {
      const hint = elsewhere(name.text, this.#protocol)
      if (hint !== null) throw new ScanError(hint, name.position)
      return this.#unexpected(`one of ${[...functions.keys()].join(', ')}`)
    }
    this.#advance()
    this.#take('(', `"(" as in ${called.usage}`)
    const subjectName = called.named ? this.#subjectName(called) : ''
    const values: Matcher[] = []
    if (!called.named) values.push(this.#value(called))
    while (this.#at(',') && values.length < called.most) {
      this.#advance()
      values.push(this.#value(called))
    }
    if (values.length < called.least) this.#unexpected(`"," as in ${called.usage}`)
    this.#take(')', values.length < called.most ? '"," or ")"' : '")"')
    if (values.length === 0) values.push({ kind: 'present', text: '' })
    return { kind: 'term', subject: called.subject, name: subjectName, values }
  }

  #subjectName(called: RouteFunction): string {
    const argument = this.#string(called)
    if (called.subject !== 'header') {
      const hint = foreignParameter(argument.text)
      if (hint === null) return argument.text
      throw new ScanError(`the parameter "${argument.text}" is no name: ${hint}`, argument.position)
    }
    if (argument.text.startsWith(':')) {
      throw new ScanError(
        `${describeToken(argument)} is no header; use Host, Method, Path, Query or Listener`,
        argument.position,
      )
    }
    if (!isToken(argument.text)) {
      throw new ScanError(
        `found ${describeToken(argument)}, expected the name of a header`,
        argument.position,
      )
    }
    return argument.text.toLowerCase()
  }

  #value(called: RouteFunction): Matcher {
    const { text, position } = this.#string(called)
    return called.read(text, (message) => {
      throw new ScanError(message, position)
    })
  }

  #string(called: RouteFunction): Token {
    const token = this.#token
    if (token.kind !== 'string') {
      this.#unexpected(`a string in double or back quotes, as in ${called.usage}`)
    }
    this.#advance()
    return token
  }

  #take(punctuation: string, expected: string): void {
    if (!this.#at(punctuation)) this.#unexpected(expected)
    this.#advance()
  }

  #at(punctuation: string): boolean {
    return this.#token.kind === 'punctuation' && this.#token.text === punctuation
  }

  #advance(): void {
    this.#token = scanToken(this.#text, this.#token.end)
  }

  #unexpected(expected: string): never {
    throw new ScanError(
      `found ${describeToken(this.#token)}, expected ${expected}`,
      this.#token.position,
    )
  }
}
