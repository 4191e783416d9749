/**
 * Walks over JSON text (RFC 8259) without making values. It reports the place of every member, and finds what JSON.parse
 * accepts (duplicate keys) or reports without a place. JSON.parse still makes the values.
 *
 * Files may have 10 MB, so it compares character codes and finds the ends of strings with indexOf.
 */

/** A fault in the text, at an offset. */
export class JsonFault extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.name = 'JsonFault'
    this.offset = offset
  }
}

/**
 * Called for each member or item; `depth` 0 is directly in the walked value. Returns whether the key is a duplicate. Below
 * depth 1, where maps are small, the walk finds duplicates itself.
 */
export type Visit = (
  depth: number,
  step: string | number,
  offset: number,
  valueOffset: number,
) => boolean

/** Called after a member. */
export type Leave = (depth: number, end: number) => void

const MAX_DEPTH = 32
const NUMBER_OR_WORD = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})?/g
const CONTROL = /[\x00-\x1f]/

/**
 * The value of the whole text. JSON.parse makes it, and the walk finds duplicate keys and the place of a fault, which the
 * messages of JSON.parse mostly lack. Throws a JsonFault.
 */
export function parseJson(text: string, visit: Visit, leave: Leave | null = null): unknown {
  let value: unknown
  let parsed = true
  try {
    value = JSON.parse(text)
  } catch {
    parsed = false
  }
  const end = walkJson(text, 0, parsed, visit, leave)
  if (parsed) return value
  const behind = text.slice(end).search(/[^ \t\r\n]/)
  throw new JsonFault('there is text after the end', end + Math.max(behind, 0))
}

/**
 * Returns the offset after the value that begins at `start`, or after spaces from there. `parsed`: JSON.parse has accepted the
 * text, so strings are not checked again.
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

  /** After a member or item: returns whether another one follows. */
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
  return new JsonFault(`the key ${JSON.stringify(key)} occurs twice in one map`, offset)
}

function checkString(text: string, open: number, close: number): void {
  const raw = text.slice(open + 1, close === -1 ? text.length : close)
  const control = CONTROL.exec(raw)
  if (control !== null) {
    const at = open + 1 + control.index
    throw new JsonFault('a string has a raw control character, or no end', at)
  }
  if (close === -1) throw new JsonFault('a string has no end', open)
  for (const escape of raw.matchAll(ESCAPE)) {
    if (escape[0] === '\\') {
      throw new JsonFault('a string has an unknown escape', open + 1 + escape.index)
    }
  }
}

/** Whether an odd number of backslashes is before it. */
function isEscaped(text: string, quote: number): boolean {
  let before = quote - 1
  while (text.charCodeAt(before) === 0x5c) before -= 1
  return (quote - before) % 2 === 0
}

/** Returns a check for duplicate keys of one map: most maps are small, hostile ones are not. */
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
