/** What a source says, as a provider would: lists, and changes one by one. */
import type { ObjectKind, ObjectName } from '../../src/model/names.ts'
import type { Changes, Declaration, DeclaredObject } from '../../src/providers/provider.ts'

export function declared(kind: ObjectKind, id: string, value: unknown = {}): DeclaredObject {
  return { kind, id, value, key: `/sluice/${kind}s/${id}` }
}

/** Frontends `f1`, `f2` ... */
export function frontends(count: number, from = 1): DeclaredObject[] {
  return Array.from({ length: count }, (_, at) => declared('frontend', `f${from + at}`))
}

export function listOf(objects: Iterable<DeclaredObject>, listed = 'first'): Declaration {
  const about = { revision: '1', problems: [], changedAt: 0 }
  return { readable: true, objects, changes: null, listed, ...about }
}

/** Only the changes can be read in it: a reader must not need the whole. */
export function changesOf(changes: Partial<Changes>): Declaration {
  return { ...listOf([]), changes: { upserts: [], deletes: [], ...changes }, listed: null }
}

/** `backend b`, sorted. */
export function namesOf(objects: Iterable<ObjectName>): string[] {
  return [...objects].map(({ kind, id }) => `${kind} ${id}`).sort()
}
