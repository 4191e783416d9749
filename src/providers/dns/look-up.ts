/** Looks up the servers of one backend: its SRV records with the addresses of their targets, or its addresses. */
import { isIPv4 } from 'node:net'
import type { FamilyAnswer, NameAnswer, QueryName } from '../../dns/answer.ts'
import type { AskDns } from '../../dns/client.ts'
import type { AddressRecord, ServiceRecord } from '../../dns/message.ts'
import { bracketHost, parseHost, withoutRoot } from '../../model/address.ts'
import type { DnsBackend } from './source.ts'

/** As a declaration has it, by `address:port`. */
export interface FoundServer {
  readonly url: string
  readonly hostname: string
  readonly weight: number
  readonly backup: boolean
}

export type FoundServers = ReadonlyMap<string, FoundServer>

export type LookedUp =
  | {
      readonly kind: 'found'
      readonly servers: FoundServers
      /** Null: it is not known. */
      readonly ttlMs: number | null
      /** What could not be used of it. */
      readonly remarks: readonly string[]
    }
  /** DNS has no server for it. */
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

export interface LookUpOptions {
  readonly ask: AskDns
  readonly addresses: QueryName
  /** Of the hosts file, in lower case. */
  readonly hosts: (name: string) => readonly string[] | undefined
}

/** Never rejects. */
export type LookUp = (backend: DnsBackend, signal: AbortSignal) => Promise<LookedUp>

export const MAX_SERVERS = 1000
const MAX_WEIGHT = 1000
const MAX_REMARKS = 3

export function createLookUp({ ask, addresses, hosts }: LookUpOptions): LookUp {
  /** The IPv4 addresses if there are any, else the IPv6 ones: mostly both are the same servers. */
  async function addressesOf(name: string): Promise<FamilyAnswer> {
    const known = hosts(withoutRoot(name))
    if (known !== undefined) return { kind: 'found', addresses: preferIPv4(known), ttlMs: null }
    return preferred(await addresses(name, () => {}))
  }

  async function lookUpAddresses({ name, scheme, port }: DnsBackend): Promise<LookedUp> {
    const answer = await addressesOf(name)
    if (answer.kind !== 'found') return answer
    const hostname = withoutRoot(name)
    const targets = [...answer.addresses].sort().map((address) => ({ address, port: port ?? 0 }))
    const servers = new Map(
      targets.map((at) => [
        keyOf(at),
        { url: urlOf(scheme, at), hostname, weight: 1, backup: false },
      ]),
    )
    return found(servers, answer.ttlMs, [])
  }

  async function lookUpServices(backend: DnsBackend, signal: AbortSignal): Promise<LookedUp> {
    const answer = await ask(withoutRoot(backend.name), 'SRV', signal)
    if (answer.kind !== 'found') return answer
    const { services, additional, ttl } = answer.response
    const records = usable(services, backend.port)
    if (records.length === 0) return { kind: 'none', reason: 'its SRV records name no server' }
    const byTarget = new Map<string, FamilyAnswer>()
    const targets = new Set(records.map(({ target }) => target))
    await Promise.all(
      [...targets].map(async (target) => {
        const included = includedIn(additional.get(target))
        byTarget.set(target, included ?? (await addressesOf(`${target}.`)))
      }),
    )
    return combine(records, byTarget, backend.scheme, ttl === null ? null : ttl * 1000)
  }

  return (backend, signal) =>
    backend.type === 'SRV' ? lookUpServices(backend, signal) : lookUpAddresses(backend)
}

/** RFC 2782: a target of "." means that there is no service. */
function usable(
  records: readonly ServiceRecord[],
  ownPort: number | null,
): readonly ServiceRecord[] {
  return records
    .map((record) => ({ ...record, port: ownPort ?? record.port }))
    .filter(({ target, port }) => port > 0 && parseHost(target).ok)
}

function combine(
  records: readonly ServiceRecord[],
  byTarget: ReadonlyMap<string, FamilyAnswer>,
  scheme: string,
  ttlMs: number | null,
): LookedUp {
  const first = Math.min(...records.map(({ priority }) => priority))
  const heaviest = Math.max(...records.map(({ weight }) => weight))
  const servers = new Map<string, FoundServer>()
  const remarks: string[] = []
  const failures: string[] = []
  let shortest = ttlMs ?? Infinity
  const sorted = [...records].sort((a, b) => a.priority - b.priority || compare(a.target, b.target))
  for (const { priority, weight, port, target } of sorted) {
    const answer = byTarget.get(target)
    if (answer?.kind !== 'found') {
      remarks.push(`its server ${target} cannot be resolved: ${answer?.reason}`)
      if (answer?.kind === 'failed') failures.push(answer.reason)
      continue
    }
    shortest = Math.min(shortest, answer.ttlMs ?? Infinity)
    for (const address of answer.addresses) {
      const at = { address, port }
      // The record of the lower priority value comes first.
      if (servers.has(keyOf(at))) continue
      const share = { weight: toWeight(weight, heaviest), backup: priority > first }
      servers.set(keyOf(at), { url: urlOf(scheme, at), hostname: target, ...share })
    }
  }
  const [failure] = failures
  if (servers.size === 0) {
    const reason = remarks[0] ?? 'its SRV records name no server'
    return failure === undefined ? { kind: 'none', reason } : { kind: 'failed', reason }
  }
  return found(servers, shortest === Infinity ? null : shortest, remarks)
}

/** 1 to 1000. RFC 2782: 0 is a very small share. */
function toWeight(weight: number, heaviest: number): number {
  const scaled = heaviest <= MAX_WEIGHT ? weight : Math.round((weight * MAX_WEIGHT) / heaviest)
  return Math.max(1, scaled)
}

function found(
  servers: ReadonlyMap<string, FoundServer>,
  ttlMs: number | null,
  remarks: readonly string[],
): LookedUp {
  const all = remarks.length > MAX_REMARKS ? [...remarks.slice(0, MAX_REMARKS), '...'] : remarks
  if (servers.size <= MAX_SERVERS) return { kind: 'found', servers, ttlMs, remarks: all }
  const some = new Map([...servers].slice(0, MAX_SERVERS))
  const excess = `it has ${servers.size} servers, of which the first ${MAX_SERVERS} are used`
  return { kind: 'found', servers: some, ttlMs, remarks: [...all, excess] }
}

function includedIn(records: readonly AddressRecord[] | undefined): FamilyAnswer | null {
  if (records === undefined) return null
  const addresses = preferIPv4(records.map(({ address }) => address))
  const ttls = records.flatMap(({ address, ttl }) => (addresses.includes(address) ? [ttl] : []))
  return { kind: 'found', addresses, ttlMs: Math.min(...ttls) * 1000 }
}

/** A family that failed is not taken for one without addresses. */
function preferred({ v4, v6 }: NameAnswer): FamilyAnswer {
  if (v4.kind === 'found') return v4
  if (v4.kind === 'failed') return v4
  return v6
}

function preferIPv4(addresses: readonly string[]): readonly string[] {
  const v4 = addresses.filter((address) => isIPv4(address))
  return v4.length > 0 ? v4 : addresses
}

interface At {
  readonly address: string
  readonly port: number
}

function keyOf({ address, port }: At): string {
  return `${address}:${port}`
}

function urlOf(scheme: string, { address, port }: At): string {
  return `${scheme}://${bracketHost(address)}:${port}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
