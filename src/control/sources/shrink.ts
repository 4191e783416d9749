/**
 * A registry that was wiped, restored half or is still loading answers like one whose objects were all deleted. So what is
 * missing from a list is doubted when it is much at once, and so is a burst of deletes:
 *
 *   a list     lacks all, or `share` of the objects, or every server of a backend that is still declared
 *              or any, from a source that has gone back to an earlier state of itself
 *   a burst    more than half of the objects, and at least 20, are deleted one by one within a second; or all there is
 *              in one go, and not only servers, which may share one lease
 *
 * What is doubted is held: it stays in force. It goes when `holdMs` are over and a list that comes after still lacks it,
 * or when an operator confirms it. It is held no longer as soon as the source declares it again.
 */
import type { ShrinkSettings } from '../../model/source-spec.ts'
import type { DeclaredObject, ObjectName } from '../../providers/provider.ts'
import { quote } from '../../model/parsed.ts'
import { keyOf } from './object-index.ts'

/** Something vanished that is not believed yet: it stays in force meanwhile. */
export interface Held {
  readonly objects: number
  /** ms since the epoch. */
  readonly since: number
  /** When a second list is asked for; null: an operator has to confirm it. */
  readonly until: number | null
  /** `the source is empty (12 objects before)`. */
  readonly reason: string
}

/** What is doubted together. */
interface Doubt {
  readonly since: number
  readonly reason: string
  objects: number
}

export interface HeldObject {
  readonly name: ObjectName
  readonly doubt: Doubt
  /** What the source declares in its place: a backend without its servers. Null: nothing. */
  readonly declared: DeclaredObject | null
}

export interface Holds {
  /** Those that the source does not declare at all. */
  readonly undeclared: number
  all(): HeldObject[]
  get(name: ObjectName): HeldObject | undefined
  add(name: ObjectName, declared: DeclaredObject | null, reason: string, now: number): void
  /** The source declares another thing in its place. */
  replace(name: ObjectName, declared: DeclaredObject | null): void
  release(name: ObjectName): void
  /** Whether a list of now may take it away. */
  isOver(held: HeldObject, now: number): boolean
  /** When the first is over; null: nothing is held, or only an operator ends it. */
  overAt(): number | null
  describe(): Held | null
}

const burstMs = 1000
const burstObjects = 20
const maxReasons = 3

export function createHolds(holdMs: number | null): Holds {
  const held = new Map<string, HeldObject>()
  /** The oldest first. */
  const doubts = new Set<Doubt>()
  let latest: Doubt | null = null
  let undeclared = 0

  function doubtOf(reason: string, now: number): Doubt {
    if (latest?.since !== now || latest.reason !== reason || !doubts.has(latest)) {
      latest = { since: now, reason, objects: 0 }
      doubts.add(latest)
    }
    return latest
  }

  // Mostly nothing is held, and a list asks for each of its objects.
  function find(name: ObjectName): HeldObject | undefined {
    return held.size === 0 ? undefined : held.get(keyOf(name))
  }

  function oldest(): Doubt | null {
    const [first = null] = doubts
    return first
  }

  return {
    get undeclared() {
      return undeclared
    },
    all: () => [...held.values()],
    get: find,
    add({ kind, id }, declared, reason, now) {
      const doubt = doubtOf(reason, now)
      doubt.objects++
      if (declared === null) undeclared++
      held.set(keyOf({ kind, id }), { name: { kind, id }, doubt, declared })
    },
    replace(name, declared) {
      const known = find(name)
      if (known === undefined) return
      if (known.declared === null) undeclared--
      if (declared === null) undeclared++
      held.set(keyOf(name), { ...known, declared })
    },
    release(name) {
      const known = find(name)
      if (known === undefined) return
      held.delete(keyOf(name))
      if (known.declared === null) undeclared--
      known.doubt.objects--
      if (known.doubt.objects === 0) doubts.delete(known.doubt)
    },
    isOver: ({ doubt }, now) => holdMs !== null && now >= doubt.since + holdMs,
    overAt() {
      const first = oldest()
      return first === null || holdMs === null ? null : first.since + holdMs
    },
    describe() {
      const first = oldest()
      if (first === null) return null
      const reasons = [...new Set([...doubts].map(({ reason }) => reason))]
      return {
        objects: held.size,
        since: first.since,
        until: holdMs === null ? null : first.since + holdMs,
        reason: reasons.slice(0, maxReasons).join('; '),
      }
    },
  }
}

/** Why it is doubted that so much is gone; null: it is believed. `loss`: why what is missing may have been lost; null: it may not. */
export function doubtList(
  { allowEmpty, share }: ShrinkSettings,
  before: number,
  vanished: number,
  after: number,
  loss: string | null,
): string | null {
  if (allowEmpty || vanished === 0) return null
  if (after === 0) return `the source is empty (${count(before)} before)`
  if (loss !== null) return `${loss}: ${vanished} of ${count(before)} vanished`
  if (vanished < before * share) return null
  return `${vanished} of ${count(before)} vanished at once`
}

export function describeEmptied(backends: ReadonlySet<string>): string {
  const some = [...backends].slice(0, 3).map((id) => quote(id))
  const names = some.join(', ') + (backends.size > some.length ? ', ...' : '')
  return backends.size === 1
    ? `backend ${names} has lost all its servers`
    : `${backends.size} backends have lost all their servers: ${names}`
}

/** What was deleted one by one within the last second. */
export interface Burst {
  readonly size: number
  /** Forgets what is older than a second. */
  advance(now: number): void
  add(object: DeclaredObject, now: number): void
  has(name: ObjectName): boolean
  /** It is declared again. */
  delete(name: ObjectName): void
  objects(): DeclaredObject[]
  clear(): void
}

export function createBurst(): Burst {
  /** The oldest first. */
  const deleted = new Map<string, { readonly object: DeclaredObject; readonly at: number }>()

  return {
    get size() {
      return deleted.size
    },
    advance(now) {
      for (const [key, { at }] of deleted) {
        if (now >= at && now - at < burstMs) return
        deleted.delete(key)
      }
    },
    add(object, now) {
      deleted.set(keyOf(object), { object, at: now })
    },
    has: (name) => deleted.size > 0 && deleted.has(keyOf(name)),
    delete(name) {
      if (deleted.size > 0) deleted.delete(keyOf(name))
    },
    objects: () => [...deleted.values()].map(({ object }) => object),
    clear: () => deleted.clear(),
  }
}

/** As doubtList, for what was deleted one by one within a second. */
export function doubtBurst(
  { allowEmpty }: ShrinkSettings,
  before: number,
  deleted: number,
): string | null {
  if (allowEmpty || deleted < burstObjects || deleted * 2 <= before) return null
  return `${deleted} of ${count(before)} were deleted within a second`
}

/** As doubtList, for what was deleted in one go. */
export function doubtClearance(
  { allowEmpty }: ShrinkSettings,
  before: number,
  deleted: readonly ObjectName[],
): string | null {
  if (allowEmpty || deleted.length < 2 || deleted.length < before) return null
  if (deleted.every(({ kind }) => kind === 'server')) return null
  return `all ${deleted.length} objects were deleted in one go`
}

function count(objects: number): string {
  return objects === 1 ? '1 object' : `${objects} objects`
}
