/**
 * Admission decides about each declared object on its own. A valid one comes into force. An invalid one is set aside with
 * its reason while its last good version stays in force, and affects no other object. The order of declarations plays no
 * part:
 *
 *   listeners   need a free address, and certificates, also those of hosts; a listener waits for its backend
 *   backends    with their servers, which must not be the proxy itself
 *   frontends   with their middlewares; a frontend waits for its backends
 *
 * A pass looks only at what a change touches, so that its cost does not grow with the table.
 */
import type { Problem } from '../../model/problem.ts'
import type {
  Address,
  Backend,
  Challenge,
  Frontend,
  HostCertificate,
  Listener,
  Server,
  Snapshot,
} from '../../model/snapshot.ts'
import type { ObjectKind, ObjectName } from '../../model/names.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import type { ChangedIds } from './tracked-map.ts'
import { createBackendAdmission } from './admit-backends.ts'
import type { BackendAdmission, BackendChanges } from './admit-backends.ts'
import { createFrontendAdmission } from './admit-frontends.ts'
import { createListenerAdmission } from './admit-listeners.ts'
import { hasChangedFiles, createFileCache } from './object-record.ts'
import type { ObjectRecord, Version } from './object-record.ts'
import type { OnFault } from '../../observe/fault.ts'
import { createLoopCheck } from './loop.ts'
import type { Merge, MergedObject } from '../sources/merge.ts'
import type { MiddlewarePart } from './parse-objects.ts'
import { createDecisions } from './decisions.ts'
import type { SetAside, SourceView } from './decisions.ts'

export type { SetAside } from './decisions.ts'

export interface AdmissionOptions {
  /** The text of a file that an object names, by the path as written; throws when it cannot be read. */
  readonly readFile: (path: string, source: string) => string
  /** The address of the admin; null: there is none. */
  readonly admin: Address | null
  /** The path of its unix socket. */
  readonly adminSocket?: string | null
  /** The addresses of this machine's interfaces. */
  readonly localAddresses: () => ReadonlySet<string>
  readonly now: () => number
  /** Certificates are ordered: an https listener may be in force before it has one. */
  readonly ordersCertificates?: boolean
  /** Peers whose forwarding fields are accepted. Absent: not known. */
  readonly trusted?: () => readonly string[]
  /** Whether objects of this source may name programs to run: it is a file of this machine. Absent: all may. */
  readonly mayRunPrograms?: (source: string) => boolean
  /** An object caused an exception and is set aside. */
  readonly onFault?: OnFault
}

/** The names that may have changed, and where to look them up. */
export interface AdmissionInput extends SourceView {
  readonly names: Iterable<ObjectName>
  readonly merge: Pick<Merge, 'find' | 'backendOf' | 'precedence'>
}

export interface AdmissionResult {
  /** Everything in force. The maps are live: the next call changes them. */
  readonly snapshot: Snapshot
  /** What changed in it since the last call. */
  readonly changed: ChangedIds
}

export type InForce =
  | ({ readonly kind: 'listener'; readonly id: string } & Version<Listener>)
  | ({ readonly kind: 'host'; readonly id: string } & Version<HostCertificate>)
  | ({ readonly kind: 'backend'; readonly id: string } & Version<Backend>)
  | ({ readonly kind: 'server'; readonly id: string } & Version<Server>)
  | ({ readonly kind: 'frontend'; readonly id: string } & Version<Frontend>)
  | ({ readonly kind: 'middleware'; readonly id: string } & Version<MiddlewarePart>)

/** The latest declaration of an object, why it is not in force, and the version that is. */
export interface Decided {
  readonly declared: DeclaredObject
  readonly problems: readonly SetAside[]
  readonly inForce: Version<unknown> | null
}

export interface Admission {
  admit(input: AdmissionInput): AdmissionResult
  /** All challenges of open orders: the next pass puts them into listeners. */
  challenge(challenges: readonly Challenge[]): void
  setAside(): readonly SetAside[]
  /** Declared settings without effect, and conditions on headers that are always absent. */
  remarks(): readonly Problem[]
  /** Objects of a source that are set aside. A list may have moved them in its text. */
  setAsideOf(source: string): readonly ObjectName[]
  /** What is known of an object by its name in the table; null: it is not declared. */
  find(kind: ObjectKind, id: string): Decided | null
  /**
   * Every object in force and its origin, or those of a kind; backends with their servers, frontends with their middlewares.
   */
  inForce(kind?: ObjectKind): Iterable<InForce>
  /** The declarations of a source whose versions are in force. */
  written(source: string): Iterable<DeclaredObject>
  /** Objects that name a file whose text has changed since it was read. */
  withChangedFiles(): readonly ObjectName[]
}

/** Each round after the first follows from an address that the round before took or released: a table settles in two. */
const MAX_ROUNDS = 8

const NO_SOURCES: SourceView = { locate: () => undefined, revision: () => '' }

export function createAdmission(options: AdmissionOptions): Admission {
  const listeners = createListenerAdmission(
    { address: options.admin, socket: options.adminSocket ?? null },
    options.ordersCertificates ?? false,
    options.now,
  )
  const backends = createBackendAdmission()
  const frontends = createFrontendAdmission()
  let view = NO_SOURCES
  const decisions = createDecisions({
    view: () => view,
    now: options.now,
    hasNoTrustedPeers: () => options.trusted?.().length === 0,
    onFault: options.onFault ?? (() => {}),
  })

  function declare(
    kind: ObjectKind,
    object: MergedObject,
    files: ReturnType<typeof createFileCache>,
  ): void {
    if (kind === 'listener' || kind === 'host') listeners.declare(kind, object, files)
    else if (kind === 'backend' || kind === 'server') backends.declare(kind, object, files)
    else frontends.declare(kind, object, files)
  }

  function remove(kind: ObjectKind, id: string): void {
    decisions.forget(kind, id)
    if (kind === 'listener' || kind === 'host') listeners.remove(kind, id)
    else if (kind === 'backend' || kind === 'server') backends.remove(kind, id)
    else frontends.remove(kind, id)
  }

  /**
   * Listeners and backends, of which each may have to wait for the other: a server must not be at the address of a listener,
   * and a listener waits for its backend. A listener holds its address from when it is in force.
   */
  function admitWithServers({ precedence, backendOf }: AdmissionInput['merge']): BackendChanges {
    const changed = new Set<string>()
    const handedOver = new Set<string>()
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const references = { backends, handedOver, backendOf, ownBackend: null }
      const areAddressesChanged = listeners.admit(decisions, references, changed, {
        precedence,
        serverAt: (listener) => findServerAt(listener, backends, options),
      })
      if (round > 0 && !areAddressesChanged) break
      const findLoop = createLoopCheck(
        listeners.table.objects.values(),
        options.admin,
        options.localAddresses,
        options.adminSocket,
      )
      const { mayRunPrograms = () => true } = options
      const context = { decisions, findLoop, mayRunPrograms, rankOf: precedence }
      const changes = backends.admit(context, areAddressesChanged)
      for (const id of changes.changed) changed.add(id)
      for (const id of changes.handedOver) handedOver.add(id)
      if (changes.changed.size === 0 && !listeners.isBlocked()) break
    }
    return { changed, handedOver }
  }

  function findRecord(kind: ObjectKind, id: string): ObjectRecord<unknown> | null {
    if (kind === 'listener') return listeners.listeners.get(id) ?? null
    if (kind === 'host') return listeners.hosts.get(id) ?? null
    if (kind === 'backend' || kind === 'server') return backends.find(kind, id)
    return frontends.find(kind, id)
  }

  function* records(): Generator<[ObjectKind, ObjectRecord<unknown>]> {
    for (const record of listeners.listeners.values()) yield ['listener', record]
    for (const record of listeners.hosts.values()) yield ['host', record]
    for (const record of backends.backendRecords()) yield ['backend', record]
    for (const record of backends.serverRecords()) yield ['server', record]
    for (const record of frontends.frontends.values()) yield ['frontend', record]
    for (const record of frontends.middlewares()) yield ['middleware', record]
  }

  return {
    admit(input) {
      view = input
      const files = createFileCache(options.readFile)
      for (const { kind, id } of input.names) {
        const object = input.merge.find(kind, id)
        if (object === null) remove(kind, id)
        else declare(kind, object, files)
      }
      const changes = admitWithServers(input.merge)
      frontends.admit(decisions, backends, changes, input.merge.backendOf)
      if (backends.hasWithdrawn()) {
        backends.releaseUnused(
          new Set([...listeners.backendsInUse(), ...frontends.backendsInUse()]),
        )
      }
      // The text of the sources is available only during the pass.
      view = NO_SOURCES
      return {
        snapshot: {
          listeners: listeners.table.objects,
          backends: backends.table.objects,
          frontends: frontends.table.objects,
        },
        changed: {
          listeners: listeners.table.takeChanged(),
          backends: backends.table.takeChanged(),
          frontends: frontends.table.takeChanged(),
        },
      }
    },
    challenge: listeners.challenge,
    setAside: decisions.setAside,
    remarks: decisions.remarks,
    setAsideOf: decisions.setAsideOf,
    find(kind, id) {
      const record = findRecord(kind, id)
      if (record === null) return null
      const { declared, inForce } = record
      return { declared, inForce, problems: decisions.problemsOf(kind, id) }
    },
    *inForce(kind) {
      const of = <T>(one: ObjectKind, records: Iterable<ObjectRecord<T>>): Versions<T> =>
        kind === undefined || kind === one ? versions(records) : []
      for (const [id, found] of of('listener', listeners.listeners.values())) {
        const object = listeners.table.objects.get(id) ?? found.object
        yield { kind: 'listener', id, ...found, object }
      }
      for (const [id, found] of of('host', listeners.hosts.values())) {
        yield { kind: 'host', id, ...found }
      }
      for (const [id, found] of of('backend', backends.backendRecords())) {
        const object = backends.table.objects.get(id) ?? found.object
        yield { kind: 'backend', id, ...found, object }
      }
      for (const [id, found] of of('server', backends.serverRecords())) {
        yield { kind: 'server', id, ...found }
      }
      for (const [id, found] of of('frontend', frontends.frontends.values())) {
        const object = frontends.table.objects.get(id) ?? found.object
        yield { kind: 'frontend', id, ...found, object }
      }
      for (const [id, found] of of('middleware', frontends.middlewares())) {
        yield { kind: 'middleware', id, ...found }
      }
    },
    *written(source) {
      for (const [, { inForce, declared }] of records()) {
        if (inForce?.source === source) yield withSecretsOf(declared, inForce).declared
      }
    },
    withChangedFiles() {
      const files = createFileCache(options.readFile)
      return [...records()].flatMap(([kind, record]) =>
        hasChangedFiles(record, files) ? { kind, id: record.id } : [],
      )
    },
  }
}

/** The loop check in reverse: the server in force at the listener's address. */
function findServerAt(
  listener: Listener,
  backends: BackendAdmission,
  { localAddresses }: AdmissionOptions,
): string | null {
  const findLoop = createLoopCheck([listener], null, localAddresses)
  for (const { id, servers } of backends.table.objects.values()) {
    if (!backends.isDeclared(id)) continue
    const server = servers.find((one) => findLoop(one) !== null)
    if (server !== undefined) return `server "${server.id}" of backend "${id}"`
  }
  return null
}

type Versions<T> = Iterable<[id: string, version: Version<T>]>

function* versions<T>(records: Iterable<ObjectRecord<T>>): Versions<T> {
  for (const { id, inForce, declared } of records) {
    if (inForce !== null) yield [id, withSecretsOf(declared, inForce)]
  }
}

/** Secrets of the latest declaration are secrets in an older version too. */
function withSecretsOf<T>(
  { secrets = [], isSealed }: DeclaredObject,
  inForce: Version<T>,
): Version<T> {
  const { declared } = inForce
  const hasNone = secrets.length === 0 || declared.secrets === secrets
  if (hasNone && (isSealed !== true || declared.isSealed === true)) return inForce
  const all = [...(declared.secrets ?? []), ...secrets]
  const sealed = isSealed === true ? { isSealed } : {}
  return { ...inForce, declared: { ...declared, ...sealed, secrets: all } }
}
