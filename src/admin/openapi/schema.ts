/** JSON Schema (2020-12) in few words, for what the API answers. What has a name becomes a component of the description. */

export type JsonSchema = { readonly [keyword: string]: unknown }

const names = new WeakMap<JsonSchema, string>()

export function named(name: string, schema: JsonSchema): JsonSchema {
  const own = { ...schema }
  names.set(own, name)
  return own
}

export function nameOf(schema: object): string | undefined {
  return names.get(schema as JsonSchema)
}

export const text: JsonSchema = { type: 'string' }
export const whole: JsonSchema = { type: 'integer' }
export const flag: JsonSchema = { type: 'boolean' }
/** A map with any members. */
export const members: JsonSchema = { type: 'object' }
/** 0 to 1. */
export const share: JsonSchema = { type: 'number', minimum: 0, maximum: 1 }
/** ISO 8601 in UTC with milliseconds. */
export const time: JsonSchema = {
  type: 'string',
  format: 'date-time',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
}

export function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] }
}

export function listOf(schema: JsonSchema): JsonSchema {
  return { type: 'array', items: schema }
}

export function oneOf(...values: readonly string[]): JsonSchema {
  return { type: 'string', enum: values }
}

type Members = Readonly<Record<string, JsonSchema>>

/** `optional` members may be missing. More may come with later versions. */
export function map(required: Members, optional: Members = {}): JsonSchema {
  return {
    type: 'object',
    properties: { ...required, ...optional },
    ...(Object.keys(required).length === 0 ? {} : { required: Object.keys(required) }),
  }
}

export function mapOf(schema: JsonSchema): JsonSchema {
  return { type: 'object', additionalProperties: schema }
}
