/**
 * Keeps the proxy from being its own server: a backend that points at one of our listeners would send every request
 * round and round, and one that points at the admin would put it in front of everybody.
 */
import { formatAddress, withoutRoot } from '../../model/address.ts'
import { isEverywhere, isLoopbackHost, plainHost } from '../../model/ip.ts'
import type { Address, Listener, Server } from '../../model/snapshot.ts'

/** Why a server cannot be one, or null. */
export type FindLoop = (server: Server) => string | null

interface Holder {
  readonly address: Address
  readonly name: string
}

/** `local`: the addresses of this machine's interfaces, canonical as the model writes hosts. Asked when it matters. */
export function createLoopCheck(
  listeners: Iterable<Listener>,
  admin: Address | null,
  local: () => ReadonlySet<string>,
): FindLoop {
  const byPort = new Map<number, Holder[]>()
  const hold = (address: Address, name: string): void => {
    if (address.port === 0) return
    const holders = byPort.get(address.port) ?? []
    byPort.set(address.port, [...holders, { address, name }])
  }
  if (admin !== null) hold(admin, 'the admin')
  for (const { id, address } of listeners) hold(address, `our own listener "${id}"`)

  return (server) => {
    const holder = byPort
      .get(server.port)
      ?.find(({ address }) => reaches(server.host, address.host, local))
    if (holder === undefined) return null
    const at = `${holder.name} on ${formatAddress(holder.address)}`
    return `${JSON.stringify(server.url)} is ${at}; requests would come back to the proxy`
  }
}

function reaches(host: string, listening: string, local: () => ReadonlySet<string>): boolean {
  const target = plainHost(withoutRoot(host))
  const own = plainHost(listening)
  if (target === own) return true
  if (isEverywhere(own)) return isLoopbackHost(target) || local().has(target)
  // A name for this machine goes to one of its loopback addresses, and to none of 127.0.0.2 ... by itself.
  if (target === 'localhost') return own === '127.0.0.1' || own === '::1'
  return own === 'localhost' && (target === '127.0.0.1' || target === '::1')
}
