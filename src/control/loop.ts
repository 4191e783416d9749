/**
 * Keeps the proxy from being its own server: a backend that points at one of our listeners would send every request
 * round and round, and one that points at the admin would put it in front of everybody.
 */
import { formatAddress } from '../model/address.ts'
import type { Address, Listener, Server } from '../model/snapshot.ts'

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
    return `${server.url} is ${at}; requests would come back to the proxy`
  }
}

const everywhere = new Set(['', '0.0.0.0', '::'])

function reaches(host: string, listening: string, local: () => ReadonlySet<string>): boolean {
  const target = plain(host)
  if (target === plain(listening)) return true
  if (everywhere.has(listening)) return isLoopback(target) || local().has(target)
  // A name for this machine goes to one of its loopback addresses, and to none of 127.0.0.2 ... by itself.
  if (target === 'localhost') return listening === '127.0.0.1' || listening === '::1'
  return listening === 'localhost' && (target === '127.0.0.1' || target === '::1')
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\./.test(host)
  )
}

/** The IPv4 address that an IPv6 one only maps. */
function plain(host: string): string {
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host)
  if (match === null) return host
  const [high, low] = [parseInt(match[1] ?? '', 16), parseInt(match[2] ?? '', 16)]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
