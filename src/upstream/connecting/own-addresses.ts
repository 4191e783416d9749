/**
 * Where this very program listens. Admission compares what is declared; a name may still lead back to us, and what it
 * resolves to may change: so a connection is looked at once it is made, before it is used.
 */
import { readLocalAddresses } from '../../dns/local-addresses.ts'
import { clock } from '../../http/clock.ts'
import { formatIp, isIPv4, isLoopback, parseIp, plainHost } from '../../model/ip.ts'

export interface OwnAddress {
  /** For people: `the admin`. */
  readonly name: string
  /** An address, '' or an unspecified one for everywhere, or a name. */
  readonly host: string
  readonly port: number
}

/** The ends of a connection that we made: a part of a socket. */
export interface Ends {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
}

/** An interface that is given an address meanwhile is seen after this. */
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

  /** What of ours is at the other end, or null. */
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
    // On Linux `::` takes IPv4 too.
    const isAnywhere = host === '0.0.0.0' ? isIPv4(ip) : host === '::' || parseIp(host) === null
    if (!isAnywhere) return false
    // The source of a connection to oneself is that address, but of the interface's first one for its further ones.
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
