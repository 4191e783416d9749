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
  return PRIVATE_KEY.test(text) || isBareKey(text)
}

/** Where the head of a DER sequence is, with the longest form of its length: enough of the text. */
const BARE = /^\s*(M[\w+/-]{15})/
const INTEGER = 0x02
const OCTETS = 0x04
const SEQUENCE = 0x30

/**
 * The base64 of DER without PEM lines: a sequence that begins with a version of 0 or 1, and goes on as PKCS #8 (a sequence), PKCS #1 (an
 * integer) or SEC 1 (octets) does. A certificate begins with another sequence.
 */
function isBareKey(text: string): boolean {
  const der = Buffer.from(BARE.exec(text)?.[1] ?? '', 'base64')
  const long = der[1] ?? 0
  const at = long > 0x80 ? 2 + (long & 0x7f) : 2
  const [tag, length, version = 2, next = 0] = der.subarray(at)
  const isVersion = der[0] === SEQUENCE && tag === INTEGER && length === 1 && version <= 1
  return isVersion && [INTEGER, OCTETS, SEQUENCE].includes(next)
}

/** What a sentence quotes of a refused value: `must be text, not 1234`. */
const REFUSED = /(?<=\bnot )(?:".*"|-?\d[\w.+-]*)/s

/** `what` about the place `path`, without the value if the place is a secret member. */
export function withoutSecret(path: readonly (string | number)[], what: string): string {
  const isSecret = path.some((step) => SECRET_NAMES.has(String(step).toLowerCase()))
  return isSecret ? what.replace(REFUSED, HIDDEN) : what
}
