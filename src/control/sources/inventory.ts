/**
 * What one source declares, as far as it is believed. It differs from the last declaration in two ways only:
 *
 *   held      it vanished in a way that is doubted (shrink.ts): still in force
 *   waiting   a server that flaps (flap.ts), while its backend has another one: not in force yet
 *
 * What comes or changes is in force at once. A delete by name on a live stream takes away what is declared; what is held
 * has vanished before, and the same source saying so once more confirms nothing.
 */
import type { ShrinkSettings } from '../../model/source-spec.ts'
import type {
  Changes,
  Declaration,
  DeclaredObject,
  ObjectKind,
  ObjectName,
} from '../../providers/provider.ts'
import { isEqual } from '../../model/equal.ts'
import { createFlapDamping } from './flap.ts'
import {
  createNameSet,
  createObjectIndex,
  hasNoServers,
  hasServers,
  ownerOf,
  groupByKind,
  sizeOf,
} from './object-index.ts'
import type { NameSet, ObjectsByKind } from './object-index.ts'
import {
  createBurst,
  createHolds,
  describeEmptied,
  doubtBurst,
  doubtClearance,
  doubtList,
} from './shrink.ts'
import type { Held, HeldObject } from './shrink.ts'

export type { Held } from './shrink.ts'

export interface InventoryOptions {
  readonly shrink: ShrinkSettings
}

export interface Inventory {
  /** What is believed, by kind and id. A view: the next `take`, `due` or `confirm` changes it. */
  objects(kind: ObjectKind): ReadonlyMap<string, DeclaredObject>
  /** Whether `server` objects of the backend are believed. */
  hasServersOf(backend: string): boolean
  /** Applies what a source said; answers the names of what is different now, each once. */
  take(declaration: Declaration, now: number): readonly ObjectName[]
  /** What time alone has changed: a server that flapped may come back. */
  due(now: number): readonly ObjectName[]
  /** When `due` is worth a call, or a second list should be asked for (then `needsList`); null: nothing waits. */
  nextDueAt(): number | null
  /**
   * Whether the source should be listed again now, to confirm what is held. Whoever hears true asks the source: if no list
   * comes (the source is away), it is true again 5 s later.
   */
  needsList(now: number): boolean
  /** An operator says that what is held is true. */
  confirm(now: number): readonly ObjectName[]
  held(): Held | null
  /** Servers that were back within a minute, since the start. */
  readonly flaps: number
}

interface Waiting {
  object: DeclaredObject
  readonly since: number
  readonly until: number
}

const askAgainMs = 5000
/** Why a source was listed when what it lacks may have been lost: a backup was put back, or memory was. */
const wentBack: ReadonlyMap<string, string> = new Map([
  ...['rewound', 'replaced', 'log'].map(
    (reason) => [reason, 'the source has gone back to an earlier state'] as const,
  ),
  ['restarted', 'the source was started again'],
  // Before this start.
  ['held', 'it was held before'],
])

export function createInventory({ shrink }: InventoryOptions): Inventory {
  const believed = createObjectIndex()
  const holds = createHolds(shrink.holdMs)
  const flapping = createFlapDamping()
  /** By id: `server` objects. */
  const waiting = new Map<string, Waiting>()
  const burst = createBurst()
  let askedAt: number | null = null

  function takeList({ objects, listed }: Declaration, now: number, different: NameSet): void {
    const fresh = groupByKind(objects)
    const supplied = new Set(Array.from(fresh.server.keys(), ownerOf))
    const emptied = shrink.allowEmpty ? new Set<string>() : findEmptied(fresh, supplied)
    const vanished = listDeclared().filter(({ kind, id }) => !fresh[kind].has(id))
    const loss = (listed === null ? undefined : wentBack.get(listed)) ?? null
    const doubt = doubtList(shrink, countDeclared(), vanished.length, sizeOf(fresh), loss)
    const reason = doubt ?? describeEmptied(emptied)
    askedAt = null

    for (const held of holds.all()) settle(held, fresh, supplied, now, different)
    for (const object of vanished) {
      const isEmptied = object.kind === 'server' && emptied.has(ownerOf(object.id))
      if (doubt !== null || isEmptied) hold(object, reason, now)
      else remove(object, now, different)
    }
    for (const id of emptied) {
      const name = { kind: 'backend', id } as const
      const known = believed.get(name)
      if (known === undefined || !hasServers(known) || holds.get(name) !== undefined) continue
      holds.add(name, fresh.backend.get(id) ?? null, reason, now)
    }
    for (const group of Object.values(fresh)) {
      for (const object of group.values()) {
        burst.delete(object)
        if (holds.get(object) === undefined) put(object, now, different)
        else holds.replace(object, object)
      }
    }
  }

  /** Backends that had servers and have none now: still declared, or never declared but by their servers. */
  function findEmptied(fresh: ObjectsByKind, supplied: ReadonlySet<string>): Set<string> {
    const emptied = new Set<string>()
    for (const backend of fresh.backend.values()) {
      if (supplied.has(backend.id) || !hasNoServers(backend)) continue
      const held = holds.get(backend)
      const before = held === undefined ? believed.get(backend) : held.declared
      if ((before && hasServers(before)) === true || hadServers(backend.id)) emptied.add(backend.id)
    }
    for (const id of believed.owners()) {
      const isImplied = !believed.ofKind('backend').has(id) && !fresh.backend.has(id)
      if (isImplied && !supplied.has(id) && hadServers(id)) emptied.add(id)
    }
    return emptied
  }

  function hadServers(backend: string): boolean {
    for (const server of believed.serversOf(backend).values()) if (isDeclared(server)) return true
    return false
  }

  /** What a list means for what was held before. */
  function settle(
    held: HeldObject,
    fresh: ObjectsByKind,
    supplied: ReadonlySet<string>,
    now: number,
    different: NameSet,
  ): void {
    const { name } = held
    const known = believed.get(name)
    const declared = fresh[name.kind].get(name.id)
    if (known === undefined) return
    if (declared === undefined) {
      if (held.declared === null && holds.isOver(held, now)) remove(known, now, different)
      return
    }
    // A backend that is back without its servers is not back yet.
    const isLess =
      name.kind === 'backend' &&
      hasServers(known) &&
      hasNoServers(declared) &&
      !supplied.has(name.id)
    if (!isLess || holds.isOver(held, now)) holds.release(name)
  }

  function takeChanges({ upserts, deletes }: Changes, now: number, different: NameSet): void {
    burst.advance(now)
    const gone: DeclaredObject[] = []
    for (const name of deletes) {
      const waits = waitingFor(name)
      if (waits !== undefined) remove(waits.object, now, different)
      const known = believed.get(name)
      if (known !== undefined && isDeclared(known)) gone.push(known)
    }
    const back = upserts.filter((object) => burst.has(object)).length
    const before = countDeclared() + burst.size
    const doubt =
      doubtBurst(shrink, before, burst.size + gone.length - back) ??
      doubtClearance(shrink, countDeclared(), gone)

    if (doubt !== null) for (const object of burst.objects()) restore(object, doubt, now, different)
    for (const object of gone) {
      burst.add(object, now)
      if (doubt === null) remove(object, now, different)
      else hold(object, doubt, now)
    }
    for (const object of upserts) {
      burst.delete(object)
      holds.release(object)
      put(object, now, different)
    }
  }

  /** Somebody saved a file, or deleted one: what is not there any more was taken away just now. */
  function edits(objects: Iterable<DeclaredObject>): Changes {
    const fresh = groupByKind(objects)
    return {
      upserts: Object.values(fresh).flatMap((group) => [...group.values()]),
      deletes: listDeclared().filter(({ kind, id }) => !fresh[kind].has(id)),
    }
  }

  // The first deletes of a burst are believed before it is one.
  function restore(object: DeclaredObject, reason: string, now: number, different: NameSet): void {
    if (believed.get(object) !== undefined) return
    believed.set(object)
    different.add(object)
    holds.add(object, null, reason, now)
  }

  function hold(object: DeclaredObject, reason: string, now: number): void {
    // An old version that was held vanishes anew.
    holds.release(object)
    if (waitingFor(object) === undefined) {
      holds.add(object, null, reason, now)
      return
    }
    // It was not in force anyway.
    waiting.delete(object.id)
    flapping.leave(object.id, now)
  }

  function remove(object: DeclaredObject, now: number, different: NameSet): void {
    holds.release(object)
    if (object.kind === 'server') flapping.leave(object.id, now)
    if (waitingFor(object) !== undefined) {
      waiting.delete(object.id)
      return
    }
    believed.delete(object)
    different.add(object)
  }

  function put(object: DeclaredObject, now: number, different: NameSet): void {
    const known = believed.get(object)
    if (known !== undefined) {
      // Also when it is the same: where it stands may have changed.
      believed.set(object)
      if (!isSame(known, object)) different.add(object)
      return
    }
    const waits = waitingFor(object)
    if (waits !== undefined) {
      waits.object = object
      return
    }
    const waitMs = object.kind === 'server' ? flapping.arrive(object.id, now) : 0
    if (waitMs > 0) waiting.set(object.id, { object, since: now, until: now + waitMs })
    else enter(object, different)
  }

  function enter(object: DeclaredObject, different: NameSet): void {
    if (object.kind === 'server') waiting.delete(object.id)
    believed.set(object)
    different.add(object)
  }

  // Damping must not be what leaves a backend without servers. Held ones do not count: nobody knows whether they are there.
  function enterWhereNeeded(different: NameSet): void {
    for (const { object } of [...waiting.values()]) {
      if (!isServed(ownerOf(object.id))) enter(object, different)
    }
  }

  function isServed(id: string): boolean {
    const backend = believed.get({ kind: 'backend', id })
    const isInside = backend !== undefined && hasServers(backend)
    if (isInside && holds.get(backend) === undefined) return true
    return hasServerObject(id, (server) => {
      return server.fault === undefined && holds.get(server) === undefined
    })
  }

  function hasServerObject(backend: string, fits: (server: DeclaredObject) => boolean): boolean {
    for (const server of believed.serversOf(backend).values()) if (fits(server)) return true
    return false
  }

  function waitingFor({ kind, id }: ObjectName): Waiting | undefined {
    return kind === 'server' ? waiting.get(id) : undefined
  }

  /** Of what is believed. */
  function isDeclared(name: ObjectName): boolean {
    return holds.get(name)?.declared !== null
  }

  function listDeclared(): DeclaredObject[] {
    const waits = Array.from(waiting.values(), ({ object }) => object)
    return [...believed.all().filter(isDeclared), ...waits]
  }

  function countDeclared(): number {
    return believed.size + waiting.size - holds.undeclared
  }

  return {
    objects: believed.ofKind,
    hasServersOf: (backend) => believed.serversOf(backend).size > 0,
    take(declaration, now) {
      const { objects, changes, listed } = declaration
      const different = createNameSet()
      if (changes !== null) takeChanges(changes, now, different)
      else if (listed === 'changed') takeChanges(edits(objects), now, different)
      else takeList(declaration, now, different)
      enterWhereNeeded(different)
      return different.list()
    },
    due(now) {
      const different = createNameSet()
      for (const { object, since, until } of [...waiting.values()]) {
        // A clock that was set back would have it wait for ever.
        if (now >= until || now < since) enter(object, different)
      }
      return different.list()
    },
    nextDueAt() {
      const overAt = holds.overAt()
      let next = overAt === null ? Infinity : Math.max(overAt, (askedAt ?? -Infinity) + askAgainMs)
      for (const { until } of waiting.values()) next = Math.min(next, until)
      return next === Infinity ? null : next
    },
    needsList(now) {
      const overAt = holds.overAt()
      if (overAt === null || now < overAt) return false
      if (askedAt !== null && now >= askedAt && now < askedAt + askAgainMs) return false
      askedAt = now
      return true
    },
    confirm(now) {
      const different = createNameSet()
      for (const { name, declared } of holds.all()) {
        const known = believed.get(name)
        holds.release(name)
        if (declared !== null) put(declared, now, different)
        else if (known !== undefined) remove(known, now, different)
      }
      burst.clear()
      enterWhereNeeded(different)
      return different.list()
    },
    held: holds.describe,
    get flaps() {
      return flapping.flaps
    },
  }
}

function isSame(a: DeclaredObject, b: DeclaredObject): boolean {
  if (a === b) return true
  return (
    isEqual(a.value, b.value) &&
    a.fault === b.fault &&
    isEqual(a.remarks, b.remarks) &&
    isEqual(a.references, b.references) &&
    isEqual(a.secrets, b.secrets)
  )
}
