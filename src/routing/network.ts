/** Addresses and CIDR blocks as routes write them. */
import { parseNetwork } from '../model/ip.ts'

/** What is wrong with an address or block, or null. */
export function networkFault(text: string): string | null {
  if (parseNetwork(text) !== null) return null
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  if (parseNetwork(address) === null) {
    return `"${text}" is no address and no block, expected one like "10.0.0.0/8" or "2001:db8::/32"`
  }
  const longest = address.includes(':') ? 128 : 32
  return `"${text}" has no valid prefix length, expected 0 to ${longest}`
}
