/**
 * Resolves names for clients that open their own connections, those of etcd and Redis. They run in any thread, so each thread
 * sets once how names are resolved. Commands have no resolver; there, the system resolves.
 */
import { isIP } from 'node:net'
import type { NameListener, NameTable } from './names.ts'

export type AddressesOf = (name: string) => Promise<readonly string[]>

let addressesOf: AddressesOf | null = null
let turn = 0

export function resolveNamesBy(resolve: AddressesOf | null): void {
  addressesOf = resolve
}

/** An address of the host; with several, each call returns the next. Rejects with the reason if there is none. */
export async function addressOf(host: string): Promise<string> {
  if (addressesOf === null || isIP(host) !== 0) return host
  const addresses = await addressesOf(host.toLowerCase())
  return addresses[turn++ % addresses.length] ?? host
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
