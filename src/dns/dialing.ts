/**
 * Where clients connect that open their own connections: those of etcd and Redis. They are loaded in whichever thread needs them,
 * so each thread says once how its names are resolved; in the commands, which have no resolver, the system does it.
 */
import { isIP } from 'node:net'
import type { NameListener, NameTable } from './names.ts'

export type AddressesOf = (name: string) => Promise<readonly string[]>

let addressesOf: AddressesOf | null = null
let turn = 0

export function resolveNamesBy(resolve: AddressesOf | null): void {
  addressesOf = resolve
}

/** An address of the host, of several another one each time. Rejects with the reason why there is none. */
export async function addressOf(host: string): Promise<string> {
  if (addressesOf === null || isIP(host) !== 0) return host
  const addresses = await addressesOf(host.toLowerCase())
  return addresses[turn++ % addresses.length] ?? host
}

/** In a serving thread: the main thread is asked to follow the name, and tells of it as of those of servers. */
export function askMainThread(names: NameTable, follow: (name: string) => void): AddressesOf {
  return (name) => {
    // Also where it is known: a name without requests is forgotten after a while.
    follow(name)
    return new Promise((resolve, reject) => {
      const hear: NameListener = ({ addresses, failure }) => {
        if (addresses.length === 0 && failure === null) return
        names.unlisten(name, hear)
        if (addresses.length > 0) resolve(addresses)
        else reject(new Error(`${name} cannot be resolved: ${failure}`))
      }
      names.listen(name, hear)
      hear(names.get(name))
    })
  }
}
