/** The addresses of this machine's interfaces, canonical and without zones: where a server may be the proxy itself. */
import { networkInterfaces } from 'node:os'
import { plainHost } from '../model/ip.ts'

export function readLocalAddresses(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((of) => of ?? [])
  return new Set(addresses.map(({ address }) => plainHost(address)))
}
