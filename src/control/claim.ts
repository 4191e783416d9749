/**
 * Which listener holds which address. Whoever holds one keeps it: a mistake in a new listener takes nothing from one that
 * serves. Among those that come at the same time the first by id wins, whatever order they are written in.
 */
import { formatAddress } from '../model/address.ts'
import type { Address, Listener } from '../model/snapshot.ts'
import type { Entry } from './entry.ts'

export interface Claim {
  readonly entry: Entry<Listener>
  /** What may be in force: as written, the last good version, or nothing. */
  readonly object: Listener | null
  /** Why it is not what is written; null when it is, or when that did not parse. */
  readonly refused: string | null
}

export function claimAddresses(
  entries: Iterable<Entry<Listener>>,
  admin: Address | null,
): readonly Claim[] {
  const holders = new Map<string, string>()
  if (admin !== null && admin.port !== 0) holders.set(formatAddress(admin), 'the admin')

  function refuse({ address }: Listener): string | null {
    const holder = address.port === 0 ? undefined : holders.get(formatAddress(address))
    if (holder === undefined) return null
    return `cannot listen on ${formatAddress(address)}: ${holder} already holds it`
  }

  function hold({ id, address }: Listener): void {
    if (address.port !== 0) holders.set(formatAddress(address), `listener "${id}"`)
  }

  return [...entries].sort(byClaim).map((entry): Claim => {
    const live = entry.live?.object ?? null
    const refused = entry.parsed === null ? null : refuse(entry.parsed)
    const wanted = refused === null ? (entry.parsed ?? live) : live
    const object = wanted !== null && refuse(wanted) === null ? wanted : null
    if (object !== null) hold(object)
    return { entry, object, refused }
  })
}

function byClaim(a: Entry<Listener>, b: Entry<Listener>): number {
  return rank(a) - rank(b) || (a.declared.id < b.declared.id ? -1 : 1)
}

function rank({ parsed, live }: Entry<Listener>): number {
  if (live === null) return 2
  if (parsed === null) return 0
  return formatAddress(parsed.address) === formatAddress(live.object.address) ? 0 : 1
}
