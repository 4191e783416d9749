/**
 * Backends with their servers, which are declared inside them (inline) or with keys of their own. A server alone declares
 * its backend with defaults, so that servers and backends may come in any order.
 *
 * A backend that is no longer declared stays in force while the last good version of a frontend needs it: with its inline
 * servers, and without servers that had keys of their own and are gone.
 */
import { RUNS_PROGRAMS } from '../../model/actuator-spec.ts'
import { splitParts } from '../../model/names.ts'
import { flaw, type Flaw } from '../../model/parsed.ts'
import { parseBackend } from '../../schema/objects.ts'
import type { Backend, Server } from '../../model/snapshot.ts'
import { parseServerPart, parseWholeBackend } from './parse-objects.ts'
import { updateRecord } from './object-record.ts'
import type { ObjectRecord, FileCache } from './object-record.ts'
import { reuseIfEqual } from '../../model/equal.ts'
import { mergeServers, type InlineServers } from './merge-servers.ts'
import type { FindLoop } from './loop.ts'
import type { MergedObject } from '../sources/merge.ts'
import { createTrackedMap } from './tracked-map.ts'
import type { TrackedMap } from './tracked-map.ts'
import type { Decisions } from './decisions.ts'

/** `withdrawn`: in force, but no longer declared. */
export type BackendState = 'declared' | 'withdrawn' | 'missing'

interface BackendGroup {
  record: ObjectRecord<Backend> | null
  readonly servers: Map<string, ObjectRecord<Server>>
  /** Of a backend that is no longer declared. */
  lastGood: Backend | null
  state: BackendState
}

export interface BackendContext {
  readonly decisions: Decisions
  readonly findLoop: FindLoop
  readonly mayRunPrograms: (source: string) => boolean
  /** The precedence of a source: the lower one wins. */
  readonly rankOf: (source: string) => number
}

export interface BackendChanges {
  /** Backends whose state, source or record changed. */
  readonly changed: ReadonlySet<string>
  /** Those of them that another source declares now. */
  readonly handedOver: ReadonlySet<string>
}

export interface BackendAdmission {
  readonly table: TrackedMap<Backend>
  declare(kind: 'backend' | 'server', object: MergedObject, files: FileCache): void
  remove(kind: 'backend' | 'server', id: string): void
  /** Admits the groups that changed, or all of them. */
  admit(context: BackendContext, isAll: boolean): BackendChanges
  stateOf(id: string): BackendState
  /** Whether a backend of this id is declared, valid or not. */
  hasBackend(id: string): boolean
  /** Whether the backend, or a server of it, is declared. */
  isDeclared(id: string): boolean
  hasWithdrawn(): boolean
  /** Removes the withdrawn backends that are not `needed`. */
  releaseUnused(needed: ReadonlySet<string>): void
  find(kind: 'backend' | 'server', id: string): ObjectRecord<unknown> | null
  backendRecords(): Iterable<ObjectRecord<Backend>>
  serverRecords(): Iterable<ObjectRecord<Server>>
}

export function createBackendAdmission(): BackendAdmission {
  const groups = new Map<string, BackendGroup>()
  const table = createTrackedMap<Backend>()
  const dirty = new Set<string>()
  const dirtyServers = new Set<ObjectRecord<Server>>()
  const withdrawn = new Set<string>()
  /** Backends that another source declares now. A last good version that names one meant the former backend. */
  const handedOver = new Set<string>()
  /** Backends whose own record came or went; their servers alone may have declared them before. */
  const ownChanged = new Set<string>()

  function open(id: string): BackendGroup {
    const group: BackendGroup = groups.get(id) ?? {
      record: null,
      servers: new Map(),
      lastGood: null,
      state: 'missing',
    }
    groups.set(id, group)
    dirty.add(id)
    return group
  }

  function admitGroup(id: string, group: BackendGroup, context: BackendContext): void {
    const { decisions, findLoop, mayRunPrograms } = context
    const { record } = group
    if (record !== null) {
      const mayRun = mayRunPrograms(record.source)
      const refuse = (backend: Backend): Flaw | null =>
        findInlineLoop(backend, findLoop) ?? (mayRun ? null : refusePrograms(backend))
      const found = record.parsed === null ? null : refuse(record.parsed)
      decisions.decide('backend', record, firstValid(record, refuse), found === null ? [] : [found])
    }
    // A new listener may have turned the servers of a withdrawn backend into a loop.
    const { lastGood } = group
    if (lastGood !== null && findInlineLoop(lastGood, findLoop) !== null) group.lastGood = null
    const hasDeclaration = isDeclared(group)
    const part = record === null ? impliedBackend(id, group) : record.inForce?.object
    const whole = part === undefined || part === null ? null : compose(part, group, context)
    // Conflicts between its servers are reported also without it.
    if (whole === null) {
      mergeServers(NO_INLINE_SERVERS, group.servers.values(), context.rankOf, decisions)
    }
    table.put(id, whole)
    group.state = whole === null ? 'missing' : hasDeclaration ? 'declared' : 'withdrawn'
    if (group.state === 'withdrawn') withdrawn.add(id)
    else withdrawn.delete(id)
    if (!hasDeclaration && whole === null) groups.delete(id)
  }

  function compose(
    part: Backend,
    { record, servers }: BackendGroup,
    context: BackendContext,
  ): Backend {
    if (servers.size === 0) return part
    const { rankOf, decisions } = context
    const rank = record?.inForce == null ? Infinity : rankOf(record.inForce.source)
    const inline = { servers: part.servers, rank }
    const whole = { ...part, servers: mergeServers(inline, servers.values(), rankOf, decisions) }
    return reuseIfEqual(table.objects.get(part.id), whole)
  }

  return {
    table,
    declare(kind, object, files) {
      if (kind === 'backend') {
        const group = open(object.id)
        if (group.record === null) ownChanged.add(object.id)
        else if (group.record.source !== object.source) handedOver.add(object.id)
        group.record = updateRecord(group.record, object, files, parseWholeBackend)
        group.lastGood = null
        return
      }
      const [backend, id] = splitParts(object.id)
      const group = open(backend)
      const record = updateRecord(group.servers.get(id) ?? null, object, files, parseServerPart)
      group.servers.set(id, record)
      group.lastGood = null
      dirtyServers.add(record)
    },
    remove(kind, id) {
      const [backend, server] = splitParts(id)
      const group = groups.get(kind === 'backend' ? id : backend)
      if (group === undefined) return
      dirty.add(kind === 'backend' ? id : backend)
      if (kind === 'backend') {
        if (group.servers.size === 0) group.lastGood ??= group.record?.inForce?.object ?? null
        ownChanged.add(id)
        group.record = null
      } else if (
        group.servers.delete(server) &&
        group.servers.size === 0 &&
        group.record === null
      ) {
        group.lastGood ??= defaultBackend(backend)
      }
    },
    admit(context, isAll) {
      const { decisions, findLoop } = context
      if (isAll) {
        for (const [id, group] of groups) {
          dirty.add(id)
          for (const record of group.servers.values()) dirtyServers.add(record)
        }
      }
      for (const record of dirtyServers) {
        const [backend, id] = splitParts(record.id)
        // It may have been replaced or removed since.
        if (groups.get(backend)?.servers.get(id) !== record) continue
        try {
          const loop = record.parsed === null ? null : findLoop(record.parsed)
          const flaws = loop === null ? [] : [flaw(['url'], loop)]
          decisions.decide('server', record, firstValid(record, findLoop), flaws)
        } catch (error) {
          decisions.fail('server', record, error)
        }
      }
      dirtyServers.clear()
      const moved = new Set(handedOver)
      handedOver.clear()
      const changed = new Set([...moved, ...ownChanged])
      ownChanged.clear()
      for (const id of dirty) {
        const group = groups.get(id)
        if (group === undefined) continue
        const { state } = group
        try {
          admitGroup(id, group, context)
        } catch (error) {
          // The backend in force stays as it was.
          if (group.record !== null) decisions.fail('backend', group.record, error)
          else for (const one of group.servers.values()) decisions.fail('server', one, error)
        }
        if (group.state !== state) changed.add(id)
      }
      dirty.clear()
      return { changed, handedOver: moved }
    },
    stateOf: (id) => groups.get(id)?.state ?? 'missing',
    hasBackend: (id) => (groups.get(id)?.record ?? null) !== null,
    isDeclared: (id) => isDeclared(groups.get(id)),
    hasWithdrawn: () => withdrawn.size > 0,
    releaseUnused(needed) {
      for (const id of withdrawn) {
        if (needed.has(id)) continue
        withdrawn.delete(id)
        groups.delete(id)
        table.put(id, null)
      }
    },
    find(kind, id) {
      if (kind === 'backend') return groups.get(id)?.record ?? null
      const [backend, server] = splitParts(id)
      return groups.get(backend)?.servers.get(server) ?? null
    },
    *backendRecords() {
      for (const { record } of groups.values()) if (record !== null) yield record
    },
    *serverRecords() {
      for (const { servers } of groups.values()) yield* servers.values()
    },
  }
}

const NO_INLINE_SERVERS: InlineServers = { servers: [], rank: Infinity }

function isDeclared(group: BackendGroup | undefined): boolean {
  return group !== undefined && (group.record !== null || group.servers.size > 0)
}

/** The declared version, else the last good one, or null: the first without an objection. */
function firstValid<T>(
  { parsed, inForce }: ObjectRecord<T>,
  objectionTo: (object: T) => unknown,
): T | null {
  if (parsed !== null && objectionTo(parsed) === null) return parsed
  return inForce !== null && objectionTo(inForce.object) === null ? inForce.object : null
}

function findInlineLoop(backend: Backend, findLoop: FindLoop): Flaw | null {
  for (const server of backend.servers) {
    const loop = findLoop(server)
    if (loop !== null) return flaw(['servers', server.id], loop)
  }
  return null
}

/** A writer of a registry must not be able to run programs on this machine. */
function refusePrograms({ scale }: Backend): Flaw | null {
  if (scale === null || !RUNS_PROGRAMS.has(scale.actuator.kind)) return null
  const { kind } = scale.actuator
  const reason = 'runs programs of this machine: only a file or a directory of it may declare that'
  return flaw(['scale', 'actuator', kind], reason)
}

/** Without a record: what its servers imply, else the last good version. */
function impliedBackend(id: string, { servers, lastGood }: BackendGroup): Backend | null {
  return servers.size > 0 ? defaultBackend(id) : lastGood
}

function defaultBackend(id: string): Backend | null {
  const parsed = parseBackend(id, {}, () => '')
  return parsed.ok ? parsed.value : null
}
