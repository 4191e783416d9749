/**
 * Which listener holds which address. Whoever holds one keeps it, a server in force as well: a mistake in a new listener
 * takes nothing from what serves. Among those that come at the same time the one of the earlier source wins, then the first
 * by id, whatever order they are written in.
 */
import { formatAddress } from '../../model/address.ts'
import { plainHost } from '../../model/ip.ts'
import { HIDDEN, refersAt } from '../../document/referred.ts'
import type { Address, Listener } from '../../model/snapshot.ts'
import type { ObjectRecord } from './object-record.ts'

export interface Claim {
  readonly record: ObjectRecord<Listener>
  /** What may be in force: as written, the last good version, or nothing. */
  readonly object: Listener | null
  /** Why it is not what is written; null when it is, or when that did not parse. */
  readonly refused: string | null
}

export interface ClaimWorld {
  /** Of a source: lower goes before. */
  readonly precedence: (source: string) => number
  /** Which server in force is where this listener would be, `server "a" of backend "b"`, or null. */
  readonly serverAt: (listener: Listener) => string | null
}

export function claimAddresses(
  records: Iterable<ObjectRecord<Listener>>,
  admin: Address | null,
  { precedence, serverAt }: ClaimWorld,
): readonly Claim[] {
  const holders = new Map<string, string>()
  if (admin !== null && admin.port !== 0) holders.set(placeOf(admin), 'the admin')

  function refuse(
    { declared }: ObjectRecord<Listener>,
    listener: Listener,
    inForce: Listener | null,
  ): string | null {
    const { address } = listener
    const at = placeOf(address)
    const isNew = inForce === null || placeOf(inForce.address) !== at
    const holder =
      address.port === 0 ? null : (holders.get(at) ?? (isNew ? serverAt(listener) : null))
    if (holder === null) return null
    const shown = refersAt(declared, ['address']) ? HIDDEN : formatAddress(address)
    return `cannot listen on ${shown}: ${holder} already holds it`
  }

  function byClaim(a: ObjectRecord<Listener>, b: ObjectRecord<Listener>): number {
    const bySource = precedence(a.source) - precedence(b.source)
    return rank(a) - rank(b) || bySource || (a.declared.id < b.declared.id ? -1 : 1)
  }

  function hold({ id, address }: Listener): void {
    if (address.port !== 0) holders.set(placeOf(address), `listener "${id}"`)
  }

  return [...records].sort(byClaim).map((record): Claim => {
    const inForce = record.inForce?.object ?? null
    const refused = record.parsed === null ? null : refuse(record, record.parsed, inForce)
    const wanted = refused === null ? (record.parsed ?? inForce) : inForce
    const object = wanted !== null && refuse(record, wanted, inForce) === null ? wanted : null
    if (object !== null) hold(object)
    return { record, object, refused }
  })
}

function rank({ parsed, inForce }: ObjectRecord<Listener>): number {
  if (inForce === null) return 2
  if (parsed === null) return 0
  return placeOf(parsed.address) === placeOf(inForce.object.address) ? 0 : 1
}

/** However it is written: `:80` takes what `[::]:80` does, and `[::ffff:127.0.0.1]:80` is 127.0.0.1:80. */
function placeOf({ host, port }: Address): string {
  return formatAddress({ host: host === '' ? '::' : plainHost(host), port })
}
