/**
 * Objects that vanished from a source and are still in force: their removal is pending. Times are ms on the clock of the
 * calls.
 */
import type { ObjectName } from '../../model/names.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { keyOf } from './object-index.ts'

/** What is held, in one report. */
export interface Held {
  readonly objects: number
  /** Of the oldest. */
  readonly since: number
  /** When a second list is requested; null: only an operator can confirm the removal. */
  readonly until: number | null
  /** `the source is empty (12 objects before)`. */
  readonly reason: string
}

/** Objects held at the same time for the same reason. */
interface Hold {
  readonly since: number
  readonly reason: string
  objects: number
}

export interface HeldObject {
  readonly name: ObjectName
  readonly hold: Hold
  /** What the source declares instead: a backend without its servers. Null: nothing. */
  readonly declared: DeclaredObject | null
}

export interface HeldObjects {
  /** How many the source does not declare at all. */
  readonly undeclared: number
  all(): HeldObject[]
  get(name: ObjectName): HeldObject | undefined
  add(name: ObjectName, declared: DeclaredObject | null, reason: string, now: number): void
  /** The source declares another version instead, or nothing. */
  replace(name: ObjectName, declared: DeclaredObject | null): void
  release(name: ObjectName): void
  /** Whether a list at this time may remove it. */
  isExpired(held: HeldObject, now: number): boolean
  /** When the oldest hold expires; null: nothing is held, or only an operator ends it. */
  expiresAt(): number | null
  describe(): Held | null
}

const MAX_REASONS = 3

export function createHeldObjects(holdMs: number | null): HeldObjects {
  const held = new Map<string, HeldObject>()
  /** The oldest first. */
  const holds = new Set<Hold>()
  let latest: Hold | null = null
  let undeclared = 0

  function holdFor(reason: string, now: number): Hold {
    if (latest?.since !== now || latest.reason !== reason || !holds.has(latest)) {
      latest = { since: now, reason, objects: 0 }
      holds.add(latest)
    }
    return latest
  }

  // A list looks up each of its objects, and mostly nothing is held.
  function find(name: ObjectName): HeldObject | undefined {
    return held.size === 0 ? undefined : held.get(keyOf(name))
  }

  function oldest(): Hold | null {
    const [first = null] = holds
    return first
  }

  return {
    get undeclared() {
      return undeclared
    },
    all: () => [...held.values()],
    get: find,
    add({ kind, id }, declared, reason, now) {
      const hold = holdFor(reason, now)
      hold.objects++
      if (declared === null) undeclared++
      held.set(keyOf({ kind, id }), { name: { kind, id }, hold, declared })
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
      known.hold.objects--
      if (known.hold.objects === 0) holds.delete(known.hold)
    },
    isExpired: ({ hold }, now) => holdMs !== null && now >= hold.since + holdMs,
    expiresAt() {
      const first = oldest()
      return first === null || holdMs === null ? null : first.since + holdMs
    },
    describe() {
      const first = oldest()
      if (first === null) return null
      const reasons = [...new Set([...holds].map(({ reason }) => reason))]
      return {
        objects: held.size,
        since: first.since,
        until: holdMs === null ? null : first.since + holdMs,
        reason: reasons.slice(0, MAX_REASONS).join('; '),
      }
    },
  }
}
