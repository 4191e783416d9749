/**
 * Judges each declared object on its own. A good one goes live; a bad one is set aside with its reason while its last
 * good version stays in force, and takes nobody with it. Nothing depends on the order in which objects are written:
 *
 *   listeners   claim their addresses, with the certificates of hosts
 *   backends    with their servers, which must not lead back to us
 *   frontends   with their middlewares; one waits for its backend
 *
 * Only what a change touches is looked at, so that one change among 100,000 objects costs what one costs.
 */
import type { Problem } from '../../model/problem.ts'
import type {
  Address,
  Backend,
  Frontend,
  HostCertificate,
  Listener,
  Server,
  Snapshot,
} from '../../model/snapshot.ts'
import type { DeclaredObject, ObjectKind, ObjectName } from '../../providers/provider.ts'
import type { ChangedIds } from './tracked-map.ts'
import { admitBackends } from './admit-backends.ts'
import type { AdmittedBackends } from './admit-backends.ts'
import { admitFrontends } from './admit-frontends.ts'
import { admitListeners } from './admit-listeners.ts'
import { hasChangedFiles, createFileCache } from './object-record.ts'
import type { ObjectRecord, Version } from './object-record.ts'
import type { OnFault } from '../../observe/fault.ts'
import { createLoopCheck } from './loop.ts'
import type { Merge, MergedObject } from '../sources/merge.ts'
import type { MiddlewarePart } from './middleware.ts'
import { createDecisions } from './decisions.ts'
import type { SetAside, SourceView } from './decisions.ts'

export type { SetAside } from './decisions.ts'

export interface AdmissionWorld {
  /** The text of a file that an object names, by the path as written; throws when it cannot be read. */
  readonly readFile: (path: string, source: string) => string
  /** Where the admin listens; null when it does not. */
  readonly admin: Address | null
  /** The addresses of this machine's interfaces. */
  readonly localAddresses: () => ReadonlySet<string>
  readonly now: () => number
  /** The peers whose forwarding fields are believed; without it that is not known. */
  readonly trusted?: () => readonly string[]
  /** A throw met an object, which is set aside. */
  readonly onFault?: OnFault
}

/** What may be different, and where to look it up. */
export interface Touched extends SourceView {
  readonly names: Iterable<ObjectName>
  readonly merge: Pick<Merge, 'find' | 'backendOf' | 'precedence'>
}

export interface Admitted {
  /** All that is in force then. The maps are live: the next call changes them. */
  readonly snapshot: Snapshot
  /** What is different in it since the last call. */
  readonly changed: ChangedIds
}

export type InForce =
  | ({ readonly kind: 'listener'; readonly id: string } & Version<Listener>)
  | ({ readonly kind: 'host'; readonly id: string } & Version<HostCertificate>)
  | ({ readonly kind: 'backend'; readonly id: string } & Version<Backend>)
  | ({ readonly kind: 'server'; readonly id: string } & Version<Server>)
  | ({ readonly kind: 'frontend'; readonly id: string } & Version<Frontend>)
  | ({ readonly kind: 'middleware'; readonly id: string } & Version<MiddlewarePart>)

export interface Admission {
  admit(touched: Touched): Admitted
  setAside(): readonly SetAside[]
  /** What is declared but not honoured. */
  remarks(): readonly Problem[]
  /** Objects of a source that are set aside: a list may have moved them in its text. */
  setAsideOf(source: string): readonly ObjectName[]
  /** Every object in force with where it came from; wholes with their parts. */
  inForce(): Iterable<InForce>
  /** What each source declared of that, as it was written. */
  written(source: string): Iterable<DeclaredObject>
  /** Objects with a file that no longer holds what was read from it. */
  withChangedFiles(): readonly ObjectName[]
}

const nowhere: SourceView = { locate: () => undefined, revision: () => '' }

export function createAdmission(world: AdmissionWorld): Admission {
  const listening = admitListeners(world.admin)
  const backends = admitBackends()
  const frontends = admitFrontends()
  let view = nowhere
  const decisions = createDecisions({
    view: () => view,
    now: world.now,
    hasNoTrustedPeers: () => world.trusted?.().length === 0,
    onFault: world.onFault ?? (() => {}),
  })

  function note(
    kind: ObjectKind,
    object: MergedObject,
    files: ReturnType<typeof createFileCache>,
  ): void {
    if (kind === 'listener' || kind === 'host') listening.note(kind, object, files)
    else if (kind === 'backend' || kind === 'server') backends.note(kind, object, files)
    else frontends.note(kind, object, files)
  }

  function remove(kind: ObjectKind, id: string): void {
    decisions.forget(kind, id)
    if (kind === 'listener' || kind === 'host') listening.remove(kind, id)
    else if (kind === 'backend' || kind === 'server') backends.remove(kind, id)
    else frontends.remove(kind, id)
  }

  function* records(): Generator<[ObjectKind, ObjectRecord<unknown>]> {
    for (const record of listening.listeners.values()) yield ['listener', record]
    for (const record of listening.hosts.values()) yield ['host', record]
    for (const record of backends.backendRecords()) yield ['backend', record]
    for (const record of backends.serverRecords()) yield ['server', record]
    for (const record of frontends.frontends.values()) yield ['frontend', record]
    for (const record of frontends.middlewares()) yield ['middleware', record]
  }

  return {
    admit(touched) {
      view = touched
      const files = createFileCache(world.readFile)
      for (const { kind, id } of touched.names) {
        const object = touched.merge.find(kind, id)
        if (object === null) remove(kind, id)
        else note(kind, object, files)
      }
      const hasMoved = listening.settle(decisions, {
        precedence: touched.merge.precedence,
        serverAt: (listener) => findServerAt(listener, backends, world),
      })
      const { objects: listeners } = listening.table
      const findLoop = createLoopCheck(listeners.values(), world.admin, world.localAddresses)
      const rankOf = touched.merge.precedence
      const moved = backends.settle({ decisions, findLoop, rankOf }, hasMoved)
      frontends.settle(decisions, backends, moved, touched.merge.backendOf)
      // It leads to the sources' text, which is theirs again now.
      view = nowhere
      return {
        snapshot: {
          listeners,
          backends: backends.table.objects,
          frontends: frontends.table.objects,
        },
        changed: {
          listeners: listening.table.takeChanged(),
          backends: backends.table.takeChanged(),
          frontends: frontends.table.takeChanged(),
        },
      }
    },
    setAside: decisions.setAside,
    remarks: decisions.remarks,
    setAsideOf: decisions.setAsideOf,
    *inForce() {
      for (const [id, of] of versions(listening.listeners.values())) {
        yield { kind: 'listener', id, ...of, object: listening.table.objects.get(id) ?? of.object }
      }
      for (const [id, of] of versions(listening.hosts.values())) yield { kind: 'host', id, ...of }
      for (const [id, of] of versions(backends.backendRecords())) {
        yield { kind: 'backend', id, ...of, object: backends.table.objects.get(id) ?? of.object }
      }
      for (const [id, of] of versions(backends.serverRecords())) yield { kind: 'server', id, ...of }
      for (const [id, of] of versions(frontends.frontends.values())) {
        yield { kind: 'frontend', id, ...of, object: frontends.table.objects.get(id) ?? of.object }
      }
      for (const [id, of] of versions(frontends.middlewares())) {
        yield { kind: 'middleware', id, ...of }
      }
    },
    *written(source) {
      for (const [, { inForce, declared }] of records()) {
        if (inForce?.source === source) yield withSecretsOf(declared, inForce).declared
      }
    },
    withChangedFiles() {
      const files = createFileCache(world.readFile)
      return [...records()].flatMap(([kind, record]) =>
        hasChangedFiles(record, files) ? { kind, id: record.id } : [],
      )
    },
  }
}

/** Judged as the loop check does it, the other way round. */
function findServerAt(
  listener: Listener,
  backends: AdmittedBackends,
  { localAddresses }: AdmissionWorld,
): string | null {
  const findLoop = createLoopCheck([listener], null, localAddresses)
  for (const { id, servers } of backends.table.objects.values()) {
    if (!backends.isDeclared(id)) continue
    const server = servers.find((one) => findLoop(one) !== null)
    if (server !== undefined) return `server "${server.id}" of backend "${id}"`
  }
  return null
}

function* versions<T>(
  records: Iterable<ObjectRecord<T>>,
): Generator<[id: string, version: Version<T>]> {
  for (const { id, inForce, declared } of records) {
    if (inForce !== null) yield [id, withSecretsOf(declared, inForce)]
  }
}

/** What is written last may say of a text of an older version that it is a secret. */
function withSecretsOf<T>({ secrets }: DeclaredObject, inForce: Version<T>): Version<T> {
  if (secrets === undefined || inForce.declared.secrets === secrets) return inForce
  const all = [...(inForce.declared.secrets ?? []), ...secrets]
  return { ...inForce, declared: { ...inForce.declared, secrets: all } }
}
