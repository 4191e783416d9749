/** Which octets the names and values of fields may have (RFC 9113 section 8.2.1). */
const NAME = 1
const VALUE = 2
const COLON = 58
const BLANK = 32

/** Where a byte may stand: in a name, in a value. */
const CLASSES: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
  const isName = /[!#$%&'*+.^_`|~0-9a-z-]/.test(String.fromCharCode(code))
  const isValue = code === 9 || (code >= BLANK && code !== 127)
  return (isName ? NAME : 0) | (isValue ? VALUE : 0)
})

/** The name of a field (RFC 9113 section 8.2.1), or of a pseudo-field. */
export function holdsName(bytes: Uint8Array, from: number, length: number): boolean {
  if (length === 0) return false
  const end = from + length
  let at = length > 1 && bytes[from] === COLON ? from + 1 : from
  while (at < end && ((CLASSES[bytes[at] ?? 0] ?? 0) & NAME) !== 0) at++
  return at === end
}

export function holdsValue(bytes: Uint8Array, from: number, length: number): boolean {
  if (length === 0) return true
  const end = from + length
  if ((bytes[from] ?? 0) <= BLANK || (bytes[end - 1] ?? 0) <= BLANK) return false
  let at = from
  while (at < end && ((CLASSES[bytes[at] ?? 0] ?? 0) & VALUE) !== 0) at++
  return at === end
}
