/** The addresses of this machine's interfaces, without zones: where a backend could lead back to us. */
import { networkInterfaces } from 'node:os'

export function readLocalAddresses(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((of) => of ?? [])
  return new Set(addresses.map(({ address }) => address))
}
