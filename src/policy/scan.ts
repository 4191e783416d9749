/**
 * The tokens of the expression languages (routes, breaker conditions, failover predicates): names, numbers, strings (Go's,
 * in double or in back quotes) and punctuation, each with its position.
 */

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'punctuation' | 'end'
  /** The name, the number or punctuation as it is written, the string's value. */
  readonly text: string
  /** From 0. */
  readonly position: number
  readonly end: number
}

/** Where the text is wrong, and how. */
export class ScanError extends Error {
  readonly position: number

  constructor(message: string, position: number) {
    super(message)
    this.name = 'ScanError'
    this.position = position
  }
}

/** The token that begins at or after `from`, or a ScanError. */
export function scanToken(text: string, from: number): Token {
  let at = from
  while (isSpace(text.charCodeAt(at))) at += 1
  if (at >= text.length) return { kind: 'end', text: '', position: text.length, end: text.length }
  const first = text.charAt(at)
  if (first === '"') return scanQuoted(text, at)
  if (first === '`') return scanRaw(text, at)
  if (isNumberStart(text, at)) return scanNumber(text, at)
  if (isNameCode(text.charCodeAt(at))) return scanName(text, at)
  const pair = text.slice(at, at + 2)
  const punctuation = PAIRS.has(pair) ? pair : first
  return { kind: 'punctuation', text: punctuation, position: at, end: at + punctuation.length }
}

/** A token as an error names it. */
export function describeToken(token: Token): string {
  if (token.kind === 'end') return 'the end'
  if (token.kind === 'string') return `the string ${JSON.stringify(shorten(token.text))}`
  return `"${shorten(token.text)}"`
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}...`
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

const PAIRS: ReadonlySet<string> = new Set(['&&', '||', '==', '!=', '<=', '>='])

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function isNumberStart(text: string, at: number): boolean {
  const digitAt = text.charAt(at) === '.' ? at + 1 : at
  return isDigit(text.charCodeAt(digitAt))
}

function isNameCode(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || isDigit(code) || code === 95
}

// Go's decimal ones. Without a sign: none of the languages has a negative number.
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y

function scanNumber(text: string, position: number): Token {
  NUMBER.lastIndex = position
  const [number = ''] = NUMBER.exec(text) ?? []
  return { kind: 'number', text: number, position, end: position + number.length }
}

function scanName(text: string, position: number): Token {
  let end = position
  while (isNameCode(text.charCodeAt(end))) end += 1
  return { kind: 'name', text: text.slice(position, end), position, end }
}

function scanRaw(text: string, position: number): Token {
  const close = text.indexOf('`', position + 1)
  if (close < 0) {
    throw new ScanError('found the end in a string, expected "`" to close it', position)
  }
  return { kind: 'string', text: text.slice(position + 1, close), position, end: close + 1 }
}

function scanQuoted(text: string, position: number): Token {
  let value = ''
  let from = position + 1
  for (let at = from; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (character === '"') {
      return { kind: 'string', text: value + text.slice(from, at), position, end: at + 1 }
    }
    if (character === '\n') {
      throw new ScanError('found a line break in a string, expected "\\n" for it', at)
    }
    if (character === '\\') {
      const escape = readEscape(text, at)
      value += text.slice(from, at) + escape.value
      from = escape.end
      at = from - 1
    }
  }
  throw new ScanError("found the end in a string, expected '\"' to close it", position)
}

// Go, "Rune literals". A byte escape above 7f is the byte, as fields and paths are compared byte by byte.
function readEscape(text: string, at: number): { value: string; end: number } {
  const simple = SIMPLE_ESCAPES.get(text.charAt(at + 1))
  if (simple !== undefined) return { value: simple, end: at + 2 }
  NUMERIC_ESCAPE.lastIndex = at
  const [whole, octal, ...hexes] = NUMERIC_ESCAPE.exec(text) ?? []
  const hex = hexes.find((digits) => digits !== undefined)
  const code = octal === undefined ? Number.parseInt(hex ?? '', 16) : Number.parseInt(octal, 8)
  const valid = octal === undefined ? isScalar(code) : code <= 0xff
  if (whole === undefined || !valid) {
    const found = `\\${text.charAt(at + 1)}`
    throw new ScanError(
      `found the unknown escape "${found}" in a string, expected one of Go's; in back quotes a "\\" stands for itself`,
      at,
    )
  }
  return { value: String.fromCodePoint(code), end: at + whole.length }
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ['"', '"'],
])

const NUMERIC_ESCAPE = /\\(?:([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/y

function isScalar(code: number): boolean {
  return code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
}
