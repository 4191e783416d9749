/** Whether an object of a source is in force, and why not: what the API tells of each object that it writes. */
import type { ObjectName } from '../model/names.ts'
import { isEqual } from '../model/equal.ts'
import type { DeclaredObject } from '../providers/provider.ts'
import type { Admission } from './admission/admit.ts'
import type { Merge } from './sources/merge.ts'

export interface ObjectStatus {
  /**
   * `in-force`; `set-aside` with its reasons; `shadowed`: an earlier source declares an object of this name; `pending`: this
   * instance has not read this version yet, or the source holds it back.
   */
  readonly state: 'in-force' | 'set-aside' | 'shadowed' | 'pending'
  readonly reasons: readonly string[]
  /** The version that is in force, which may be an older one; null: none is. */
  readonly inForce: {
    readonly revision: string
    /** ms since the epoch. */
    readonly since: number
    readonly source: string
  } | null
}

/** `revision`: of what the source has now; `read`: that, as its layout reads it. */
export type StatusOf = (
  source: string,
  name: ObjectName,
  revision: string,
  read: () => Pick<DeclaredObject, 'value' | 'fault'> | null,
) => ObjectStatus

export function createStatusOf(
  merge: Pick<Merge, 'find' | 'precedence'>,
  admission: Pick<Admission, 'find'>,
): StatusOf {
  return (source, { kind, id }, revision, read) => {
    const merged = merge.find(kind, id)
    // Until this source has been read, a later one may have the name.
    const isShadowed = merged !== null && merge.precedence(merged.source) < merge.precedence(source)
    // A backend that an earlier source has, too, is in the table by another name.
    const tableId = isShadowed && kind === 'backend' ? `${id}@${source}` : id
    const known = admission.find(kind, tableId)
    const version = known?.inForce ?? null
    const inForce =
      version === null
        ? null
        : { revision: version.revision, since: version.since, source: version.source }
    if (isShadowed && kind !== 'backend') {
      const reason = `source "${merged.source}" declares ${kind} "${id}", too, and takes precedence`
      return { state: 'shadowed', reasons: [reason], inForce }
    }
    // An object that was written again as it was keeps its revision in admission. Most have not been, and are not read again.
    const isRead =
      known !== null && (known.declared.revision === revision || isSame(known.declared, read()))
    if (!isRead) {
      return { state: 'pending', reasons: ['it has not been read yet'], inForce }
    }
    const reasons = known.problems.map(({ message }) => message)
    const state = reasons.length === 0 && inForce !== null ? 'in-force' : 'set-aside'
    return { state, reasons, inForce }
  }
}

function isSame(
  one: Pick<DeclaredObject, 'value' | 'fault'>,
  other: Pick<DeclaredObject, 'value' | 'fault'> | null,
): boolean {
  try {
    return other !== null && one.fault === other.fault && isEqual(one.value, other.value)
  } catch {
    return false
  }
}
