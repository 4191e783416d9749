/**
 * Which listener gets which address. The listener or the server that is in force on an address keeps it, so that a mistake
 * in a new listener takes nothing from one that serves. Among listeners that come at the same time the one of the earlier
 * source wins, then the first by id; the order of writing plays no part.
 */
import { formatAddress, formatListenAddress } from '../../model/address.ts'
import { isEverywhere, plainHost } from '../../model/ip.ts'
import { isSocketAddress } from '../../model/listener.ts'
import { refersAt } from '../../document/referred.ts'
import { HIDDEN } from '../../model/secrets.ts'
import type { Address, ListenAddress, Listener } from '../../model/snapshot.ts'
import type { ObjectRecord } from './object-record.ts'

export interface AddressCandidate {
  readonly record: ObjectRecord<Listener>
  /** Null: it is invalid, or waits for its backend. */
  readonly declared: Listener | null
  readonly lastGood: Listener | null
}

export interface AddressDecision<Candidate extends AddressCandidate> {
  readonly candidate: Candidate
  /** The version that may be in force: the declared one, the last good one, or null. */
  readonly object: Listener | null
  /** Why the declared version may not be in force; null: it may, or there is none. */
  readonly rejection: string | null
}

export interface AddressContext {
  /** Of a source: the lower one wins. */
  readonly precedence: (source: string) => number
  /** The server in force at the listener's address, as `server "a" of backend "b"`, or null. */
  readonly serverAt: (listener: Listener) => string | null
}

/** Where the admin listens. */
export interface AdminPlaces {
  readonly address: Address | null
  readonly socket: string | null
}

export function decideAddresses<Candidate extends AddressCandidate>(
  candidates: readonly Candidate[],
  admin: AdminPlaces,
  { precedence, serverAt }: AddressContext,
): readonly AddressDecision<Candidate>[] {
  /** By address. */
  const owners = new Map<string, string>()

  function holderOf(address: ListenAddress): string | null {
    if (isOfAdmin(address, admin)) return 'the admin'
    return isFree(address) ? null : (owners.get(keyOf(address)) ?? null)
  }

  function rejectionOf(
    { declared }: ObjectRecord<Listener>,
    listener: Listener,
    inForce: Listener | null,
  ): string | null {
    const { address } = listener
    const key = keyOf(address)
    const isNew = inForce === null || keyOf(inForce.address) !== key
    const owner = holderOf(address) ?? (isNew && !isFree(address) ? serverAt(listener) : null)
    if (owner === null) return null
    const shown = refersAt(declared, ['address']) ? HIDDEN : formatListenAddress(address)
    return `cannot listen on ${shown}: ${owner} already holds it`
  }

  function inOrder(a: AddressCandidate, b: AddressCandidate): number {
    const [one, other] = [a.record, b.record]
    const bySource = precedence(one.source) - precedence(other.source)
    return seniority(a) - seniority(b) || bySource || (one.declared.id < other.declared.id ? -1 : 1)
  }

  return candidates.toSorted(inOrder).map((candidate): AddressDecision<Candidate> => {
    const { record, declared, lastGood } = candidate
    const rejection = declared === null ? null : rejectionOf(record, declared, lastGood)
    const wanted = rejection === null ? (declared ?? lastGood) : lastGood
    const object = wanted !== null && rejectionOf(record, wanted, lastGood) === null ? wanted : null
    if (object !== null && !isFree(object.address)) {
      owners.set(keyOf(object.address), `listener "${object.id}"`)
    }
    return { candidate, object, rejection }
  })
}

/** 0: it stays where it listens; 1: it moves; 2: it is new. */
function seniority({ declared, lastGood }: AddressCandidate): number {
  if (lastGood === null) return 2
  if (declared === null) return 0
  return keyOf(declared.address) === keyOf(lastGood.address) ? 0 : 1
}

/** Equal for equal sockets: `:80` is `[::]:80`, and `[::ffff:127.0.0.1]:80` is 127.0.0.1:80. */
function keyOf(address: ListenAddress): string {
  if (isSocketAddress(address)) return formatListenAddress(address)
  const { host, port } = address
  return formatAddress({ host: host === '' ? '::' : plainHost(host), port })
}

/** Any free port, which no two listeners share. */
function isFree(address: ListenAddress): boolean {
  return !isSocketAddress(address) && address.port === 0
}

/** The admin does not share its port: no listener may have it on one of the same addresses. */
function isOfAdmin(wanted: ListenAddress, { address, socket }: AdminPlaces): boolean {
  if (isSocketAddress(wanted)) return wanted.path === socket
  if (address === null || address.port === 0 || address.port !== wanted.port) return false
  const [one, other] = [address.host, wanted.host]
  return isEverywhere(one) || isEverywhere(other) || keyOf(address) === keyOf(wanted)
}
