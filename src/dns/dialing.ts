/**
 * Resolves names for clients that open their own connections, those of registries and Redis. They run in any thread, so each
 * thread sets once how names are resolved. Commands have no resolver; there, the system resolves.
 */
import { isIP } from 'node:net'
import type { NameListener, NameTable } from './names.ts'

export type AddressesOf = (name: string) => Promise<readonly string[]>

let addressesOf: AddressesOf | null = null
let turn = 0
/** By host, the oldest first. A resolver forgets names that are not asked for, and a connection may last for days. */
const lastGood = new Map<string, readonly string[]>()
const MOST_KEPT = 1024

export function resolveNamesBy(resolve: AddressesOf | null): void {
  addressesOf = resolve
  lastGood.clear()
}

/**
 * An address of the host; with several, each call returns the next. If the lookup fails, the last good addresses are used;
 * rejects with the reason if there are none.
 */
export async function addressOf(host: string): Promise<string> {
  if (addressesOf === null || isIP(host) !== 0) return host
  const addresses = await resolveOrLast(addressesOf, host.toLowerCase())
  return addresses[turn++ % addresses.length] ?? host
}

async function resolveOrLast(resolve: AddressesOf, name: string): Promise<readonly string[]> {
  try {
    const addresses = await resolve(name)
    keep(name, addresses)
    return addresses
  } catch (error) {
    const last = lastGood.get(name)
    if (last === undefined) throw error
    return last
  }
}

function keep(name: string, addresses: readonly string[]): void {
  lastGood.delete(name)
  lastGood.set(name, addresses)
  const [oldest] = lastGood.keys()
  if (lastGood.size > MOST_KEPT && oldest !== undefined) lastGood.delete(oldest)
}

/** For a serving thread: the main thread follows the name and posts its addresses as for those of servers. */
export function resolveByMainThread(names: NameTable, follow: (name: string) => void): AddressesOf {
  return (name) => {
    // Each time, because a name without requests is forgotten after a while.
    follow(name)
    return new Promise((resolve, reject) => {
      const onKnown: NameListener = ({ addresses, failure }) => {
        if (addresses.length === 0 && failure === null) return
        names.unlisten(name, onKnown)
        if (addresses.length > 0) resolve(addresses)
        else reject(new Error(`${name} cannot be resolved: ${failure}`))
      }
      names.listen(name, onKnown)
      onKnown(names.get(name))
    })
  }
}
