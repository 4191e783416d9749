/**
 * The accepted objects of one source. They differ from the last declaration in two ways only:
 *
 *   held     it vanished as it does when a source loses its data (shrink.ts): still in force, its removal is pending
 *   damped   a server that flaps (flap-damping.ts) while its backend has another server: not in force yet
 *
 * New and changed objects are accepted immediately. A delete by name on a live stream removes a declared object. It does not
 * remove a held one: that has vanished before, and the same source repeating it confirms nothing.
 */
import type { ShrinkSettings } from '../../model/settings.ts'
import type { ObjectKind, ObjectName } from '../../model/names.ts'
import type { Changes, Declaration, DeclaredObject } from '../../providers/provider.ts'
import { isEqual } from '../../model/equal.ts'
import { createFlapDamping } from './flap-damping.ts'
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
  createDeleteBurst,
  describeEmptied,
  holdReasonForBurst,
  holdReasonForClearance,
  holdReasonForList,
} from './shrink.ts'
import { createHeldObjects } from './held-objects.ts'
import type { Held, HeldObject } from './held-objects.ts'

export type { Held } from './held-objects.ts'

export interface InventoryOptions {
  readonly shrink: ShrinkSettings
}

export interface Inventory {
  /** The accepted objects of a kind, by id. A live view: the next `take`, `due` or `confirm` changes it. */
  objects(kind: ObjectKind): ReadonlyMap<string, DeclaredObject>
  /** Whether `server` objects of the backend are accepted. */
  hasServersOf(backend: string): boolean
  /** Applies a declaration; returns the names of the objects that it changed, each once. */
  take(declaration: Declaration, now: number): readonly ObjectName[]
  /** Applies what is due by now: damped servers whose wait is over. Returns the names that changed. */
  due(now: number): readonly ObjectName[]
  /** When to call `needsList` and `due` next; null: nothing is held or damped. */
  nextDueAt(): number | null
  /**
   * Whether a hold has expired, so that a second list is needed to confirm it. If true, the caller must request
   * a list. If none comes (the source is away), it is true again 5 s later.
   */
  needsList(now: number): boolean
  /** An operator confirms the held removals. Returns the names that changed. */
  confirm(now: number): readonly ObjectName[]
  held(): Held | null
  /** How often a server came back within a minute, since the start. */
  readonly flaps: number
}

interface DampedServer {
  object: DeclaredObject
  readonly since: number
  readonly until: number
}

const ASK_AGAIN_MS = 5000
/** Reasons of a list (`listed`) after which missing objects may have been lost: a backup was restored, or memory was lost. */
const ROLLED_BACK: ReadonlyMap<string, string> = new Map([
  ...['rewound', 'replaced', 'log'].map(
    (reason) => [reason, 'the source has gone back to an earlier state'] as const,
  ),
  ['restarted', 'the source was started again'],
  // Held before this start.
  ['held', 'it was held before'],
])

export function createInventory({ shrink }: InventoryOptions): Inventory {
  const accepted = createObjectIndex()
  const held = createHeldObjects(shrink.holdMs)
  const flapDamping = createFlapDamping()
  /** By id. */
  const damped = new Map<string, DampedServer>()
  const burst = createDeleteBurst()
  let askedAt: number | null = null

  function takeList({ objects, listed }: Declaration, now: number, different: NameSet): void {
    const fresh = groupByKind(objects)
    const supplied = new Set(Array.from(fresh.server.keys(), ownerOf))
    const emptied = shrink.allowEmpty ? new Set<string>() : findEmptied(fresh, supplied)
    const vanished = listDeclared().filter(({ kind, id }) => !fresh[kind].has(id))
    const loss = (listed === null ? undefined : ROLLED_BACK.get(listed)) ?? null
    const holdReason = holdReasonForList(
      shrink,
      countDeclared(),
      vanished.length,
      sizeOf(fresh),
      loss,
    )
    const reason = holdReason ?? describeEmptied(emptied)
    askedAt = null

    for (const one of held.all()) updateHeld(one, fresh, supplied, now, different)
    for (const object of vanished) {
      const isEmptied = object.kind === 'server' && emptied.has(ownerOf(object.id))
      if (holdReason !== null || isEmptied) hold(object, reason, now)
      else remove(object, now, different)
    }
    for (const id of emptied) {
      const name = { kind: 'backend', id } as const
      const known = accepted.get(name)
      if (known === undefined || !hasServers(known) || held.get(name) !== undefined) continue
      held.add(name, fresh.backend.get(id) ?? null, reason, now)
    }
    for (const group of Object.values(fresh)) {
      for (const object of group.values()) {
        burst.delete(object)
        if (held.get(object) === undefined) acceptOrDamp(object, now, different)
        else held.replace(object, object)
      }
    }
  }

  /** Backends that had servers and have none in this list: still declared, or declared only by their servers. */
  function findEmptied(fresh: ObjectsByKind, supplied: ReadonlySet<string>): Set<string> {
    const emptied = new Set<string>()
    for (const backend of fresh.backend.values()) {
      if (supplied.has(backend.id) || !hasNoServers(backend)) continue
      const pending = held.get(backend)
      const before = pending === undefined ? accepted.get(backend) : pending.declared
      if ((before && hasServers(before)) === true || hadServers(backend.id)) emptied.add(backend.id)
    }
    for (const id of accepted.owners()) {
      const isImplied = !accepted.ofKind('backend').has(id) && !fresh.backend.has(id)
      if (isImplied && !supplied.has(id) && hadServers(id)) emptied.add(id)
    }
    return emptied
  }

  function hadServers(backend: string): boolean {
    for (const server of accepted.serversOf(backend).values()) if (isDeclared(server)) return true
    return false
  }

  /** What a list means for an object that was held before. */
  function updateHeld(
    one: HeldObject,
    fresh: ObjectsByKind,
    supplied: ReadonlySet<string>,
    now: number,
    different: NameSet,
  ): void {
    const { name } = one
    const known = accepted.get(name)
    const declared = fresh[name.kind].get(name.id)
    if (known === undefined) return
    if (declared === undefined) {
      if (one.declared === null && held.isExpired(one, now)) remove(known, now, different)
      return
    }
    // A backend that comes back without its servers stays held.
    const isLess =
      name.kind === 'backend' &&
      hasServers(known) &&
      hasNoServers(declared) &&
      !supplied.has(name.id)
    if (!isLess || held.isExpired(one, now)) held.release(name)
  }

  function takeChanges(changes: Changes, now: number, different: NameSet): void {
    const { upserts, deletes, haveStopped = false } = changes
    burst.advance(now)
    const gone: DeclaredObject[] = []
    for (const name of deletes) {
      const server = dampedServer(name)
      if (server !== undefined) remove(server.object, now, different)
      const known = accepted.get(name)
      if (known !== undefined && isDeclared(known)) gone.push(known)
    }
    const back = upserts.filter((object) => burst.has(object)).length
    const before = countDeclared() + burst.size
    const holdReason = haveStopped
      ? null
      : (holdReasonForBurst(shrink, before, burst.size + gone.length - back) ??
        holdReasonForClearance(shrink, countDeclared(), gone))

    if (holdReason !== null) {
      for (const object of burst.objects()) restore(object, holdReason, now, different)
    }
    for (const object of gone) {
      burst.add(object, now)
      if (holdReason === null) remove(object, now, different)
      else hold(object, holdReason, now)
    }
    for (const object of upserts) {
      burst.delete(object)
      held.release(object)
      acceptOrDamp(object, now, different)
    }
  }

  /** A saved or deleted file, as changes: an object that it no longer declares was removed on purpose. */
  function toChanges(objects: Iterable<DeclaredObject>): Changes {
    const fresh = groupByKind(objects)
    return {
      upserts: Object.values(fresh).flatMap((group) => [...group.values()]),
      deletes: listDeclared().filter(({ kind, id }) => !fresh[kind].has(id)),
    }
  }

  /** Takes back the first deletes of a burst, which were accepted before it was one. */
  function restore(object: DeclaredObject, reason: string, now: number, different: NameSet): void {
    if (accepted.get(object) !== undefined) return
    accepted.set(object)
    different.add(object)
    held.add(object, null, reason, now)
  }

  function hold(object: DeclaredObject, reason: string, now: number): void {
    // It may have been held already, with an older version declared in its place.
    held.release(object)
    if (dampedServer(object) === undefined) {
      held.add(object, null, reason, now)
      return
    }
    // A damped server was not in force.
    damped.delete(object.id)
    flapDamping.removed(object.id, now)
  }

  function remove(object: DeclaredObject, now: number, different: NameSet): void {
    held.release(object)
    if (object.kind === 'server') flapDamping.removed(object.id, now)
    if (dampedServer(object) !== undefined) {
      damped.delete(object.id)
      return
    }
    accepted.delete(object)
    different.add(object)
  }

  function acceptOrDamp(object: DeclaredObject, now: number, different: NameSet): void {
    const known = accepted.get(object)
    if (known !== undefined) {
      // Also when it is equal: its position in the source may have changed.
      accepted.set(object)
      if (!isSame(known, object)) different.add(object)
      return
    }
    const server = dampedServer(object)
    if (server !== undefined) {
      server.object = object
      return
    }
    const waitMs = object.kind === 'server' ? flapDamping.declared(object.id, now) : 0
    if (waitMs > 0) damped.set(object.id, { object, since: now, until: now + waitMs })
    else accept(object, different)
  }

  function accept(object: DeclaredObject, different: NameSet): void {
    if (object.kind === 'server') damped.delete(object.id)
    accepted.set(object)
    different.add(object)
  }

  // Damping must not leave a backend without servers. Held servers do not count: they may be gone.
  function acceptWhereNeeded(different: NameSet): void {
    for (const { object } of [...damped.values()]) {
      if (!isServed(ownerOf(object.id))) accept(object, different)
    }
  }

  function isServed(id: string): boolean {
    const backend = accepted.get({ kind: 'backend', id })
    const hasInline = backend !== undefined && hasServers(backend)
    if (hasInline && held.get(backend) === undefined) return true
    return hasServerObject(id, (server) => {
      return server.fault === undefined && held.get(server) === undefined
    })
  }

  function hasServerObject(backend: string, fits: (server: DeclaredObject) => boolean): boolean {
    for (const server of accepted.serversOf(backend).values()) if (fits(server)) return true
    return false
  }

  function dampedServer({ kind, id }: ObjectName): DampedServer | undefined {
    return kind === 'server' ? damped.get(id) : undefined
  }

  /** Whether the source declares an accepted object, or another one in its place. */
  function isDeclared(name: ObjectName): boolean {
    return held.get(name)?.declared !== null
  }

  function listDeclared(): DeclaredObject[] {
    const servers = Array.from(damped.values(), ({ object }) => object)
    return [...accepted.all().filter(isDeclared), ...servers]
  }

  function countDeclared(): number {
    return accepted.size + damped.size - held.undeclared
  }

  return {
    objects: accepted.ofKind,
    hasServersOf: (backend) => accepted.serversOf(backend).size > 0,
    take(declaration, now) {
      const { objects, changes, listed } = declaration
      const different = createNameSet()
      if (changes !== null) takeChanges(changes, now, different)
      else if (listed === 'changed') takeChanges(toChanges(objects), now, different)
      else takeList(declaration, now, different)
      acceptWhereNeeded(different)
      return different.list()
    },
    due(now) {
      const different = createNameSet()
      for (const { object, since, until } of [...damped.values()]) {
        // `now < since`: the clock was set back.
        if (now >= until || now < since) accept(object, different)
      }
      return different.list()
    },
    nextDueAt() {
      const expiresAt = held.expiresAt()
      let next =
        expiresAt === null ? Infinity : Math.max(expiresAt, (askedAt ?? -Infinity) + ASK_AGAIN_MS)
      for (const { until } of damped.values()) next = Math.min(next, until)
      return next === Infinity ? null : next
    },
    needsList(now) {
      const expiresAt = held.expiresAt()
      if (expiresAt === null || now < expiresAt) return false
      if (askedAt !== null && now >= askedAt && now < askedAt + ASK_AGAIN_MS) return false
      askedAt = now
      return true
    },
    confirm(now) {
      const different = createNameSet()
      for (const { name, declared } of held.all()) {
        const known = accepted.get(name)
        held.release(name)
        if (declared !== null) acceptOrDamp(declared, now, different)
        else if (known !== undefined) remove(known, now, different)
      }
      burst.clear()
      acceptWhereNeeded(different)
      return different.list()
    },
    held: held.describe,
    get flaps() {
      return flapDamping.flaps
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
    isEqual(a.secrets, b.secrets) &&
    a.isSealed === b.isSealed
  )
}
