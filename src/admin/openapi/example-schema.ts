/** The schema that examples of one form have in common: of vulcand's objects, whose form is code. */
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { type JsonSchema, listOf, map, nullable } from './schema.ts'

/** A member that is missing in one example is optional, and one that is null in one may be null. */
export function schemaOfExamples(examples: readonly unknown[]): JsonSchema {
  const present = examples.filter((one) => one !== null)
  if (present.length === 0) return { description: 'null, or any JSON' }
  const schema = schemaOf(present)
  return present.length === examples.length ? schema : nullable(schema)
}

function schemaOf(examples: readonly unknown[]): JsonSchema {
  const maps = examples.filter(isMap)
  if (maps.length === examples.length) return schemaOfMaps(maps)
  const lists = examples.filter((one): one is readonly unknown[] => Array.isArray(one))
  if (lists.length === examples.length) return listOf(schemaOfExamples(lists.flat()))
  const types = new Set(examples.map((one) => (typeof one === 'number' ? 'integer' : typeof one)))
  const [type] = types
  if (types.size !== 1 || type === 'object') throw new Error('examples differ in their type')
  return { type }
}

function schemaOfMaps(maps: readonly JsonMap[]): JsonSchema {
  const names = new Set(maps.flatMap((one) => Object.keys(one)))
  const required: Record<string, JsonSchema> = {}
  const optional: Record<string, JsonSchema> = {}
  for (const name of names) {
    const having = maps.filter((one) => Object.hasOwn(one, name))
    const schema = schemaOfExamples(having.map((one) => one[name]))
    if (having.length === maps.length) required[name] = schema
    else optional[name] = schema
  }
  return map(required, optional)
}

/** The same with every member optional, as vulcand's API takes it. */
export function withoutRequired(schema: JsonSchema): JsonSchema {
  const loose = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(loose)
    if (typeof value !== 'object' || value === null) return value
    const { required: _required, ...rest } = value as JsonSchema
    return Object.fromEntries(Object.entries(rest).map(([name, inner]) => [name, loose(inner)]))
  }
  return loose(schema) as JsonSchema
}
