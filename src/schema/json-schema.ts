/** The JSON Schema of the file, for editors, generated from the schemas that parse it. */
import * as z from 'zod'
import { backendSchema } from './backend.ts'
import { frontendSchema } from './frontend.ts'
import { hostSchema } from './host-certificate.ts'
import { listenerSchema } from './listener.ts'
import { SETTINGS_SHAPE } from './settings.ts'

/** The text of config/schema.json. */
export function jsonSchemaText(): string {
  return schemaText(document())
}

/** The JSON Schema of a file. Draft 7 has the best support in language servers for YAML and JSON. */
export function schemaText(file: z.ZodType): string {
  const schema = {
    ...z.toJSONSchema(file, { target: 'draft-7', io: 'input', reused: 'inline' }),
    patternProperties: { '^x-': { description: 'Not read: a place for anchors.' } },
  }
  return `${JSON.stringify(schema, withoutNull, 2)}\n`
}

/** A default of null is the parsed form of an option that is left out; it is not written. */
function withoutNull(key: string, value: unknown): unknown {
  return key === 'default' && value === null ? undefined : value
}

function document(): z.ZodType {
  const id = z.string().regex(/^[A-Za-z0-9._@:-]{1,128}$/)
  const hostName = z.string().regex(/^(\*\.)?[A-Za-z0-9._@:-]{1,128}$/)
  return z
    .strictObject({
      $schema: z.string().optional(),
      ...optional(SETTINGS_SHAPE),
      listeners: z.record(id, listenerSchema).optional().meta({
        description: 'Where clients connect, by id.',
      }),
      hosts: z.record(hostName, hostSchema).optional().meta({
        description: 'Certificates for every https listener, by name.',
      }),
      backends: z.record(id, backendSchema).optional().meta({
        description: 'Servers that do the same work, by id.',
      }),
      frontends: z.record(id, frontendSchema).optional().meta({
        description: 'Which requests go where, by id.',
      }),
    })
    .meta({ title: 'Sluice', description: 'What Sluice listens on, matches and balances.' })
}

function optional(shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([key, schema]) => [key, schema.optional()]))
}
