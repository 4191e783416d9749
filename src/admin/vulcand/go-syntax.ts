/**
 * Why a text is not JSON, in the words of Go's encoding/json, which clients of vulcand show and tests of it compare. A walk
 * with a stack of open brackets.
 */

/** More than what is stored may have. Go has 10,000, at which readers that call themselves run out of stack. */
const MAX_DEPTH = 64

/** Null: it is JSON. */
export function goSyntaxError(text: string): string | null {
  const open: ('{' | '[')[] = []
  let at = 0
  /** What may come: a value; a key or the end of an object; a key; what follows a value. */
  let want: 'value' | 'value-or-end' | 'key-or-end' | 'key' | 'colon' | 'after' = 'value'

  const skip = (): void => {
    while (/[ \t\r\n]/.test(text[at] ?? '')) at++
  }

  for (;;) {
    skip()
    const char = text[at]
    if (char === undefined) return open.length === 0 && want === 'after' ? null : END_OF_INPUT
    if (want === 'after') {
      const last = open.at(-1)
      if (last === undefined) return wrong(char, 'after top-level value')
      at++
      if (char === ',') want = last === '{' ? 'key' : 'value'
      else if (char === (last === '{' ? '}' : ']')) open.pop()
      else return wrong(char, last === '{' ? 'after object key:value pair' : 'after array element')
      continue
    }
    if (want === 'colon') {
      if (char !== ':') return wrong(char, 'after object key')
      at++
      want = 'value'
      continue
    }
    if (want === 'key' || want === 'key-or-end') {
      if (char === '}' && want === 'key-or-end') {
        at++
        open.pop()
        want = 'after'
        continue
      }
      if (char !== '"') return wrong(char, 'looking for beginning of object key string')
      const end = scanString(text, at)
      if (typeof end === 'string') return end
      at = end
      want = 'colon'
      continue
    }
    if (char === ']' && want === 'value-or-end') {
      at++
      open.pop()
      want = 'after'
      continue
    }
    if (char === '{' || char === '[') {
      if (open.length === MAX_DEPTH) return 'exceeded max depth'
      open.push(char)
      at++
      want = char === '{' ? 'key-or-end' : 'value-or-end'
      continue
    }
    const end = scanScalar(text, at, char)
    if (typeof end === 'string') return end
    at = end
    want = 'after'
  }
}

const END_OF_INPUT = 'unexpected end of JSON input'

function wrong(char: string, where: string): string {
  return `invalid character ${quoted(char)} ${where}`
}

/** As Go quotes a byte. */
function quoted(char: string): string {
  if (char === "'") return "'\\''"
  if (char === '"') return `'"'`
  const code = char.charCodeAt(0)
  const names: Readonly<Record<string, string>> = {
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\\': '\\\\',
  }
  const name = names[char]
  if (name !== undefined) return `'${name}'`
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, '0')}'`
  // Go reports the first byte of a character.
  return code < 0x80 ? `'${char}'` : `'${String.fromCharCode(Buffer.from(char)[0] ?? 0x3f)}'`
}

function scanScalar(text: string, at: number, char: string): number | string {
  if (char === '"') return scanString(text, at)
  if (char === '-' || isDigit(char)) return scanNumber(text, at)
  for (const word of ['true', 'false', 'null']) {
    if (word[0] !== char) continue
    for (let step = 1; step < word.length; step++) {
      const found = text[at + step]
      if (found === undefined) return END_OF_INPUT
      const expected = word[step] ?? ''
      if (found !== expected) return wrong(found, `in literal ${word} (expecting '${expected}')`)
    }
    return at + word.length
  }
  return wrong(char, 'looking for beginning of value')
}

function scanString(text: string, from: number): number | string {
  for (let at = from + 1; ; at++) {
    const char = text[at]
    if (char === undefined) return END_OF_INPUT
    if (char === '"') return at + 1
    if (char < ' ') return wrong(char, 'in string literal')
    if (char !== '\\') continue
    const escape = text[++at]
    if (escape === undefined) return END_OF_INPUT
    if (escape === 'u') {
      for (let digit = 0; digit < 4; digit++) {
        const hex = text[++at]
        if (hex === undefined) return END_OF_INPUT
        if (!/[0-9a-fA-F]/.test(hex)) return wrong(hex, 'in \\u hexadecimal character escape')
      }
    } else if (!'bfnrt\\/"'.includes(escape)) return wrong(escape, 'in string escape code')
  }
}

function scanNumber(text: string, from: number): number | string {
  let at = from
  const need = (): string | null => {
    const char = text[at]
    if (char === undefined) return END_OF_INPUT
    return isDigit(char) ? null : wrong(char, 'in numeric literal')
  }
  if (text[at] === '-') at++
  const first = need()
  if (first !== null) return first
  if (text[at] === '0') at++
  else while (isDigit(text[at])) at++
  if (text[at] === '.') {
    at++
    const missing = text[at] === undefined ? END_OF_INPUT : null
    if (missing !== null) return missing
    if (!isDigit(text[at])) return wrong(text[at] ?? '', 'after decimal point in numeric literal')
    while (isDigit(text[at])) at++
  }
  if (text[at] === 'e' || text[at] === 'E') {
    at++
    if (text[at] === '+' || text[at] === '-') at++
    if (text[at] === undefined) return END_OF_INPUT
    if (!isDigit(text[at])) return wrong(text[at] ?? '', 'in exponent of numeric literal')
    while (isDigit(text[at])) at++
  }
  return at
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9'
}
