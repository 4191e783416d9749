/**
 * The grammar of a message head, as text: RFC 9112 sections 2 to 5, read strictly. One anchored expression validates a
 * whole head (start line and fields, without the empty line at its end) in one linear pass; what comes after may rely
 * on it: every line ends with CRLF, has a name of token characters directly before its colon, and no control but HTAB.
 */
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
const FIELDS = `(?:${TOKEN}+:[\\t -~\\x80-\\xff]*\\r\\n)*`

/** method, target (visible ASCII but `#`), minor version. */
export const REQUEST_HEAD: RegExp = new RegExp(
  `^(${TOKEN}{1,32}) ([!-"$-~]+) HTTP/1\\.([0-9])\\r\\n${FIELDS}$`,
)

/** minor version, status (of 600 and more are some in use), reason. The space before an empty reason may be missing (RFC 9112 section 4). */
export const STATUS_HEAD: RegExp = new RegExp(
  `^HTTP/1\\.([0-9]) ([1-9][0-9][0-9])(?: ([\\t -~\\x80-\\xff]*))?\\r\\n${FIELDS}$`,
)

/** Trailer fields: like a head's, without a start line. */
export const TRAILERS: RegExp = new RegExp(`^${FIELDS}$`)

export const REQUEST_LINE: RegExp = new RegExp(`^${TOKEN}{1,32} [!-"$-~]+ HTTP/[0-9]\\.[0-9]$`)
const METHOD = new RegExp(`^${TOKEN}{1,32}$`)
export const TOKEN_CHARACTER: RegExp = new RegExp(TOKEN)
export const DIGITS: RegExp = /^[0-9]{1,15}$/

/** A CR without LF, a LF without CR, or a NUL: no later byte can make this head right. */
export const BROKEN_LINE: RegExp = /\r(?!\n|$)|(?<!\r)\n|\0/

/** Which part of a complete request head breaks the grammar: for the error answer, off the hot path. */
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
  if (!REQUEST_LINE.test(line)) {
    const method = line.split(' ', 1)[0] ?? ''
    return METHOD.test(method)
      ? { part: 'line', detail: 'the request line is not "method target HTTP/1.1"' }
      : { part: 'line', detail: 'the method is not a token of at most 32 characters' }
  }
  return { part: 'field', detail: faultOfFields(text.slice(end + 2)) }
}

/** The first field line that breaks the grammar, in words. */
export function faultOfFields(text: string): string {
  if (BROKEN_LINE.test(text)) return 'a line of the head does not end with CRLF'
  for (const line of text.split('\r\n')) {
    if (line === '') continue
    if (/^[ \t]/.test(line)) return 'a field is folded over two lines'
    const colon = line.indexOf(':')
    if (colon <= 0) return 'a field has no name or no colon'
    if (!new RegExp(`^${TOKEN}+$`).test(line.slice(0, colon))) return 'a field name is not a token'
  }
  return 'a field value holds a control character'
}

/** The part of text[from, to) without surrounding spaces and tabs. */
export function trimmed(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}
