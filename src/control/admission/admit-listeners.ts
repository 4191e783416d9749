/**
 * Listeners, with the certificates of all hosts beside their own, and the challenges of open orders. A listener that names a backend waits for it, and holds no
 * address meanwhile.
 */
import { isSocketAddress } from '../../model/listener.ts'
import { flaw } from '../../model/parsed.ts'
import type { Flaw } from '../../model/parsed.ts'
import { validityOf, type Validity } from '../../model/certificate.ts'
import { parseHost } from '../../schema/host-certificate.ts'
import type { Certificate, Challenge, HostCertificate, Listener } from '../../model/snapshot.ts'
import type { ClientAuthMode, NamedTlsOptions, TlsOptions } from '../../model/tls-options.ts'
import { REFERRING_LISTENER, refersToAny, resolveReferences } from './backend-references.ts'
import type { ReferenceContext } from './backend-references.ts'
import { decideAddresses } from './listener-addresses.ts'
import type { AddressContext, AdminPlaces } from './listener-addresses.ts'
import { closedFormOf, updateRecord } from './object-record.ts'
import type { ObjectRecord, ObjectRecords, FileCache } from './object-record.ts'
import { reuseIfEqual } from '../../model/equal.ts'
import { parseWholeListener } from './parse-objects.ts'
import type { MergedObject } from '../sources/merge.ts'
import { createTrackedMap } from './tracked-map.ts'
import type { TrackedMap } from './tracked-map.ts'
import type { Decisions } from './decisions.ts'

export interface ListenerAdmission {
  readonly table: TrackedMap<Listener>
  readonly listeners: ObjectRecords<Listener>
  readonly hosts: ObjectRecords<HostCertificate>
  declare(kind: 'listener' | 'host', object: MergedObject, files: FileCache): void
  remove(kind: 'listener' | 'host', id: string): void
  /** Those of all open orders, from the next pass on. */
  challenge(challenges: readonly Challenge[]): void
  /** Admits all of them if one changed, or names a backend that did. Returns whether the set of addresses changed. */
  admit(
    decisions: Decisions,
    references: ReferenceContext,
    changedBackends: ReadonlySet<string>,
    addresses: AddressContext,
  ): boolean
  /** Whether a server keeps a listener from its address. */
  isBlocked(): boolean
  /** The backends that listeners in force name. */
  backendsInUse(): Iterable<string>
}

/** `ordersCertificates`: a listener may wait for its first certificate in force, and refuses handshakes meanwhile. */
export function createListenerAdmission(
  admin: AdminPlaces,
  ordersCertificates: boolean,
  now: () => number,
): ListenerAdmission {
  const listeners: ObjectRecords<Listener> = new Map()
  const hosts: ObjectRecords<HostCertificate> = new Map()
  const table = createTrackedMap<Listener>()
  const dirtyHosts = new Set<string>()
  let open: readonly Challenge[] = []
  let isDirty = false
  /** A server is at the address of a listener, which may take it once the server is gone. */
  let isBlocked = false
  /** The addresses after the last pass. */
  let addresses = ''

  /** Where several are for one name the first one counts: by the precedence of their sources, then by id. */
  function partsOfHosts({ precedence }: AddressContext): PartsOfHosts {
    const inForce = [...hosts.values()]
      .flatMap(({ inForce: version }) => version ?? [])
      .map(({ object, source }) => ({ object, rank: precedence(source) }))
      .sort((a, b) => a.rank - b.rank || (a.object.id < b.object.id ? -1 : 1))
      .map(({ object }) => object)
    // A client that requests an unknown name gets the first certificate.
    const byDefault = inForce.toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault))
    return {
      certificates: byDefault.flatMap(({ certificate }) => certificate ?? []),
      options: inForce.flatMap(({ tls }) => tls ?? []),
    }
  }

  function namesAny(changed: ReadonlySet<string>, { backendOf }: ReferenceContext): boolean {
    if (changed.size === 0) return false
    for (const record of listeners.values()) {
      if (refersToAny(REFERRING_LISTENER, record, changed, backendOf)) return true
    }
    return false
  }

  /** Null: it needs a certificate and there is none. `others`: listeners that may come into force with it. */
  function compose(
    part: Listener,
    ofHosts: PartsOfHosts,
    others: readonly Listener[],
  ): Listener | null {
    const challenges = challengesFor(part, open)
    const redirect = withPort(part, others)
    const isAsDeclared = challenges.length === 0 && redirect === part.redirect
    const challenged = isAsDeclared ? part : { ...part, challenges, redirect }
    if (challenged.tls === null) return reuseIfEqual(table.objects.get(part.id), challenged)
    const certificates = [...challenged.tls.certificates, ...ofHosts.certificates]
    const mayWait = ordersCertificates || challenges.length > 0
    if (certificates.length === 0 && !mayWait) return null
    const isWhole = ofHosts.certificates.length + ofHosts.options.length === 0
    const hosts = strictestFirst(ofHosts.options, challenged.tls.options)
    const tls = { ...challenged.tls, certificates, hosts }
    const whole = isWhole ? challenged : { ...challenged, tls }
    return reuseIfEqual(table.objects.get(part.id), whole)
  }

  return {
    table,
    listeners,
    hosts,
    declare(kind, object, files) {
      isDirty = true
      const { id } = object
      if (kind === 'listener') {
        const known = listeners.get(id) ?? null
        const record = updateRecord(known, object, files, parseWholeListener)
        refuseExpired(record, ({ tls }) => tls?.certificates ?? [], now())
        listeners.set(id, record)
        return
      }
      const record = updateRecord(hosts.get(id) ?? null, object, files, parseHost)
      refuseExpired(record, ({ certificate }) => (certificate === null ? [] : [certificate]), now())
      hosts.set(id, record)
      dirtyHosts.add(id)
    },
    remove(kind, id) {
      isDirty = (kind === 'listener' ? listeners : hosts).delete(id) || isDirty
      if (kind === 'listener') table.put(id, null)
    },
    challenge(challenges) {
      if (open.length === 0 && challenges.length === 0) return
      open = challenges
      isDirty = true
    },
    admit(decisions, references, changedBackends, addressContext) {
      if (!isDirty && !isBlocked && !namesAny(changedBackends, references)) return false
      for (const id of dirtyHosts) {
        const record = hosts.get(id)
        if (record !== undefined) decideHost(record, decisions)
      }
      dirtyHosts.clear()
      const ofHosts = partsOfHosts(addressContext)
      isBlocked = false
      const serverAt: AddressContext['serverAt'] = (listener) => {
        const server = addressContext.serverAt(listener)
        if (server !== null) isBlocked = true
        return server
      }
      const candidates = Array.from(listeners.values(), (record) => ({
        record,
        ...resolveReferences(REFERRING_LISTENER, record, references),
      }))
      const decided = decideAddresses(candidates, admin, { ...addressContext, serverAt })
      const accepted = decided.flatMap(({ object, rejection }) =>
        object === null || rejection !== null ? [] : object,
      )
      for (const { candidate, object, rejection } of decided) {
        const { record } = candidate
        try {
          const whole = object === null ? null : compose(object, ofHosts, accepted)
          const inForce = whole ?? (object === null ? null : (table.objects.get(record.id) ?? null))
          const flaws: Flaw[] = [...candidate.flaws]
          if (rejection !== null) flaws.push({ message: rejection, path: ['address'] })
          else if (object !== null && whole === null) {
            flaws.push(inForce === null ? MISSING_CERTIFICATE : REMOVED_CERTIFICATE)
          }
          decisions.decide('listener', record, inForce === null ? null : object, flaws)
          table.put(record.id, inForce)
        } catch (error) {
          decisions.fail('listener', record, error)
        }
      }
      isDirty = false
      const now = addressesIn(table)
      const isChanged = now !== addresses
      addresses = now
      return isChanged
    },
    isBlocked: () => isBlocked,
    *backendsInUse() {
      for (const { backend } of table.objects.values()) if (backend !== null) yield backend
    },
  }
}

/** Without any good version, its closed form: TLS options that let no client into the routes that they guard. */
function decideHost(record: ObjectRecord<HostCertificate>, decisions: Decisions): void {
  const object = record.parsed ?? record.inForce?.object ?? null
  const closed = record.parsed === null ? closedFormOf(record, parseHost) : null
  if (closed !== null && (object === null || object === closed))
    decisions.close('host', record, closed, [])
  else decisions.decide('host', record, object, [])
}

/** A certificate authority asks for http-01 at port 80 in clear, and for tls-alpn-01 where TLS ends. */
function challengesFor({ protocol, tls }: Listener, open: readonly Challenge[]): Challenge[] {
  return open.filter(({ kind }) =>
    kind === 'http-01' ? protocol !== 'tcp' && tls === null : tls !== null,
  )
}

const HTTPS_PORT = 443

/**
 * The port of a redirect that names none: where the web is served by https, at best on the usual port, else on the same address.
 * One with `proxyProtocol`, which expects headers that ordinary clients do not send, is chosen only if there is no other.
 */
function withPort(
  { redirect, address }: Listener,
  others: readonly Listener[],
): Listener['redirect'] {
  if (redirect === null || redirect.port !== null) return redirect
  const all = others.flatMap(({ protocol, backend, proxyProtocol, address: at }) =>
    protocol === 'https' && backend === null && !isSocketAddress(at) ? { proxyProtocol, at } : [],
  )
  const own = isSocketAddress(address) ? '' : address.host
  const plain = all.filter(({ proxyProtocol }) => proxyProtocol === null)
  const ports = (plain.length === 0 ? all : plain)
    .toSorted(
      (a, b) => Number(b.at.host === own) - Number(a.at.host === own) || a.at.port - b.at.port,
    )
    .map(({ at }) => at.port)
  const found = ports.includes(HTTPS_PORT) ? HTTPS_PORT : (ports[0] ?? HTTPS_PORT)
  return found === 0 ? redirect : { ...redirect, port: found }
}

/** A renewal that went wrong does not replace a certificate that is valid. Without one, clients get the expired one, and a warning. */
function refuseExpired<T>(
  record: ObjectRecord<T>,
  certificatesOf: (object: T) => readonly Certificate[],
  now: number,
): void {
  const { parsed, inForce } = record
  if (parsed === null || inForce === null || parsed === inForce.object) return
  const ended = (object: T): Validity | undefined =>
    certificatesOf(object)
      .map(({ cert }) => validityOf(cert))
      .find(({ endsAt }) => endsAt <= now)
  const expired = ended(parsed)
  if (expired === undefined || ended(inForce.object) !== undefined) return
  const day = new Date(expired.endsAt).toISOString().slice(0, 10)
  record.parsed = null
  record.flaws = [
    flaw([], `the certificate for ${expired.name} ended on ${day}; what was in force before stays`),
  ]
}

/** What hosts add to each listener that ends TLS. */
interface PartsOfHosts {
  readonly certificates: readonly Certificate[]
  readonly options: readonly NamedTlsOptions[]
}

const STRICTEST_FIRST: readonly ClientAuthMode[] = [
  'require-and-verify',
  'require',
  'verify-if-given',
  'request',
  'none',
]

/**
 * If several hosts have options for one name, a guard must not be lost: the options with the strictest one count. Options without
 * one have that of the listener.
 */
function strictestFirst(
  hosts: readonly NamedTlsOptions[],
  { clientAuth: own }: TlsOptions,
): readonly NamedTlsOptions[] {
  const rankOf = ({ options }: NamedTlsOptions): number =>
    STRICTEST_FIRST.indexOf((options.clientAuth ?? own).mode)
  return hosts.toSorted((a, b) => rankOf(a) - rankOf(b))
}

const NEEDS_CERTIFICATE =
  'TLS needs at least one certificate: under its tls, of a host, or ordered by acme'
const MISSING_CERTIFICATE = flaw(['protocol'], NEEDS_CERTIFICATE)
const REMOVED_CERTIFICATE = flaw(
  ['protocol'],
  `${NEEDS_CERTIFICATE}; the one that was removed stays in use until there is another one, or the listener is deleted`,
)

function addressesIn(table: TrackedMap<Listener>): string {
  return JSON.stringify([...table.objects.values()].map(({ address }) => address))
}
