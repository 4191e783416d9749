/** Names of header fields and cookies. RFC 9110 5.6.2: a token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}
