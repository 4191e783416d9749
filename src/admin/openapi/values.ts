/** What is written under /api/objects: an object in the native form, or in vulcand's. */
import type { ObjectKind } from '../../model/names.ts'
import { objectSchemas } from '../../schema/object-schemas.ts'
import { type JsonSchema, map, named } from './schema.ts'

const VULCAND = named('InVulcandsForm', {
  ...map({ vulcand: { type: 'object' } }),
  description: "of a source with the native layout: an object in vulcand's form",
  additionalProperties: false,
})

const known = new Map<ObjectKind, JsonSchema>()

/** Made when it is asked for: the schemas take time, and few ask for the description. */
export function valueOf(kind: ObjectKind): JsonSchema {
  const made = known.get(kind) ?? {
    description: "In a source with vulcand's layout, values have vulcand's form.",
    anyOf: [
      named(`${kind.charAt(0).toUpperCase()}${kind.slice(1)}`, objectSchemas()[kind]),
      VULCAND,
    ],
  }
  known.set(kind, made)
  return made
}
