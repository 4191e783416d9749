/**
 * Walks over JSON text by RFC 8259 without making values: it tells where everything stands, and finds what JSON.parse
 * lets pass (a key twice) or reports without a place. JSON.parse still makes the values.
 *
 * It runs over files of 10 MB, so it looks at character codes and takes strings by indexOf.
 */

/** What is wrong, and the offset where. */
export class JsonFault extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.name = 'JsonFault'
    this.offset = offset
  }
}

/**
 * A member or item: `depth` 0 stands directly in the value walked over. It answers whether the key stood in the same map
 * before; below depth 1, where maps are small, the walk looks for itself.
 */
export type Visit = (
  depth: number,
  step: string | number,
  offset: number,
  valueOffset: number,
) => boolean

/** The walk is behind a member. */
export type Leave = (depth: number, end: number) => void

const MAX_DEPTH = 32
const NUMBER_OR_WORD = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})?/g
const CONTROL = /[\x00-\x1f]/

/**
 * Returns the offset behind the value that begins at (or after spaces from) `start`. With `parsed`, JSON.parse has taken
 * the text, so that strings need no second look.
 */
export function walkJson(
  text: string,
  start: number,
  parsed: boolean,
  visit: Visit,
  leave: Leave | null = null,
): number {
  let at = start

  function skipSpace(): number {
    for (;;) {
      const code = text.charCodeAt(at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code
      at += 1
    }
  }

  function skipString(): void {
    const open = at
    let close = text.indexOf('"', open + 1)
    while (close !== -1 && isEscaped(text, close)) close = text.indexOf('"', close + 1)
    if (!parsed) checkString(text, open, close)
    at = close + 1
  }

  function readKey(): string {
    const open = at
    skipString()
    const raw = text.slice(open + 1, at - 1)
    return raw.includes('\\') ? (JSON.parse(text.slice(open, at)) as string) : raw
  }

  function value(depth: number): void {
    const code = skipSpace()
    if (code === 0x22) skipString()
    else if (code === 0x7b) object(depth)
    else if (code === 0x5b) array(depth)
    else {
      NUMBER_OR_WORD.lastIndex = at
      if (!NUMBER_OR_WORD.test(text)) throw unexpected('a value')
      at = NUMBER_OR_WORD.lastIndex
    }
  }

  function object(depth: number): void {
    enter(depth)
    if (skipSpace() === 0x7d) {
      at += 1
      return
    }
    const seen = depth > 1 ? createSeen() : null
    for (;;) {
      if (skipSpace() !== 0x22) throw unexpected('a key in double quotes')
      const offset = at
      const key = readKey()
      if (seen?.(key) === true) throw twice(key, offset)
      if (skipSpace() !== 0x3a) throw unexpected('a colon')
      at += 1
      skipSpace()
      if (visit(depth, key, offset, at)) throw twice(key, offset)
      value(depth + 1)
      leave?.(depth, at)
      if (!more(0x7d, '}')) return
    }
  }

  function array(depth: number): void {
    enter(depth)
    if (skipSpace() === 0x5d) {
      at += 1
      return
    }
    for (let index = 0; ; index++) {
      skipSpace()
      visit(depth, index, at, at)
      value(depth + 1)
      if (!more(0x5d, ']')) return
    }
  }

  function enter(depth: number): void {
    if (depth >= MAX_DEPTH) throw new JsonFault(`is nested deeper than ${MAX_DEPTH}`, at)
    at += 1
  }

  /** Behind a member or item: whether another one follows. */
  function more(close: number, name: string): boolean {
    const code = skipSpace()
    if (code !== 0x2c && code !== close) throw unexpected(`a comma or ${name}`)
    at += 1
    return code === 0x2c
  }

  function unexpected(wanted: string): JsonFault {
    const found = at < text.length ? JSON.stringify(text[at]) : 'the end'
    return new JsonFault(`expected ${wanted}, found ${found}`, Math.min(at, text.length))
  }

  value(0)
  return at
}

function twice(key: string, offset: number): JsonFault {
  return new JsonFault(`the key ${JSON.stringify(key)} stands twice in one map`, offset)
}

function checkString(text: string, open: number, close: number): void {
  const raw = text.slice(open + 1, close === -1 ? text.length : close)
  const control = CONTROL.exec(raw)
  if (control !== null) {
    const at = open + 1 + control.index
    throw new JsonFault('a string holds a raw control character, or has no end', at)
  }
  if (close === -1) throw new JsonFault('a string has no end', open)
  for (const escape of raw.matchAll(ESCAPE)) {
    if (escape[0] === '\\') {
      throw new JsonFault('a string holds an unknown escape', open + 1 + escape.index)
    }
  }
}

/** Behind an odd number of backslashes. */
function isEscaped(text: string, quote: number): boolean {
  let before = quote - 1
  while (text.charCodeAt(before) === 0x5c) before -= 1
  return (quote - before) % 2 === 0
}

/** Whether a key of this map was there before: most maps are small, hostile ones are not. */
function createSeen(): (key: string) => boolean {
  const few: string[] = []
  let many: Set<string> | null = null
  return (key) => {
    if (many === null && few.length < 16) {
      if (few.includes(key)) return true
      few.push(key)
      return false
    }
    many ??= new Set(few)
    if (many.has(key)) return true
    many.add(key)
    return false
  }
}
