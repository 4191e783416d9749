/** Go's quoted forms of strings and characters (package strconv). */

const SHORT: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

/** `isAscii`: everything beyond is escaped. */
export function quote(text: string, isAscii: boolean): string {
  return `"${escape(text, '"', isAscii)}"`
}

export function quoteCharacter(character: string, isAscii: boolean): string {
  return `'${escape(character, "'", isAscii)}'`
}

/** Whether it can stand between backquotes: one line without a backquote. */
export function canBackquote(text: string): boolean {
  return !/[\x00-\x08\x0a-\x1f`\x7f\ufeff]/.test(text)
}

/** Letters, marks, numbers, punctuation, symbols and the space of ASCII. */
export function isPrintable(character: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)
}

function escape(text: string, mark: string, isAscii: boolean): string {
  let escaped = ''
  for (const character of text) escaped += escapeOne(character, mark, isAscii)
  return escaped
}

function escapeOne(character: string, mark: string, isAscii: boolean): string {
  const short = character === mark ? `\\${mark}` : SHORT[character]
  if (short !== undefined) return short
  const point = character.codePointAt(0) ?? 0
  if (point < 0x7f ? point >= 0x20 : !isAscii && isPrintable(character)) return character
  if (point < 0x20 || point === 0x7f) return `\\x${point.toString(16).padStart(2, '0')}`
  return point > 0xffff
    ? `\\U${point.toString(16).padStart(8, '0')}`
    : `\\u${point.toString(16).padStart(4, '0')}`
}
