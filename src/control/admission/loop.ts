/**
 * Keeps the proxy from being its own server. A server at the address of a listener would send each request back to the
 * proxy; one at the address of the admin would make the admin public. Host names that resolve to the proxy are found when
 * a connection is made, see upstream/connecting/own-addresses.ts.
 */
import { formatAddress, withoutRoot } from '../../model/address.ts'
import { isEverywhere, isLoopbackHost, plainHost } from '../../model/ip.ts'
import { isSocketAddress } from '../../model/listener.ts'
import type { Address, Listener, Server } from '../../model/snapshot.ts'

/** Returns why the server would be a loop, or null. */
export type FindLoop = (server: Server) => string | null

interface Owner {
  readonly address: Address
  readonly name: string
}

/** `local` returns the canonical addresses of this machine's interfaces; called only if an owner listens on all of them. `adminSocket`: its path. */
export function createLoopCheck(
  listeners: Iterable<Listener>,
  admin: Address | null,
  local: () => ReadonlySet<string>,
  adminSocket: string | null = null,
): FindLoop {
  const byPort = new Map<number, Owner[]>()
  /** Sluice's listeners, by the paths of their sockets. */
  const byPath = new Map<string, string>()
  const add = (address: Address, name: string): void => {
    if (address.port === 0) return
    const owners = byPort.get(address.port) ?? []
    byPort.set(address.port, [...owners, { address, name }])
  }
  if (admin !== null) add(admin, 'the admin')
  for (const { id, address } of listeners) {
    const name = `Sluice's listener "${id}"`
    if (isSocketAddress(address)) byPath.set(address.path, name)
    else add(address, name)
  }

  return (server) => {
    if (server.port === 0 && server.host === adminSocket) {
      return `${JSON.stringify(server.url)} is the socket of the admin; requests would reach it`
    }
    const atPath = server.port === 0 ? byPath.get(server.host) : undefined
    if (atPath !== undefined) {
      return `${JSON.stringify(server.url)} is the socket of ${atPath}; requests would come back to the proxy`
    }
    const owner = byPort
      .get(server.port)
      ?.find(({ address }) => reaches(server.host, address.host, local))
    if (owner === undefined) return null
    const at = `${owner.name} on ${formatAddress(owner.address)}`
    return `${JSON.stringify(server.url)} is ${at}; requests would come back to the proxy`
  }
}

function reaches(host: string, listening: string, local: () => ReadonlySet<string>): boolean {
  const target = plainHost(withoutRoot(host))
  const own = plainHost(listening)
  if (target === own) return true
  if (isEverywhere(own)) return isLoopbackHost(target) || local().has(target)
  // `localhost` resolves to 127.0.0.1 or ::1, and not to other loopback addresses.
  if (target === 'localhost') return own === '127.0.0.1' || own === '::1'
  return own === 'localhost' && (target === '127.0.0.1' || target === '::1')
}
