/**
 * A frontend as the file writes it. `headers`, `respond` and `redirect` are short for a middleware of that kind; their
 * options are judged by the middleware catalog, here they only have to be plain data.
 */
import * as z from 'zod'
import { reference, strict, text, whole } from './fields.ts'
import { labels } from './labels.ts'
import { type Options, parseOptions } from './options.ts'
import type { Frontend, MiddlewareSpec } from './snapshot.ts'

const MAX_MIDDLEWARES = 50

/** The kinds that answer by themselves, so that nothing behind them is ever asked. */
const ANSWERING: ReadonlySet<string> = new Set(['respond', 'redirect'])

function options(forEditors: z.ZodType): z.ZodType<Options> {
  return z
    .unknown()
    .transform((value, context): Options => {
      const plain = parseOptions(value)
      if (plain.ok) return plain.value
      context.issues.push({ code: 'custom', message: plain.reason, input: value })
      return z.NEVER
    })
    .meta({ ...z.toJSONSchema(forEditors, { io: 'input' }), $schema: undefined })
}

const fieldMap = z.record(z.string(), z.string())
const changes = z.strictObject({
  set: fieldMap.optional().meta({ description: 'Fields to replace or add.' }),
  add: fieldMap.optional().meta({ description: 'Fields to add beside those that are there.' }),
  remove: z.array(z.string()).optional().meta({ description: 'Names of fields to take away.' }),
})

const headers = options(
  z
    .strictObject({
      request: changes.optional().meta({ description: 'On the way to the server.' }),
      response: changes.optional().meta({ description: 'On the way to the client.' }),
    })
    .meta({ description: 'Header fields to change.' }),
)

const respond = options(
  z
    .strictObject({
      status: z.int().min(200).max(599).meta({ description: 'Of the answer.' }),
      body: z.string().default('').meta({ description: 'Text to send.' }),
      type: z.string().default('text/plain; charset=utf-8').meta({
        description: 'Content-Type of the body.',
      }),
      fields: fieldMap.optional().meta({ description: 'Header fields of the answer.' }),
    })
    .meta({ description: 'Answer without asking a server.' }),
)

const redirect = options(
  z
    .strictObject({
      to: z.string().meta({ description: 'Where to: https://vote.example, or a path.' }),
      status: z.literal([301, 302, 303, 307, 308]).default(308).meta({
        description: '307 and 308 keep the method; 301 and 308 are remembered.',
      }),
      keepPath: z
        .boolean()
        .default(false)
        .meta({ description: 'Append the path and query asked for.' }),
    })
    .meta({ description: 'Send the client elsewhere.' }),
)

const middleware = options(
  z
    .looseObject({ kind: z.string() })
    .meta({ description: 'A middleware: its kind and its options.' }),
)

const frontendSchemaShape = {
  route: text('Which requests: Host("vote.example") && PathPrefix("/api")', 16_384),
  backend: reference('The id of the backend that answers.').optional(),
  passHost: z.boolean().default(true).meta({
    description: "Send the client's Host on, instead of the server's own.",
  }),
  priority: whole(
    'Rank among the routes that match; without it, the most specific wins.',
    -1e9,
    1e9,
  ).optional(),
  headers: headers.optional(),
  respond: respond.optional(),
  redirect: redirect.optional(),
  middlewares: z
    .array(middleware)
    .max(MAX_MIDDLEWARES, `must hold at most ${MAX_MIDDLEWARES} middlewares`)
    .optional()
    .meta({ description: 'Further middlewares, outermost first.' }),
  labels: labels.optional(),
}

const formSchema = strict(
  frontendSchemaShape,
  'A route and what answers it: exactly one of backend, respond, redirect.',
)
type Form = z.output<typeof formSchema>

export const frontendSchema: z.ZodType<Omit<Frontend, 'id'>> = formSchema.transform(
  (form, context): Omit<Frontend, 'id'> => {
    const middlewares = toMiddlewares(form, (message, path) => {
      context.issues.push({ code: 'custom', message, path: [...path], input: form })
    })
    return {
      route: form.route,
      priority: form.priority ?? null,
      backend: form.backend ?? null,
      passHost: form.passHost,
      middlewares,
      labels: form.labels ?? null,
    }
  },
)

type Complain = (message: string, path: readonly (string | number)[]) => void

function toMiddlewares(form: Form, complain: Complain): readonly MiddlewareSpec[] {
  const specs: MiddlewareSpec[] = []
  if (form.headers !== undefined) specs.push({ kind: 'headers', options: form.headers })
  form.middlewares?.forEach(({ kind, ...rest }, at) => {
    if (typeof kind === 'string' && kind !== '') specs.push({ kind, options: rest })
    else complain('needs a kind', ['middlewares', at])
  })
  if (form.respond !== undefined) specs.push({ kind: 'respond', options: form.respond })
  if (form.redirect !== undefined) specs.push({ kind: 'redirect', options: form.redirect })

  const answers = specs.filter(({ kind }) => ANSWERING.has(kind)).map(({ kind }) => kind)
  if (form.backend !== undefined) answers.unshift('backend')
  if (answers.length === 0) complain('needs one of backend, respond or redirect', [])
  if (answers.length > 1) {
    complain(
      `has ${answers.join(' and ')}; only one of backend, respond or redirect can answer`,
      [],
    )
  }
  return specs
}
