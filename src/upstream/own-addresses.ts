/**
 * Where this very program listens. Admission compares what is declared; a name may still lead back to us, and what it
 * resolves to may change: so a connection is looked at once it is made, before it is used.
 */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { clock } from '../http/clock.ts'

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
    this.#all = all.filter(({ port }) => port !== 0)
  }

  /** What of ours is at the other end, or null. */
  find(ends: Ends): OwnAddress | null {
    for (const own of this.#all) {
      if (own.port === ends.remotePort && this.#isAt(own.host, ends)) return own
    }
    return null
  }

  #isAt(host: string, { remoteAddress = '', localAddress = '' }: Ends): boolean {
    const remote = unmapped(remoteAddress)
    if (remote === '') return false
    if (remote === host) return true
    // On Linux `::` takes IPv4 too.
    const isAnywhere = host === '0.0.0.0' ? isIP(remote) === 4 : host === '::' || isIP(host) === 0
    if (!isAnywhere) return false
    // The source of a connection to oneself is that address, but of the interface's first one for its further ones.
    return remote === unmapped(localAddress) || isLoopback(remote) || this.#isInterface(remote)
  }

  #isInterface(address: string): boolean {
    if (clock.now - this.#readAt > REREAD_MS) {
      const all = Object.values(networkInterfaces()).flatMap((of) => of ?? [])
      this.#interfaces = new Set(all.map((one) => one.address))
      this.#readAt = clock.now
    }
    return this.#interfaces.has(address)
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))
}

function unmapped(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
