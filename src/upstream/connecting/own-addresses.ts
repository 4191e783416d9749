/**
 * The addresses that this process listens on. Admission compares what is declared (control/admission); a name may still lead
 * back to the proxy, and its addresses may change. So each connection is checked once it is made, before it is used.
 */
import { readLocalAddresses } from '../../dns/local-addresses.ts'
import { clock } from '../../http/connection/clock.ts'
import { formatIp, isIPv4, isLoopback, parseIp, plainHost } from '../../model/ip.ts'

export interface OwnAddress {
  /** For messages: `the admin`. */
  readonly name: string
  /** An address, '' or an unspecified address for all interfaces, or a name. */
  readonly host: string
  readonly port: number
}

/** The two ends of an outgoing connection: a part of a socket. */
export interface Ends {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
}

/** A new address of an interface is seen after at most this time. */
const REREAD_MS = 1_000

export class OwnAddresses {
  #all: readonly OwnAddress[] = []
  #interfaces: ReadonlySet<string> = new Set()
  #readAt = -Infinity

  replace(all: readonly OwnAddress[]): void {
    this.#all = all
      .filter(({ port }) => port !== 0)
      .map((own) => ({ ...own, host: plainHost(own.host) }))
  }

  /** The own address at the other end, or null. */
  find(ends: Ends): OwnAddress | null {
    for (const own of this.#all) {
      if (own.port === ends.remotePort && this.#isAt(own.host, ends)) return own
    }
    return null
  }

  #isAt(host: string, { remoteAddress = '', localAddress = '' }: Ends): boolean {
    const ip = parseIp(remoteAddress)
    if (ip === null) return false
    const remote = formatIp(ip)
    if (remote === host) return true
    // On Linux `::` accepts IPv4, too.
    const isAnywhere = host === '0.0.0.0' ? isIPv4(ip) : host === '::' || parseIp(host) === null
    if (!isAnywhere) return false
    // A connection to oneself has that address as its source, except that an interface's further addresses use its first one.
    return remote === plainHost(localAddress) || isLoopback(ip) || this.#isInterface(remote)
  }

  #isInterface(address: string): boolean {
    if (clock.now - this.#readAt > REREAD_MS) {
      this.#interfaces = readLocalAddresses()
      this.#readAt = clock.now
    }
    return this.#interfaces.has(address)
  }
}
