/** A block of addresses: `10.0.0.0/8`, `fd00::/8`; a single address is a block of one. */
import { isIPv4, isIPv6 } from 'node:net'
import { quote } from './parsed.ts'
import { bad, good, type Scalar } from './scalar.ts'

/** Canonical: the prefix length always written. */
export function parseCidr(value: unknown): Scalar<string> {
  const match =
    typeof value === 'string' ? /^([0-9a-f:.]{1,45})(?:\/(\d{1,3}))?$/i.exec(value) : null
  const address = match?.[1] ?? ''
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0
  const prefix = match?.[2] === undefined ? bits : Number(match[2])
  if (bits === 0 || prefix > bits) {
    return bad(`must be an address block such as 10.0.0.0/8 or fd00::/8, not ${quote(value)}`)
  }
  return good(`${address.toLowerCase()}/${prefix}`)
}
