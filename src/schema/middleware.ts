/**
 * Middlewares as they are written: the short forms, which are keys of a frontend (`ratelimit: {...}`), and the long form in its
 * list of `middlewares`, which names its kind. Their schemas are those of the catalog. Here options are parsed, once.
 */
import * as z from 'zod'
import { MIDDLEWARES, roleOf, splitShortForm } from '../middleware/catalog.ts'
import type { MiddlewareRole } from '../middleware/middleware.ts'
import { flaw, refuse, type Parsed } from '../model/parsed.ts'
import type { MiddlewareSpec } from '../model/snapshot.ts'
import { inputOf } from '../options/fields.ts'
import { NAMES_PLACE, parseWith } from '../options/parse.ts'
import * as vocabulary from '../options/vocabulary.ts'
import { type Options, parsePlainOptions } from './plain-options.ts'

/** By kind, in the order of the catalog. */
export const OPTIONS: ReadonlyMap<string, z.ZodType> = new Map(
  MIDDLEWARES.map((one) => [one.kind, one.options(vocabulary)]),
)

export type ShortForms = Readonly<Record<string, z.ZodOptional<z.ZodType<MiddlewareSpec>>>>

/** By kind, in the order of the catalog. */
export const shortForms: ShortForms = Object.fromEntries(
  [...OPTIONS].map(([kind, schema]) => [
    kind,
    z
      .unknown()
      .transform((value, context): MiddlewareSpec => {
        const written = readPlain(value, context)
        return written === null ? z.NEVER : readSpec(kind, written, context)
      })
      .meta(inputOf(schema))
      .optional(),
  ]),
)

export const longForm: z.ZodType<MiddlewareSpec> = z
  .unknown()
  .transform((value, context): MiddlewareSpec => {
    const written = readPlain(value, context)
    if (written === null) return z.NEVER
    const { kind, ...options } = written
    if (typeof kind === 'string' && kind !== '') return readSpec(kind, options, context)
    context.issues.push({ code: 'custom', message: 'needs a kind', input: value })
    return z.NEVER
  })
  .meta({
    description: 'A middleware: its kind and its options.',
    anyOf: [...OPTIONS].map(([kind, schema]) => withKind(kind, inputOf(schema))),
  })

function readPlain(value: unknown, context: z.RefinementCtx): Options | null {
  const plain = parsePlainOptions(value)
  if (plain.ok) return plain.value
  context.issues.push({ code: 'custom', message: plain.reason, input: value })
  return null
}

/** Messages name the kind, because in a list the path does not. */
function readSpec(kind: string, options: unknown, context: z.RefinementCtx): MiddlewareSpec {
  const parsed = parseMiddleware({ kind, options })
  if (parsed.ok) return parsed.value
  for (const { message, path } of parsed.problems) {
    const issue = { code: 'custom', message: `${kind}: ${message}`, params: NAMES_PLACE } as const
    context.issues.push({ ...issue, path: [...path], input: options })
  }
  return z.NEVER
}

/** The spec with its options parsed, or what is wrong with them. */
export function parseMiddleware({ kind, options }: MiddlewareSpec): Parsed<MiddlewareSpec> {
  const schema = OPTIONS.get(kind)
  if (schema === undefined) {
    const known = [...OPTIONS.keys()].sort().join(', ')
    return refuse([flaw([], `there is no middleware "${kind}"; there are ${known}`)])
  }
  const parsed = parseWith(schema, options)
  return parsed.ok ? { ok: true, value: { kind, options: parsed.value } } : parsed
}

/** The JSON Schema of a kind's options with the kind beside them. */
function withKind(kind: string, schema: Record<string, unknown>): Record<string, unknown> {
  const { properties, required = [] } = schema as { properties: object; required?: string[] }
  return {
    ...schema,
    properties: { kind: { const: kind }, ...properties },
    required: ['kind', ...required],
  }
}

/** The middlewares of a frontend, outermost first: `short` are its short forms in the order of the catalog, `listed` its list. */
export function chainOf(
  short: readonly MiddlewareSpec[],
  listed: readonly MiddlewareSpec[],
): readonly MiddlewareSpec[] {
  const outermost: MiddlewareSpec[] = []
  const placed: Record<MiddlewareRole, MiddlewareSpec[]> = { first: [], filter: [], terminal: [] }
  for (const spec of short) {
    const { outer, inner } = splitShortForm(spec)
    if (outer !== null) outermost.push(outer)
    if (inner !== null) placed[roleOf(inner)].push(inner)
  }
  return [...outermost, ...placed.first, ...placed.filter, ...listed, ...placed.terminal]
}
