/** Whose forwarding fields are trusted: none by default, else the peers that the settings name. */
import { compileNetworks } from '../model/ip.ts'

export interface Trust {
  trusts(ip: string): boolean
}

/** Takes valid CIDR blocks or addresses (settings are validated before). */
export function compileTrust(blocks: readonly string[]): Trust {
  return { trusts: compileNetworks(blocks) }
}
