/** JSON merge patch (RFC 7396): members of the patch replace those of the target, and null removes. */
import { isMap, type JsonMap } from '../../model/parsed.ts'

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch
  const merged: Record<string, unknown> = Object.assign(
    Object.create(null) as Record<string, unknown>,
    isMap(target) ? target : {},
  )
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name]
    else merged[name] = mergePatch(Object.hasOwn(merged, name) ? merged[name] : undefined, value)
  }
  return { ...merged } satisfies JsonMap
}
