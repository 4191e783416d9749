/** The objects of a source that is read as a whole, and what has changed from one list to the next. */
import type { Problem } from '../../model/problem.ts'
import { createNameMap, type NameMap } from '../../model/name-map.ts'
import type { ObjectName } from '../../model/names.ts'
import type { Declaration, DeclaredObject } from '../provider.ts'
import { isSameObject } from '../registry/same-object.ts'

/** All that a source declares at one time. */
export interface Listed {
  /** Each name once; an object that has not changed may be the same value as in the list before, which is compared faster. */
  readonly objects: Iterable<DeclaredObject>
  readonly problems: readonly Problem[]
  /** The source's own revision, if it has one. */
  readonly revision?: string
  /** The source has gone back to an earlier state, so what is missing may have been lost: declared as `rewound`. */
  readonly hasGoneBack?: boolean
  /** As in Declaration: of a part of the source that cannot be read, whose objects stay. */
  readonly isUnread?: (object: DeclaredObject) => boolean
}

export interface ObjectMirror {
  /** `listed`: as in Declaration; null: the difference from the last list is declared as single changes. */
  declare(listed: Listed, why: string | null, changedAt: number): Declaration
  /** Whether the last declaration differs from the one before. */
  readonly hasNews: boolean
}

/** `haveStopped`: of its changes, see Changes. */
export function createObjectMirror(haveStopped = false): ObjectMirror {
  let objects: NameMap<DeclaredObject> = createNameMap()
  let problems: readonly Problem[] = []
  let changeCount = 0
  let hasNews = true

  return {
    get hasNews() {
      return hasNews
    },
    declare(list, why, changedAt) {
      const before = objects
      const now = createNameMap<DeclaredObject>()
      const upserts: DeclaredObject[] = []
      let kept = 0
      for (const object of list.objects) {
        const old = before.get(object)
        const isSame = old !== undefined && (old === object || isSameObject(old, object))
        now.set(object, isSame ? old : object)
        if (old !== undefined) kept += 1
        if (!isSame) upserts.push(object)
      }
      const deletes: ObjectName[] =
        kept === before.size
          ? []
          : before.values().flatMap(({ kind, id }) => (now.has({ kind, id }) ? [] : { kind, id }))
      const isChanged = upserts.length + deletes.length > 0
      hasNews = why !== null || isChanged || !areSameProblems(problems, list.problems)
      if (isChanged) changeCount += 1
      objects = now
      problems = list.problems
      return {
        readable: true,
        revision: list.revision ?? String(changeCount),
        objects: now.values(),
        changes:
          why === null ? { upserts, deletes, ...(haveStopped ? { haveStopped } : {}) } : null,
        listed: why,
        problems,
        changedAt,
        ...(list.isUnread === undefined ? {} : { isUnread: list.isUnread }),
      }
    },
  }
}

function areSameProblems(some: readonly Problem[], others: readonly Problem[]): boolean {
  return (
    some.length === others.length &&
    some.every((one, index) => {
      const other = others[index]
      return one.id === other?.id && one.key === other.key && one.message === other.message
    })
  )
}
