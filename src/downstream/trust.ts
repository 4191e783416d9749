/** Whose forwarding fields are believed: nobody's, unless the settings name the peer. */
import { compileNetworks, plainHost } from '../model/ip.ts'

export interface Trust {
  trusts(ip: string): boolean
}

/** Of CIDR blocks or single addresses; they are valid (settings are parsed before). */
export function compileTrust(blocks: readonly string[]): Trust {
  return { trusts: compileNetworks(blocks) }
}

/** An IPv4 client of an IPv6 socket is an IPv4 client, however its address is written. */
export function plainAddress(address: string): string {
  return plainHost(address)
}
