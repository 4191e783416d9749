/** Addresses and CIDR blocks, IPv4 and IPv6. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. */
import { BlockList, isIP } from 'node:net'

/** What is wrong with an address or block, or null. */
export function networkFault(text: string): string | null {
  const { address, prefix } = split(text)
  const family = isIP(address)
  if (family === 0 || address.includes('%')) {
    return `"${text}" is no address and no block, expected one like "10.0.0.0/8" or "2001:db8::/32"`
  }
  const longest = family === 4 ? 32 : 128
  if (prefix !== null && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > longest)) {
    return `"${text}" has no valid prefix length, expected 0 to ${longest}`
  }
  return null
}

/** Whether an address is in any of the networks, all of which have no fault. */
export function compileNetworks(texts: readonly string[]): (address: string) => boolean {
  const networks = new BlockList()
  for (const text of texts) {
    const { address, prefix } = split(text)
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    networks.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family)
  }
  return (address) => {
    const version = isIP(address)
    return version !== 0 && networks.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }
}

function split(text: string): { address: string; prefix: string | null } {
  const slash = text.indexOf('/')
  if (slash < 0) return { address: text, prefix: null }
  return { address: text.slice(0, slash), prefix: text.slice(slash + 1) }
}
