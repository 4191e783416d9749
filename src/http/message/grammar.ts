/**
 * The grammar of heads as regular expressions, for what is off the hot path (trailers, incomplete heads, error details), and the
 * character functions that head-lines.ts uses.
 */
import { TCHAR } from '../../model/names.ts'

const FIELDS = `(?:${TCHAR}+:[\\t -~\\x80-\\xff]*\\r\\n)*`

/** Trailer fields: like a head's, without a start line. */
export const TRAILERS: RegExp = new RegExp(`^${FIELDS}$`)

export const REQUEST_LINE: RegExp = new RegExp(`^${TCHAR}{1,32} [!-"$-~]+ HTTP/[0-9]\\.[0-9]$`)
const METHOD = new RegExp(`^${TCHAR}{1,32}$`)
export const TOKEN_CHARACTER: RegExp = new RegExp(TCHAR)

/** A CR without LF, a LF without CR, or a NUL: no later byte can make this head valid. */
export const BROKEN_LINE: RegExp = /\r(?!\n|$)|(?<!\r)\n|\0/

/** Of both versions; the empty lines that version 2 begins with are skipped before a request. */
export const PROXY_HEADER: RegExp = /^(?:PROXY (?:TCP[46]|UNKNOWN)\b|\0\r\nQUIT\n)/
export const UNEXPECTED_PROXY_HEADER =
  "a PROXY header came where none is expected; name its sender in the listener's proxyProtocol.trusted, or let it send none"

/** Which part of a complete request head breaks the grammar: for the error response, off the hot path. */
export function faultOfRequestHead(text: string): {
  part: 'line' | 'version' | 'field'
  detail: string
} {
  const end = text.indexOf('\r\n')
  const line = text.slice(0, end)
  const version = /^(\S+) (\S+) HTTP\/([0-9])\.([0-9])$/.exec(line)
  if (version !== null && version[3] !== '1') {
    return version[3] === '0'
      ? { part: 'line', detail: 'HTTP/0.9 is not spoken here' }
      : { part: 'version', detail: 'only HTTP/1.0 and HTTP/1.1 are spoken here' }
  }
  if (PROXY_HEADER.test(text)) return { part: 'line', detail: UNEXPECTED_PROXY_HEADER }
  if (!REQUEST_LINE.test(line)) {
    const method = line.split(' ', 1)[0] ?? ''
    return METHOD.test(method)
      ? { part: 'line', detail: 'the request line is not "method target HTTP/1.1"' }
      : { part: 'line', detail: 'the method is not a token of at most 32 characters' }
  }
  return { part: 'field', detail: faultOfFields(text.slice(end + 2)) }
}

/** The first field line that breaks the grammar, as a message. */
export function faultOfFields(text: string): string {
  if (BROKEN_LINE.test(text)) return 'a line of the head does not end with CRLF'
  for (const line of text.split('\r\n')) {
    if (line === '') continue
    if (/^[ \t]/.test(line)) return 'a field is folded over two lines'
    const colon = line.indexOf(':')
    if (colon <= 0) return 'a field has no name or no colon'
    if (!new RegExp(`^${TCHAR}+$`).test(line.slice(0, colon))) return 'a field name is not a token'
  }
  return 'a field value holds a control character'
}

/** The part of text[from, to) without surrounding spaces and tabs. */
export function trimmed(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

/** The number in text[from, to): at most 15 digits, with spaces and tabs around them; -1: not a number. */
export function digitsIn(text: string, from: number, to: number): number {
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  if (from === to || to - from > MOST_DIGITS) return -1
  let number = 0
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return number
}

/** Whether text[from, to), a field name, is `name`, which is in lower case and has letters, digits and hyphens only. */
export function isNamed(text: string, from: number, to: number, name: string): boolean {
  if (to - from !== name.length) return false
  // Of all token characters only the upper-case letter becomes one of these.
  for (let at = 0; at < name.length; at++)
    if ((text.charCodeAt(from + at) | 32) !== name.charCodeAt(at)) return false
  return true
}

/** Every such number is a safe integer. */
const MOST_DIGITS = 15
const ZERO = 48

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}
