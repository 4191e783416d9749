/** What no message, answer or log line may show. */

/** Replaces a value that is not shown. */
export const HIDDEN = '(hidden)'

/** Members with these names (in lower case) are secret at any depth: of a cookie, of Redis, of a header that is set. */
export const SECRET_NAMES: ReadonlySet<string> = new Set([
  ...['secret', 'password', 'authorization', 'proxy-authorization', 'x-api-key'],
])

/** PEM text, and how it begins in base64, as vulcand has it. */
const PRIVATE_KEY = /PRIVATE KEY|^\s*LS0tLS1CRUdJTi/

export function holdsPrivateKey(text: string): boolean {
  return PRIVATE_KEY.test(text)
}

/** What a sentence quotes of a refused value: `must be text, not 1234`. */
const REFUSED = /(?<=\bnot )(?:".*"|-?\d[\w.+-]*)/s

/** `what` about the place `path`, without the value if the place is a secret member. */
export function withoutSecret(path: readonly (string | number)[], what: string): string {
  const isSecret = path.some((step) => SECRET_NAMES.has(String(step).toLowerCase()))
  return isSecret ? what.replace(REFUSED, HIDDEN) : what
}
