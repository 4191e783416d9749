import { isDeepStrictEqual } from 'node:util'
import type { DeclaredObject } from '../provider.ts'

/** Ignores the revision. */
export function isSameObject(one: DeclaredObject, other: DeclaredObject): boolean {
  return (
    one.key === other.key &&
    one.fault === other.fault &&
    one.isSealed === other.isSealed &&
    isDeepStrictEqual(one.closed, other.closed) &&
    isDeepStrictEqual(one.remarks, other.remarks) &&
    isDeepStrictEqual(one.value, other.value)
  )
}
