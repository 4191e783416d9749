/** Whose forwarding fields are believed: nobody's, unless the settings name the peer. */
import { BlockList, isIP } from 'node:net'

export interface Trust {
  trusts(ip: string): boolean
}

/** Of CIDR blocks or single addresses; they are valid (settings are parsed before). */
export function compileTrust(blocks: readonly string[]): Trust {
  if (blocks.length === 0) return { trusts: () => false }
  const list = new BlockList()
  for (const block of blocks) {
    const [address = '', bits] = block.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family)
  }
  return { trusts: (ip) => list.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4') }
}

/** An IPv4 client of an IPv6 socket is an IPv4 client. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** The client behind trusted hops: from the right, the first address that is not trusted itself. */
export function effectiveClient(peer: string, forwardedFor: string, trust: Trust): string {
  let client = peer
  for (const hop of forwardedFor.split(',').reverse()) {
    const address = plainAddress(hop.trim())
    if (isIP(address) === 0) return client
    client = address
    if (!trust.trusts(address)) return client
  }
  return client
}
