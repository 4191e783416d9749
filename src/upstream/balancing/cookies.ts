/** Reading a Cookie field (RFC 6265 section 4.2.1): `one=1; two="2"`. */

const EQUALS = 61

/** The values of a cookie, without white space and quotes around them; the first `most` of them. One walk over the text. */
export function cookieValues(cookies: string, name: string, most: number): string[] {
  const values: string[] = []
  for (let start = 0; start < cookies.length && values.length < most;) {
    const semicolon = cookies.indexOf(';', start)
    const end = semicolon < 0 ? cookies.length : semicolon
    start = skipSpace(cookies, start, end)
    const equals = start + name.length
    if (cookies.charCodeAt(equals) === EQUALS && cookies.startsWith(name, start))
      values.push(unquoted(cookies.slice(equals + 1, end).trim()))
    start = end + 1
  }
  return values
}

function skipSpace(text: string, from: number, end: number): number {
  let at = from
  while (at < end && (text[at] === ' ' || text[at] === '\t')) at++
  return at
}

function unquoted(value: string): string {
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"')
  return isQuoted ? value.slice(1, -1) : value
}
