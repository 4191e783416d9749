/**
 * Reads TOML (1.0) for the configurations of other programs: tables and arrays of tables, all forms of strings, numbers and inline
 * tables. Dates are refused: nothing that is read here has one.
 */
import { isForbiddenKey } from '../model/names.ts'
import { quote } from '../model/parsed.ts'
import { Unreadable } from './tree.ts'

type Table = Map<string, unknown>

const MAX_LENGTH = 1024 ** 2
const MAX_DEPTH = 32
const BARE = /[A-Za-z0-9_-]+/y
const NUMBER =
  /(?:0x[0-9a-fA-F](?:_?[0-9a-fA-F])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*|[+-]?(?:inf|nan)|[+-]?(?:0|[1-9](?:_?\d)*)(?:\.\d(?:_?\d)*)?(?:[eE][+-]?\d(?:_?\d)*)?)(?![\w.:-])/y
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', '"': '"', '\\': '\\' },
}

/**
 * Maps are plain objects, integers and floats are numbers.
 * @throws {Unreadable} with the line and the column
 */
export function readToml(text: string): Readonly<Record<string, unknown>> {
  if (text.length > MAX_LENGTH) throw new Unreadable('is longer than 1 MiB', null)
  const root: Table = new Map()
  /** Tables that a header or an inline table has closed. */
  const defined = new Set<Table>()
  const lists = new WeakSet<unknown[]>()
  let current = root
  let at = text.startsWith('\ufeff') ? 1 : 0

  function fail(why: string, where = at): never {
    const before = text.slice(0, where).split('\n')
    throw new Unreadable(`is not valid TOML: ${why}`, {
      line: before.length,
      column: (before.at(-1)?.length ?? 0) + 1,
    })
  }

  const peek = (): string => text.charAt(at)
  const isAt = (word: string): boolean => text.startsWith(word, at)

  function skipSpace(): void {
    while (peek() === ' ' || peek() === '\t') at++
  }

  /** Spaces, comments and ends of lines. */
  function skipLines(): void {
    for (;;) {
      skipSpace()
      if (peek() === '#') skipComment()
      if (isAt('\r\n')) at += 2
      else if (peek() === '\n') at++
      else return
    }
  }

  function skipComment(): void {
    while (at < text.length && peek() !== '\n' && !isAt('\r\n')) {
      if (/[\x00-\x08\x0b-\x1f\x7f]/.test(peek())) fail('a comment holds a control character')
      at++
    }
  }

  function expectEnd(): void {
    skipSpace()
    if (peek() === '#') skipComment()
    if (at < text.length && peek() !== '\n' && !isAt('\r\n'))
      fail(`${quote(peek())} where the line should end`)
  }

  function take(pattern: RegExp): string | null {
    pattern.lastIndex = at
    const [found = null] = pattern.exec(text) ?? []
    if (found !== null) at += found.length
    return found
  }

  function readKey(): string[] {
    const path: string[] = []
    do {
      if (path.length > 0) at++
      skipSpace()
      const start = at
      const key = peek() === '"' ? readBasic() : peek() === "'" ? readLiteral() : take(BARE)
      if (key === null) return fail(`${quote(peek())} where a key should be`)
      if (isForbiddenKey(key)) fail(`the key ${quote(key)} is reserved`, start)
      path.push(key)
      skipSpace()
    } while (peek() === '.')
    return path.length > MAX_DEPTH ? fail(`a key has more than ${MAX_DEPTH} parts`) : path
  }

  /** The table of a path, made where it is missing. */
  function descend(from: Table, path: readonly string[], start: number): Table {
    let table = from
    for (const key of path) {
      const found = table.get(key)
      const next: unknown = Array.isArray(found) && lists.has(found) ? found.at(-1) : found
      if (next === undefined) {
        const made: Table = new Map()
        table.set(key, made)
        table = made
      } else if (next instanceof Map) table = next as Table
      else fail(`${quote(key)} is no table`, start)
    }
    return table
  }

  function readHeader(): void {
    const start = at
    const isList = isAt('[[')
    at += isList ? 2 : 1
    const path = readKey()
    const end = isList ? ']]' : ']'
    if (!isAt(end)) fail(`${end} is missing`)
    at += end.length
    const name = path.at(-1) ?? ''
    const parent = descend(root, path.slice(0, -1), start)
    const found = parent.get(name)
    if (isList) {
      const list = found ?? []
      if (!Array.isArray(list) || (found !== undefined && !lists.has(list)))
        return fail(`${quote(name)} is no array of tables`, start)
      lists.add(list)
      parent.set(name, list)
      current = new Map()
      list.push(current)
      return
    }
    current = descend(parent, [name], start)
    if (defined.has(current) || Array.isArray(found))
      fail(`[${path.join('.')}] is there twice`, start)
    defined.add(current)
  }

  function readPair(into: Table, depth = 0): void {
    const start = at
    const path = readKey()
    if (peek() !== '=') fail('= is missing behind a key')
    at++
    skipSpace()
    const table = descend(into, path.slice(0, -1), start)
    const name = path.at(-1) ?? ''
    if (table !== into && defined.has(table))
      fail(`${quote(path.join('.'))} is in a table that is closed`, start)
    if (table.has(name)) fail(`the key ${quote(name)} is there twice`, start)
    table.set(name, readValue(depth))
  }

  function readValue(depth: number): unknown {
    if (depth > MAX_DEPTH) fail(`arrays and tables lie deeper than ${MAX_DEPTH} in each other`)
    switch (peek()) {
      case '"':
        return isAt('"""') ? readLong('"""') : readBasic()
      case "'":
        return isAt("'''") ? readLong("'''") : readLiteral()
      case '[':
        return readArray(depth)
      case '{':
        return readInline(depth)
      default:
        return readScalar()
    }
  }

  function readScalar(): unknown {
    for (const [word, value] of [
      ['true', true],
      ['false', false],
    ] as const) {
      if (!isAt(word)) continue
      at += word.length
      return value
    }
    const start = at
    const digits = take(NUMBER)?.replaceAll('_', '')
    if (digits !== undefined) {
      const value = Number(digits.replace(/inf/, 'Infinity').replace(/nan/, 'NaN'))
      const isWhole = /^[+-]?\d+$/.test(digits)
      if (isWhole && !Number.isSafeInteger(value)) fail(`${digits} is too large`, start)
      return value
    }
    if (/^\d{4}-\d\d-\d\d|^\d\d:\d\d/.test(text.slice(at, at + 10))) fail('dates are not read')
    return fail(`${quote(text.slice(at, at + 12).split(/\s/)[0])} is no value; text needs quotes`)
  }

  function readArray(depth: number): unknown[] {
    const list: unknown[] = []
    at++
    for (;;) {
      skipLines()
      if (peek() === ']') break
      list.push(readValue(depth + 1))
      skipLines()
      if (peek() === ',') at++
      else if (peek() !== ']') fail('a comma or ] is missing in an array')
    }
    at++
    return list
  }

  function readInline(depth: number): Table {
    const table: Table = new Map()
    at++
    skipSpace()
    while (peek() !== '}') {
      readPair(table, depth + 1)
      skipSpace()
      if (peek() === '}') break
      if (peek() !== ',') fail('a comma or } is missing in an inline table')
      at++
      skipSpace()
      if (peek() === '}') fail('an inline table ends with a comma')
    }
    at++
    defined.add(table)
    return table
  }

  function readLiteral(): string {
    const end = text.indexOf("'", at + 1)
    const found = end === -1 ? '\n' : text.slice(at + 1, end)
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(found))
      fail('a text does not end, or holds a control character')
    at = end + 1
    return found
  }

  function readBasic(): string {
    at++
    let found = ''
    while (peek() !== '"') {
      const character = peek()
      if (character === '' || /[\x00-\x08\x0a-\x1f\x7f]/.test(character))
        fail('a text does not end, or holds a control character')
      found += character === '\\' ? readEscape() : character
      if (character !== '\\') at++
    }
    at++
    return found
  }

  function readEscape(): string {
    const start = at
    const letter = text.charAt(at + 1)
    const short = ESCAPES[letter]
    if (short !== undefined) {
      at += 2
      return short
    }
    const length = letter === 'u' ? 4 : letter === 'U' ? 8 : 0
    const digits = text.slice(at + 2, at + 2 + length)
    const point = Number.parseInt(digits, 16)
    const isScalar = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff)
    if (length === 0 || !/^[0-9a-fA-F]+$/.test(digits) || digits.length < length || !isScalar)
      fail(`\\${letter} is no escape; a backslash is written \\\\`, start)
    at += 2 + length
    return String.fromCodePoint(point)
  }

  /** Over several lines. */
  function readLong(mark: '"""' | "'''"): string {
    const start = at
    at += 3
    if (isAt('\r\n')) at += 2
    else if (peek() === '\n') at++
    let found = ''
    for (;;) {
      if (at >= text.length) fail(`a text in ${mark} does not end`, start)
      if (isAt(mark)) {
        at += 3
        // Up to two quotes may stand before the end.
        for (let more = 0; more < 2 && peek() === mark.charAt(0); more++, at++) found += peek()
        return found
      }
      const character = peek()
      if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(character))
        fail('a text holds a control character')
      if (mark === '"""' && character === '\\') {
        if (/^\\[ \t]*\r?\n/.test(text.slice(at, at + 256))) {
          at++
          while (/\s/.test(peek())) at++
        } else found += readEscape()
      } else {
        found += character
        at++
      }
    }
  }

  for (;;) {
    skipLines()
    if (at >= text.length) return toPlain(root) as Readonly<Record<string, unknown>>
    if (peek() === '[') readHeader()
    else readPair(current)
    expectEnd()
  }
}

function toPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toPlain)
  if (!(value instanceof Map)) return value
  return Object.fromEntries([...(value as Table)].map(([key, item]) => [key, toPlain(item)]))
}
