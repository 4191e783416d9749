/**
 * Protection against mass removal. A registry that was wiped, restored in part or is still loading looks like one whose
 * objects were all deleted. So removals are held when many objects vanish at once:
 *
 *   a list     lacks all objects, or `share` of them, or every server of a backend that is still declared;
 *              or any object, if the source has gone back to an earlier state
 *   a burst    more than half of the objects, and at least 20, are deleted one by one within a second;
 *              or all objects in one change, unless they are all servers, which may share one lease;
 *              neither if the source runs the servers itself, and says that they have stopped
 *
 * A held object stays in force. It is removed when `holdMs` have passed and the next list still lacks it, or when an
 * operator confirms the removal. It is released as soon as the source declares it again.
 */
import type { ShrinkSettings } from '../../model/settings.ts'
import type { ObjectName } from '../../model/names.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { quote } from '../../model/parsed.ts'
import { keyOf } from './object-index.ts'

const BURST_MS = 1000
const BURST_OBJECTS = 20

/**
 * Why the removals of a list are held; null: they are accepted. `before` and `after`: declared objects. `loss`: why the
 * source may have lost data; null: it has not.
 */
export function holdReasonForList(
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

/** The objects deleted one by one within the last second. */
export interface DeleteBurst {
  readonly size: number
  /** Forgets deletes older than a second. */
  advance(now: number): void
  add(object: DeclaredObject, now: number): void
  has(name: ObjectName): boolean
  /** The object is declared again. */
  delete(name: ObjectName): void
  objects(): DeclaredObject[]
  clear(): void
}

export function createDeleteBurst(): DeleteBurst {
  /** The oldest first. */
  const deleted = new Map<string, { readonly object: DeclaredObject; readonly at: number }>()

  return {
    get size() {
      return deleted.size
    },
    advance(now) {
      for (const [key, { at }] of deleted) {
        if (now >= at && now - at < BURST_MS) return
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

/** Like holdReasonForList, for objects deleted one by one within a second. */
export function holdReasonForBurst(
  { allowEmpty }: ShrinkSettings,
  before: number,
  deleted: number,
): string | null {
  if (allowEmpty || deleted < BURST_OBJECTS || deleted * 2 <= before) return null
  return `${deleted} of ${count(before)} were deleted within a second`
}

/** Like holdReasonForList, for objects deleted in one change. */
export function holdReasonForClearance(
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
