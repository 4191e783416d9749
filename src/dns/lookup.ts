/** The `lookup` of sockets of the main thread, from the resolver's known addresses. */
import type { LookupFunction } from 'node:net'
import type { Resolver } from './resolver.ts'

export function createLookup({ addressesOf }: Pick<Resolver, 'addressesOf'>): LookupFunction {
  return (hostname, { all = false, family = 0 }, callback) => {
    addressesOf(hostname.toLowerCase()).then(
      (addresses) => {
        const wanted = addresses
          .map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
          .filter((one) => family === 0 || family === `IPv${one.family}` || family === one.family)
        const [first] = wanted
        if (first === undefined) callback(new Error(`${hostname} has no such address`), '')
        else if (all) callback(null, wanted)
        else callback(null, first.address, first.family)
      },
      (error: unknown) => callback(error as Error, ''),
    )
  }
}
