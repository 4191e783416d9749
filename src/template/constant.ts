/** Go's constants as a template writes them: numbers, characters and quoted strings. */
import type { NumberConstant } from './tree.ts'
import { TemplateError } from './value.ts'

const MAX_INT = 2n ** 63n - 1n
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}
const ESCAPE =
  /\\(?:([abfnrtv\\'"])|x([\dA-Fa-f]{2})|([0-7]{3})|u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8}))/y

/** `text` as the lexer found it. */
export function parseNumber(text: string): NumberConstant {
  if (text.endsWith('i')) throw new TemplateError(`complex numbers are not supported: ${text}`)
  const integer = parseInteger(text)
  if (integer !== null) {
    const fits = integer <= MAX_INT && integer >= -MAX_INT - 1n
    // Go takes up to 2^64 - 1 as an unsigned number, which nothing here takes.
    if (!fits && (integer < 0n || integer >= 2n ** 64n))
      throw new TemplateError(`integer overflow: "${text}"`)
    const found = fits ? integer : null
    return { text, integer: found, float: Number(integer), ideal: found }
  }
  const float = parseFloat64(text)
  if (float === null || !/[.ep]/i.test(text))
    throw new TemplateError(`illegal number syntax: "${text}"`)
  const isWhole = Number.isInteger(float) && Math.abs(float) < 2 ** 63
  const isHex = /^[+-]?0x/i.test(text) && !/p/i.test(text)
  return { text, integer: isWhole ? BigInt(float) : null, float, ideal: isHex ? null : float }
}

/** `'a'`, an int. */
export function parseCharacter(text: string): NumberConstant {
  const inner = text.slice(1, -1)
  const value = inner.startsWith('\\') ? unescapeAt(inner, 0, "'") : null
  const [only] = inner
  const isWhole = value === null ? only === inner : value.end === inner.length
  if (!isWhole || only === undefined || only === "'")
    throw new TemplateError(`malformed character constant: ${text}`)
  const point = value?.point ?? only.codePointAt(0) ?? 0
  const integer = BigInt(point)
  return { text, integer, float: point, ideal: integer }
}

/** A string in double quotes or backquotes. */
export function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1)
  if (quoted.startsWith('`')) return inner.replaceAll('\r', '')
  let text = ''
  const bytes: number[] = []
  const flush = (): void => {
    // `\xc3\xa9` are the bytes of a character.
    text += Buffer.from(bytes).toString()
    bytes.length = 0
  }
  for (let at = 0; at < inner.length;) {
    if (inner[at] !== '\\') {
      flush()
      text += inner[at++]
      continue
    }
    const escape = unescapeAt(inner, at, '"')
    at = escape.end
    if (escape.isByte) bytes.push(escape.point)
    else {
      flush()
      text += String.fromCodePoint(escape.point)
    }
  }
  flush()
  return text
}

interface Escape {
  readonly point: number
  readonly isByte: boolean
  readonly end: number
}

function unescapeAt(text: string, at: number, quote: string): Escape {
  ESCAPE.lastIndex = at
  const found = ESCAPE.exec(text)
  const fail = (): never => {
    throw new TemplateError(`invalid syntax of the escape in ${JSON.stringify(text)}`)
  }
  if (found === null) return fail()
  const [all, letter, hex, octal, short, long] = found
  const end = at + all.length
  if (letter !== undefined) {
    if (letter === "'" || letter === '"') {
      if (letter !== quote) fail()
      return { point: letter.charCodeAt(0), isByte: false, end }
    }
    return { point: (ESCAPES[letter] ?? '').charCodeAt(0), isByte: false, end }
  }
  if (hex !== undefined || octal !== undefined) {
    const point = hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16)
    if (point > 255) fail()
    return { point, isByte: true, end }
  }
  const point = Number.parseInt(short ?? long ?? '', 16)
  if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) fail()
  return { point, isByte: false, end }
}

/** strconv.ParseInt with base 0, without its limits; null if it is no integer. */
function parseInteger(text: string): bigint | null {
  const [, sign, body = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  const lower = body.toLowerCase()
  if (!isUnderscoredWell(lower)) return null
  const digits = lower.replaceAll('_', '')
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits
  if (!/^(?:0x[\da-f]+|0o[0-7]+|0b[01]+|0|[1-9]\d*)$/.test(octal)) return null
  const value = BigInt(octal)
  return sign === '-' ? -value : value
}

/** strconv.ParseFloat; null if it is no number, or beyond all. */
function parseFloat64(text: string): number | null {
  const lower = text.toLowerCase()
  if (/^[+-]?0x/.test(lower)) return parseHexFloat(lower)
  // An underscore needs a prefix of its base.
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(lower)) return null
  const value = Number(lower)
  return Number.isFinite(value) ? value : null
}

function parseHexFloat(text: string): number | null {
  const found = /^([+-]?)0x([\da-f_]*)\.?([\da-f_]*)p([+-]?\d+)$/.exec(text)
  if (found === null) return null
  const [, sign, whole = '', fraction = '', exponent] = found
  if (!isUnderscoredWell(`0x${whole}`) || /^_|__|_$/.test(fraction)) return null
  const digits = (whole + fraction).replaceAll('_', '')
  if (digits === '') return null
  const scale = Number(exponent) - 4 * fraction.replaceAll('_', '').length
  const value = Number(BigInt(`0x${digits}`)) * 2 ** scale
  if (!Number.isFinite(value)) return null
  return sign === '-' ? -value : value
}

/** Underscores stand between digits, or between a prefix and a digit. */
function isUnderscoredWell(lower: string): boolean {
  if (!lower.includes('_')) return true
  return /^(?:0[xob]?(?:_?[\da-f])+|[1-9](?:_?\d)*)$/.test(lower)
}
