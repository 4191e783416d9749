/** Whose forwarding fields are believed: nobody's, unless the settings name the peer. */
import { compileNetworks } from '../model/ip.ts'

export interface Trust {
  trusts(ip: string): boolean
}

/** Of CIDR blocks or single addresses; they are valid (settings are parsed before). */
export function compileTrust(blocks: readonly string[]): Trust {
  return { trusts: compileNetworks(blocks) }
}
