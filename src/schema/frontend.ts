/** The schema of a frontend. */
import * as z from 'zod'
import { isTerminal, MIDDLEWARES, roleOf } from '../middleware/catalog.ts'
import { meaning, reference, strict, text, whole, type Complain } from '../options/fields.ts'
import { labels } from './labels.ts'
import { pathPolicy } from './listener.ts'
import { chainOf, longForm, shortForms } from './middleware.ts'
import { DEFAULT_RETRY, frontendRetry } from './retry.ts'
import { isEqual } from '../model/equal.ts'
import type { Frontend, MiddlewareSpec } from '../model/snapshot.ts'
import { frontendTimeouts } from './timeouts.ts'

const MAX_MIDDLEWARES = 50
/** Members that can respond to requests: `backend, respond or redirect`. */
const RESPONDERS = ['backend', ...MIDDLEWARES.flatMap((one) => (one.role ? [one.kind] : []))]
  .join(', ')
  .replace(/, (?=[^,]*$)/, ' or ')

/** Members that are about requests, which a tcp frontend does not read. */
const OF_REQUESTS = ['paths', 'middlewares', ...Object.keys(shortForms)]
const TIMEOUTS_OF_STREAMS: readonly string[] = ['connectMs', 'handshakeMs', 'tunnelMs']

const formSchema = strict(
  {
    protocol: z
      .enum(['http', 'tcp'])
      .default('http')
      .meta({ description: 'tcp routes connections, by their first TLS record.' }),
    route: text(
      'Which requests: Host("vote.example") && PathPrefix("/api"); with protocol tcp, which connections: HostSNI("db.example")',
      16_384,
    ),
    backend: reference('The id of the backend that responds.').optional(),
    passHost: z.boolean().default(true).meta({
      description: "Forward the client's Host, instead of the server's own.",
    }),
    paths: pathPolicy.optional(),
    priority: whole(
      'Rank among the routes that match; without it, the most specific wins.',
      -1e9,
      1e9,
    ).optional(),
    timeouts: frontendTimeouts.optional(),
    retry: frontendRetry.optional(),
    ...shortForms,
    middlewares: z
      .array(longForm)
      .max(MAX_MIDDLEWARES, `must hold at most ${MAX_MIDDLEWARES} middlewares`)
      .optional()
      .meta({
        description:
          'Further middlewares, outermost first. Behind those that have keys of their own, before respond and redirect.',
      }),
    labels: labels.optional(),
  },
  `A route and where its requests go: exactly one of ${RESPONDERS}.`,
)
type Form = z.output<typeof formSchema>

export const frontendSchema: z.ZodType<Omit<Frontend, 'id'>> = meaning(
  formSchema,
  (form, complain) => {
    const middlewares = toMiddlewares(form, complain)
    if (form.protocol === 'tcp') refuseForStreams(form, complain)
    if (form.backend === undefined) {
      for (const key of ['timeouts', 'retry'] as const) {
        if (form[key] !== undefined) complain('is used with a backend only', [key])
      }
    }
    return {
      protocol: form.protocol,
      route: form.route,
      priority: form.priority ?? null,
      backend: form.backend ?? null,
      passHost: form.passHost,
      paths: form.paths ?? null,
      timeouts: form.timeouts ?? null,
      retry: form.retry ?? null,
      middlewares,
      labels: form.labels ?? null,
    }
  },
)

function toMiddlewares(form: Form, complain: Complain): readonly MiddlewareSpec[] {
  const written = form as Readonly<Record<string, unknown>>
  const short = Object.keys(shortForms).flatMap(
    (kind) => (written[kind] as MiddlewareSpec | undefined) ?? [],
  )
  const specs = chainOf(short, form.middlewares ?? [])

  const responders = specs.filter(isTerminal).map(({ kind }) => kind)
  if (form.backend !== undefined) responders.unshift('backend')
  if (form.protocol === 'tcp') return specs
  const hasResponder = responders.length > 0 || specs.some((spec) => roleOf(spec) === 'first')
  if (!hasResponder) complain(`needs one of ${RESPONDERS}`, [])
  if (responders.length > 1) {
    complain(`has ${responders.join(' and ')}; only one of ${RESPONDERS} can respond`, [])
  }
  return specs
}

function refuseForStreams(form: Form, complain: Complain): void {
  const written = form as Readonly<Record<string, unknown>>
  for (const key of OF_REQUESTS) {
    if (written[key] !== undefined)
      complain('is for requests, which a tcp frontend does not read', [key])
  }
  if (!form.passHost) complain('is for requests, which have a Host field', ['passHost'])
  if (form.backend === undefined) complain('a tcp frontend needs a backend', [])
  const { timeouts, retry } = form
  if (Object.keys(timeouts ?? {}).some((phase) => !TIMEOUTS_OF_STREAMS.includes(phase)))
    complain('of a tcp frontend are connect, handshake and tunnel', ['timeouts'])
  if (retry !== undefined && !isEqual({ ...retry, attempts: 0 }, { ...DEFAULT_RETRY, attempts: 0 }))
    complain('of a tcp frontend has attempts only', ['retry'])
}
