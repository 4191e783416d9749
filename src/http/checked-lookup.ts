/**
 * Names, looked up for a connection: metadata services and link-local addresses are never reached, whatever resolves to
 * them. The socket connects to the very address that was checked here.
 */
import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { denyHost } from '../model/denied-address.ts'

export const checkedLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) {
      callback(error, '')
      return
    }
    const allowed = addresses.filter(({ address }) => denyHost(address) === null)
    const [first] = allowed
    if (first === undefined) {
      callback(new Error(`${hostname} resolves to link-local or unspecified addresses only`), '')
    } else if (options.all === true) callback(null, allowed)
    else callback(null, first.address, first.family)
  })
}
