/** A block of addresses: `10.0.0.0/8`, `fd00::/8`; a single address is a block of one. */
import { parseNetwork } from './ip.ts'
import { quote } from './parsed.ts'
import { bad, good, type Scalar } from './scalar.ts'

/** Canonical: the prefix length always written. */
export function parseCidr(value: unknown): Scalar<string> {
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  if (text.length > 50 || parseNetwork(text) === null) {
    return bad(`must be an address block such as 10.0.0.0/8 or fd00::/8, not ${quote(value)}`)
  }
  const [address = '', length] = text.split('/')
  return good(`${address}/${Number(length ?? (address.includes(':') ? 128 : 32))}`)
}
