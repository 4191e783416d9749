/**
 * Which listener gets which address. The listener or the server that is in force on an address keeps it, so that a mistake
 * in a new listener takes nothing from one that serves. Among listeners that come at the same time the one of the earlier
 * source wins, then the first by id; the order of writing plays no part.
 */
import { formatAddress } from '../../model/address.ts'
import { plainHost } from '../../model/ip.ts'
import { HIDDEN, refersAt } from '../../document/referred.ts'
import type { Address, Listener } from '../../model/snapshot.ts'
import type { ObjectRecord } from './object-record.ts'

export interface AddressDecision {
  readonly record: ObjectRecord<Listener>
  /** The version that may be in force: the declared one, the last good one, or null. */
  readonly object: Listener | null
  /** Why the declared version may not be in force; null: it may, or it does not parse. */
  readonly rejection: string | null
}

export interface AddressContext {
  /** Of a source: the lower one wins. */
  readonly precedence: (source: string) => number
  /** The server in force at the listener's address, as `server "a" of backend "b"`, or null. */
  readonly serverAt: (listener: Listener) => string | null
}

export function decideAddresses(
  records: Iterable<ObjectRecord<Listener>>,
  admin: Address | null,
  { precedence, serverAt }: AddressContext,
): readonly AddressDecision[] {
  /** By address. */
  const owners = new Map<string, string>()
  if (admin !== null && admin.port !== 0) owners.set(keyOf(admin), 'the admin')

  function rejectionOf(
    { declared }: ObjectRecord<Listener>,
    listener: Listener,
    inForce: Listener | null,
  ): string | null {
    const { address } = listener
    const key = keyOf(address)
    const isNew = inForce === null || keyOf(inForce.address) !== key
    const owner =
      address.port === 0 ? null : (owners.get(key) ?? (isNew ? serverAt(listener) : null))
    if (owner === null) return null
    const shown = refersAt(declared, ['address']) ? HIDDEN : formatAddress(address)
    return `cannot listen on ${shown}: ${owner} already holds it`
  }

  function inOrder(a: ObjectRecord<Listener>, b: ObjectRecord<Listener>): number {
    const bySource = precedence(a.source) - precedence(b.source)
    return seniority(a) - seniority(b) || bySource || (a.declared.id < b.declared.id ? -1 : 1)
  }

  return [...records].sort(inOrder).map((record): AddressDecision => {
    const inForce = record.inForce?.object ?? null
    const rejection = record.parsed === null ? null : rejectionOf(record, record.parsed, inForce)
    const wanted = rejection === null ? (record.parsed ?? inForce) : inForce
    const object = wanted !== null && rejectionOf(record, wanted, inForce) === null ? wanted : null
    if (object !== null && object.address.port !== 0) {
      owners.set(keyOf(object.address), `listener "${object.id}"`)
    }
    return { record, object, rejection }
  })
}

/** 0: it stays where it listens; 1: it moves; 2: it is new. */
function seniority({ parsed, inForce }: ObjectRecord<Listener>): number {
  if (inForce === null) return 2
  if (parsed === null) return 0
  return keyOf(parsed.address) === keyOf(inForce.object.address) ? 0 : 1
}

/** Equal for equal sockets: `:80` is `[::]:80`, and `[::ffff:127.0.0.1]:80` is 127.0.0.1:80. */
function keyOf({ host, port }: Address): string {
  return formatAddress({ host: host === '' ? '::' : plainHost(host), port })
}
