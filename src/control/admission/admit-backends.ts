/**
 * Backends with their servers, which may be declared inside them or one by one under names of their own. A server alone
 * declares its backend with defaults, so that nobody has to come first.
 *
 * A backend that is declared no more stays in force as long as the last good version of a frontend needs it: with the
 * servers that stood inside it, and without those that had names of their own and are gone.
 */
import { refuseTableId, splitParts } from '../../model/names.ts'
import { type Flaw, type Parsed, flaw, refuse } from '../../model/parsed.ts'
import { parseBackend } from '../../schema/objects.ts'
import { parseServer } from '../../schema/server.ts'
import type { Backend, Server } from '../../model/snapshot.ts'
import { parseWholeBackend } from './backend.ts'
import { updateRecord } from './object-record.ts'
import type { ObjectRecord, FileCache } from './object-record.ts'
import { reuseIfEqual } from '../../model/equal.ts'
import { joinServers, type Inside } from './join-servers.ts'
import type { FindLoop } from './loop.ts'
import type { MergedObject } from '../sources/merge.ts'
import { createTrackedMap } from './tracked-map.ts'
import type { TrackedMap } from './tracked-map.ts'
import type { Decisions } from './decisions.ts'

/** `withdrawn`: in force, but declared no more. */
export type Standing = 'declared' | 'withdrawn' | 'missing'

interface Pool {
  record: ObjectRecord<Backend> | null
  readonly servers: Map<string, ObjectRecord<Server>>
  /** The last good version of a backend that is declared no more. */
  kept: Backend | null
  standing: Standing
}

export interface SettleWorld {
  readonly decisions: Decisions
  readonly findLoop: FindLoop
  /** Of a source's precedence: lower goes before. */
  readonly rankOf: (source: string) => number
}

/** Backends that stand otherwise than before. */
export interface Moved {
  /** All of these. */
  readonly changed: ReadonlySet<string>
  /** Those that another source declares now. */
  readonly handedOver: ReadonlySet<string>
}

export interface AdmittedBackends {
  readonly table: TrackedMap<Backend>
  note(kind: 'backend' | 'server', object: MergedObject, files: FileCache): void
  remove(kind: 'backend' | 'server', id: string): void
  /** Looks at what has changed, or at all. */
  settle(world: SettleWorld, isAll: boolean): Moved
  standing(id: string): Standing
  /** Something is written under the id, good or not. */
  isWritten(id: string): boolean
  /** That, or a server of it is. */
  isDeclared(id: string): boolean
  hasWithdrawn(): boolean
  /** Lets go of what is withdrawn and not needed. */
  release(needed: ReadonlySet<string>): void
  backendRecords(): Iterable<ObjectRecord<Backend>>
  serverRecords(): Iterable<ObjectRecord<Server>>
}

export function admitBackends(): AdmittedBackends {
  const pools = new Map<string, Pool>()
  const table = createTrackedMap<Backend>()
  const dirty = new Set<string>()
  const dirtyServers = new Set<ObjectRecord<Server>>()
  const withdrawn = new Set<string>()
  /** Backends that are another source's now: what named the former one does not mean these. */
  const handedOver = new Set<string>()
  /** Backends that are written, or written no more: with servers of their own they may have been there before, under a name. */
  const written = new Set<string>()

  function open(id: string): Pool {
    const pool: Pool = pools.get(id) ?? {
      record: null,
      servers: new Map(),
      kept: null,
      standing: 'missing',
    }
    pools.set(id, pool)
    dirty.add(id)
    return pool
  }

  function settlePool(id: string, pool: Pool, world: SettleWorld): void {
    const { decisions, findLoop } = world
    const { record } = pool
    if (record !== null) {
      const against = (backend: Backend): Flaw | null => loopInside(backend, findLoop)
      const loop = record.parsed === null ? null : against(record.parsed)
      decisions.decide('backend', record, firstFit(record, against), loop === null ? [] : [loop])
    }
    // One that is withdrawn may have become one that leads back to us, too.
    if (pool.kept !== null && loopInside(pool.kept, findLoop) !== null) pool.kept = null
    const isHere = isDeclared(pool)
    const part = record === null ? (isHere ? byDefault(id) : pool.kept) : record.inForce?.object
    const whole = part === undefined || part === null ? null : compose(part, pool, world)
    // Conflicts between its servers are reported all the same.
    if (whole === null) joinServers(nothingInside, pool.servers.values(), world.rankOf, decisions)
    table.put(id, whole)
    pool.standing = whole === null ? 'missing' : isHere ? 'declared' : 'withdrawn'
    if (pool.standing === 'withdrawn') withdrawn.add(id)
    else withdrawn.delete(id)
    if (!isHere && whole === null) pools.delete(id)
  }

  function compose(part: Backend, { record, servers }: Pool, world: SettleWorld): Backend {
    if (servers.size === 0) return part
    const { rankOf, decisions } = world
    const rank = record?.inForce == null ? Infinity : rankOf(record.inForce.source)
    const inside = { servers: part.servers, rank }
    const whole = { ...part, servers: joinServers(inside, servers.values(), rankOf, decisions) }
    return reuseIfEqual(table.objects.get(part.id), whole)
  }

  return {
    table,
    note(kind, object, files) {
      if (kind === 'backend') {
        const pool = open(object.id)
        if (pool.record === null) written.add(object.id)
        else if (pool.record.source !== object.source) handedOver.add(object.id)
        pool.record = updateRecord(pool.record, object, files, parseWholeBackend)
        pool.kept = null
        return
      }
      const [backend, id] = splitParts(object.id)
      const pool = open(backend)
      const record = updateRecord(pool.servers.get(id) ?? null, object, files, parseServerPart)
      pool.servers.set(id, record)
      pool.kept = null
      dirtyServers.add(record)
    },
    remove(kind, id) {
      const [backend, server] = splitParts(id)
      const pool = pools.get(kind === 'backend' ? id : backend)
      if (pool === undefined) return
      dirty.add(kind === 'backend' ? id : backend)
      if (kind === 'backend') {
        if (pool.servers.size === 0) pool.kept ??= pool.record?.inForce?.object ?? null
        written.add(id)
        pool.record = null
      } else if (pool.servers.delete(server) && pool.servers.size === 0 && pool.record === null) {
        pool.kept ??= byDefault(backend)
      }
    },
    settle(world, isAll) {
      const { decisions, findLoop } = world
      if (isAll) {
        for (const [id, pool] of pools) {
          dirty.add(id)
          for (const record of pool.servers.values()) dirtyServers.add(record)
        }
      }
      for (const record of dirtyServers) {
        const [backend, id] = splitParts(record.id)
        // It may have been replaced, or have gone, since.
        if (pools.get(backend)?.servers.get(id) !== record) continue
        try {
          const loop = record.parsed === null ? null : findLoop(record.parsed)
          const against = loop === null ? [] : [flaw(['url'], loop)]
          decisions.decide('server', record, firstFit(record, findLoop), against)
        } catch (error) {
          decisions.fail('server', record, error)
        }
      }
      dirtyServers.clear()
      const over = new Set(handedOver)
      handedOver.clear()
      const changed = new Set([...over, ...written])
      written.clear()
      for (const id of dirty) {
        const pool = pools.get(id)
        if (pool === undefined) continue
        const { standing } = pool
        try {
          settlePool(id, pool, world)
        } catch (error) {
          // The pool stays as it was.
          if (pool.record !== null) decisions.fail('backend', pool.record, error)
          else for (const one of pool.servers.values()) decisions.fail('server', one, error)
        }
        if (pool.standing !== standing) changed.add(id)
      }
      dirty.clear()
      return { changed, handedOver: over }
    },
    standing: (id) => pools.get(id)?.standing ?? 'missing',
    isWritten: (id) => (pools.get(id)?.record ?? null) !== null,
    isDeclared: (id) => isDeclared(pools.get(id)),
    hasWithdrawn: () => withdrawn.size > 0,
    release(needed) {
      for (const id of withdrawn) {
        if (needed.has(id)) continue
        withdrawn.delete(id)
        pools.delete(id)
        table.put(id, null)
      }
    },
    *backendRecords() {
      for (const { record } of pools.values()) if (record !== null) yield record
    },
    *serverRecords() {
      for (const { servers } of pools.values()) yield* servers.values()
    },
  }
}

const nothingInside: Inside = { servers: [], rank: Infinity }

function isDeclared(pool: Pool | undefined): boolean {
  return pool !== undefined && (pool.record !== null || pool.servers.size > 0)
}

/** As written, else the last good version, unless there is something against it. */
function firstFit<T>(
  { parsed, inForce }: ObjectRecord<T>,
  against: (object: T) => unknown,
): T | null {
  if (parsed !== null && against(parsed) === null) return parsed
  return inForce !== null && against(inForce.object) === null ? inForce.object : null
}

function loopInside(backend: Backend, findLoop: FindLoop): Flaw | null {
  for (const server of backend.servers) {
    const loop = findLoop(server)
    if (loop !== null) return flaw(['servers', server.id], loop)
  }
  return null
}

export function parseServerPart(id: string, value: unknown): Parsed<Server> {
  const [backend, server] = splitParts(id)
  const refused = refuseTableId(backend)
  return refused === null ? parseServer(server, value) : refuse([flaw([], refused)])
}

function byDefault(id: string): Backend | null {
  const parsed = parseBackend(id, {}, () => '')
  return parsed.ok ? parsed.value : null
}
