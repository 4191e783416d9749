/** From the text of a template to its items, after the lexer of Go's text/template/parse: the same items, trims and errors. */
import { TemplateError } from './value.ts'

export type ItemKind =
  | 'assign'
  | 'bool'
  | 'char'
  | 'character'
  | 'declare'
  | 'dot'
  | 'end of text'
  | 'field'
  | 'identifier'
  | 'keyword'
  | 'left delimiter'
  | 'left parenthesis'
  | 'nil'
  | 'number'
  | 'pipe'
  | 'raw string'
  | 'right delimiter'
  | 'right parenthesis'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'

export interface Item {
  readonly kind: ItemKind
  readonly text: string
  /** Counted from 1. */
  readonly line: number
}

const KEYWORDS = new Set('block break continue define else end if range template with'.split(' '))
const SPACE = /[ \t\r\n]/
const NUMBER =
  /[+-]?(?:0[xX][\dA-Fa-f_]*(?:\.[\dA-Fa-f_]*)?(?:[pP][+-]?[\d_]*)?|(?:0[oO][0-7_]*|0[bB][01_]*)(?:\.[01_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)(?:i)?/y

/** @throws {TemplateError} with the line */
export function* lex(text: string): Generator<Item, void, undefined> {
  let at = 0
  let line = 1

  function item(kind: ItemKind, end: number): Item {
    const found: Item = { kind, text: text.slice(at, end), line }
    skipTo(end)
    return found
  }

  function skipTo(end: number): void {
    for (let next = at; next < end; next++) if (text.charCodeAt(next) === 10) line++
    at = end
  }

  function fail(why: string): never {
    throw new TemplateError(`line ${line}: ${why}`)
  }

  while (at < text.length) {
    const open = text.indexOf('{{', at)
    const isTrimmed = open !== -1 && /^-[ \t\r\n]/.test(text.slice(open + 2, open + 4))
    let end = open === -1 ? text.length : open
    if (isTrimmed) while (end > at && SPACE.test(text.charAt(end - 1))) end--
    if (end > at) yield item('text', end)
    if (open === -1) break
    skipTo(open)
    const inside = open + (isTrimmed ? 4 : 2)
    if (text.startsWith('/*', inside)) {
      const close = text.indexOf('*/', inside + 2)
      if (close === -1) fail('unclosed comment')
      const after = rightDelimiter(close + 2)
      if (after === null) fail('comment ends before closing delimiter')
      skipTo(after)
      continue
    }
    yield { kind: 'left delimiter', text: '{{', line }
    skipTo(inside)
    yield* lexAction()
  }
  yield { kind: 'end of text', text: '', line }

  /** Where the text goes on behind a `}}` or ` -}}` at `from`; null if there is none. */
  function rightDelimiter(from: number): number | null {
    if (text.startsWith('}}', from)) return from + 2
    if (!SPACE.test(text.charAt(from)) || !text.startsWith('-}}', from + 1)) return null
    let end = from + 4
    while (end < text.length && SPACE.test(text.charAt(end))) end++
    return end
  }

  function* lexAction(): Generator<Item, void, undefined> {
    let depth = 0
    for (;;) {
      const after = rightDelimiter(at)
      if (after !== null) {
        if (depth > 0) fail('unclosed left paren')
        yield { kind: 'right delimiter', text: '}}', line }
        skipTo(after)
        return
      }
      const first = text.charAt(at)
      if (first === '') fail('unclosed action')
      if (SPACE.test(first)) yield lexSpace()
      else if (first === '=') yield item('assign', at + 1)
      else if (first === '|') yield item('pipe', at + 1)
      else if (first === ':') {
        if (text.charAt(at + 1) !== '=') fail('expected :=')
        yield item('declare', at + 2)
      } else if (first === '"') yield lexQuoted('"', 'string', 'unterminated quoted string')
      else if (first === "'") yield lexQuoted("'", 'character', 'unterminated character constant')
      else if (first === '`') {
        const close = text.indexOf('`', at + 1)
        if (close === -1) fail('unterminated raw quoted string')
        yield item('raw string', close + 1)
      } else if (first === '$' || (first === '.' && !/\d/.test(text.charAt(at + 1))))
        yield lexName(first === '$' ? 'variable' : 'field')
      else if (/[+\-.\d]/.test(first)) yield lexNumber()
      else if (isAlphanumeric(first, text.codePointAt(at))) yield lexIdentifier()
      else if (first === '(') {
        depth++
        yield item('left parenthesis', at + 1)
      } else if (first === ')') {
        if (--depth < 0) fail('unexpected right paren')
        yield item('right parenthesis', at + 1)
      } else if (first >= ' ' && first <= '~') yield item('char', at + 1)
      else fail(`unrecognized character in action: ${JSON.stringify(first)}`)
    }
  }

  function lexSpace(): Item {
    let end = at
    // The space before `-}}` belongs to the delimiter.
    while (SPACE.test(text.charAt(end)) && (end === at || rightDelimiter(end) === null)) end++
    return item('space', end)
  }

  function lexQuoted(quote: string, kind: ItemKind, why: string): Item {
    let end = at + 1
    for (; text.charAt(end) !== quote; end++) {
      if (text.charAt(end) === '\\') end++
      if (end >= text.length || text.charAt(end) === '\n') fail(why)
    }
    return item(kind, end + 1)
  }

  /** `.name`, `$name`, or the sign alone. */
  function lexName(kind: 'field' | 'variable'): Item {
    const end = endOfWord(at + 1)
    if (!isTerminated(end)) fail(`bad character ${JSON.stringify(text.charAt(end))}`)
    return item(kind === 'field' && end === at + 1 ? 'dot' : kind, end)
  }

  function lexIdentifier(): Item {
    const end = endOfWord(at)
    if (!isTerminated(end)) fail(`bad character ${JSON.stringify(text.charAt(end))}`)
    const word = text.slice(at, end)
    if (KEYWORDS.has(word)) return item('keyword', end)
    if (word === 'nil') return item('nil', end)
    return item(word === 'true' || word === 'false' ? 'bool' : 'identifier', end)
  }

  function lexNumber(): Item {
    NUMBER.lastIndex = at
    const end = at + (NUMBER.exec(text)?.[0].length ?? 0)
    const next = text.charAt(end)
    if (isAlphanumeric(next, text.codePointAt(end)) || end === at)
      fail(`bad number syntax: ${JSON.stringify(text.slice(at, end + 1))}`)
    return item('number', end)
  }

  function endOfWord(from: number): number {
    let end = from
    while (isAlphanumeric(text.charAt(end), text.codePointAt(end)))
      end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
    return end
  }

  function isTerminated(end: number): boolean {
    return end >= text.length || /[ \t\r\n.,|:)(}]/.test(text.charAt(end))
  }
}

function isAlphanumeric(character: string, point: number | undefined): boolean {
  if (character === '' || point === undefined) return false
  return /^[\p{L}\p{Nd}_]$/u.test(point > 0x7f ? String.fromCodePoint(point) : character)
}
