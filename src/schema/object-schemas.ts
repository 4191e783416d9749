/** The JSON Schemas (2020-12) of objects as registries hold them, from the schemas that parse them: for the description of the API. */
import * as z from 'zod'
import type { ObjectKind } from '../model/names.ts'
import { backendSchema } from './backend.ts'
import { frontendSchema } from './frontend.ts'
import { hostSchema } from './host-certificate.ts'
import { listenerSchema } from './listener.ts'
import { longForm } from './middleware.ts'
import { serverForms } from './server.ts'

type Schema = Readonly<Record<string, unknown>>

let known: Readonly<Record<ObjectKind, Schema>> | null = null

export function objectSchemas(): Readonly<Record<ObjectKind, Schema>> {
  return (known ??= {
    listener: toSchema(listenerSchema),
    host: toSchema(hostSchema),
    backend: toSchema(backendSchema),
    server: toSchema(serverForms),
    frontend: toSchema(frontendSchema),
    middleware: withPriority(toSchema(longForm)),
  })
}

function toSchema(schema: z.ZodType): Schema {
  const { $schema: _draft, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    reused: 'inline',
  })
  // A default of null is the parsed form of an option that is left out; it is not written.
  const text = JSON.stringify(rest, (key, value: unknown) =>
    key === 'default' && value === null ? undefined : value,
  )
  return JSON.parse(text) as Schema
}

/** Of a middleware with a key of its own. */
function withPriority(schema: Schema): Schema {
  const kinds = schema['anyOf'] as readonly { readonly properties: Schema }[]
  const priority = { type: 'integer', description: 'Lower is further out.' }
  return {
    ...schema,
    anyOf: kinds.map((one) => ({ ...one, properties: { ...one.properties, priority } })),
  }
}
