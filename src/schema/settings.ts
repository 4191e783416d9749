/** The schemas of settings, as the file writes them; the environment and flags write the same values as text. */
import * as z from 'zod'
import { parseCidr } from '../model/ip.ts'
import {
  address,
  duration,
  flag,
  meaning,
  scalar,
  section,
  strict,
  text,
} from '../options/fields.ts'
import { type Scalar, bad, good, quote } from '../model/parsed.ts'
import { HOUR_MS, splitList } from '../model/units.ts'
import { acmeSchema } from './acme.ts'
import { ADMIN_SHAPE } from './admin.ts'
import { resolverSchema } from './resolver.ts'
import { templatesSchema } from './templates.ts'
import {
  ACCESS_FORMATS,
  ERROR_FORMS,
  LOG_LEVELS,
  ROUTE_ORDERS,
  type AccessFormat,
  type ErrorForm,
  type LogLevel,
  type RouteOrder,
  type ScalingSettings,
  type SettingKey,
  type StatsdSettings,
} from '../model/settings.ts'
import { SOURCE_KINDS } from '../providers/catalog/sources.ts'

const MAX_WORKERS = 256
const MAX_BLOCKS = 1000
const MAX_NAME = 128
const INSTANCE = /^[A-Za-z0-9._:-]{1,64}$/

export const workersSchema: z.ZodType<number | 'auto'> = scalar(parseWorkers, {
  anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 0, maximum: MAX_WORKERS }],
  description: `Serving threads: auto is one per core, 0 serves on the main thread, at most ${MAX_WORKERS}.`,
}).prefault('auto')

export const trustedSchema: z.ZodType<readonly string[]> = scalar(parseTrusted, {
  type: 'array',
  items: { type: 'string' },
  description:
    'Address blocks (10.0.0.0/8) of peers whose forwarding headers are used; none by default.',
}).prefault([])

export const logLevelSchema: z.ZodType<LogLevel> = z
  .enum(LOG_LEVELS)
  .default('info')
  .meta({ description: 'The least severe level that is logged.' })

export const logAccessSchema: z.ZodType<AccessFormat> = z
  .enum(ACCESS_FORMATS)
  .default('json')
  .meta({
    description:
      'The format of the access log, one line per request: json, or the Common or Combined Log Format with the reason at the end.',
  })

export const logPathSchema: z.ZodType<string | null> = scalar(parseLogPath, {
  type: 'string',
  description: 'A file to append to; stdout is standard output.',
}).prefault('stdout')

export const routeOrderSchema: z.ZodType<RouteOrder> = z
  .enum(ROUTE_ORDERS)
  .default('specific')
  .meta({
    description:
      'Which of several routes that match takes a request: the most specific one, or as in vulcand the one whose text is last in the order of bytes.',
  })

export const errorFormSchema: z.ZodType<ErrorForm> = z.enum(ERROR_FORMS).default('sluice').meta({
  description:
    'How errors are written: text or JSON as the client accepts it, or with the statuses and bodies of vulcand.',
})

export const drainSchema: z.ZodType<number> = duration(
  'How long a stop waits for requests in flight.',
  '30s',
  0,
  HOUR_MS,
)

export const startSchema: z.ZodType<number> = duration(
  'How long readiness waits for required sources.',
  '10s',
  0,
  HOUR_MS,
)

export const dataSchema: z.ZodType<string> = text(
  'The folder for what Sluice writes: the embedded store and last good snapshots.',
  4096,
).prefault('/var/lib/sluice')

const MIN_SECRET = 32

export const ticketSecretSchema: z.ZodType<string | null> = scalar(
  (value) => {
    if (value === undefined) return good(null)
    if (typeof value === 'string' && value.length >= MIN_SECRET && value.length <= 4096)
      return good(value)
    return bad(
      `must be text of ${MIN_SECRET} to 4096 characters; make one with: openssl rand -hex 32`,
    )
  },
  {
    type: 'string',
    minLength: MIN_SECRET,
    maxLength: 4096,
    description:
      'A secret that several programs share, so that each resumes the TLS sessions of the others and its own after a restart: a reference to a file or a variable.',
  },
)

export const statsdSchema: z.ZodType<StatsdSettings> = strict(
  {
    address: address('Where statsd takes UDP.'),
    prefix: z
      .string()
      .regex(/^[\w.-]{0,128}$/, 'must be at most 128 letters, digits or any of _ . -')
      .default('')
      .meta({ description: 'Before each name, with a dot behind it.' }),
    tags: flag('Ids are tags, as DogStatsD reads them, and no parts of names.', false),
  },
  'Metrics are sent to statsd once a second, by the names of vulcand.',
)

export const scalingSchema: z.ZodType<ScalingSettings> = meaning(
  section(
    {
      lock: text(
        'The source whose registry decides which of several programs acts, and carries what each has measured. Without it, this program acts alone.',
        MAX_NAME,
      ).optional(),
      instance: scalar(parseInstance, {
        type: 'string',
        pattern: INSTANCE.source,
        description: 'The name of this program there; by default its host and its process id.',
      }).optional(),
      dryRun: flag('Decisions of all backends are logged and shown, and change nothing.', false),
    },
    'Of all backends with scale.',
  ),
  ({ lock = null, instance = null, dryRun }) => ({ lock, instance, dryRun }),
)

const tlsSchema = section(
  { ticketSecret: ticketSecretSchema.optional() },
  'TLS sessions with clients.',
)

/** Only its JSON Schema is used: parseSources is the parser. */
const sourcesSchema: z.ZodType = z
  .unknown()
  .optional()
  .meta({
    ...z.toJSONSchema(z.record(z.string(), z.union(SOURCE_KINDS.map(({ schema }) => schema))), {
      target: 'draft-7',
      io: 'input',
      reused: 'inline',
    }),
    $schema: undefined,
    description:
      'Registries and directories that declare objects besides this file, by name, in order of precedence. If there is none, the embedded store is used.',
  })

/** By their keys in the file. */
export const SETTINGS_SHAPE: Readonly<Record<SettingKey, z.ZodType>> = {
  workers: workersSchema,
  admin: section(ADMIN_SHAPE, 'The admin API and the metrics.'),
  trusted: trustedSchema,
  routing: section({ order: routeOrderSchema }, 'How requests find their route.'),
  errors: section({ form: errorFormSchema }, 'Responses to requests that fail.'),
  log: section(
    { level: logLevelSchema, access: logAccessSchema, path: logPathSchema },
    'The program log and the access log.',
  ),
  drain: drainSchema,
  start: startSchema,
  data: dataSchema,
  resolver: resolverSchema,
  tls: tlsSchema,
  sources: sourcesSchema,
  acme: acmeSchema.optional(),
  statsd: statsdSchema.optional(),
  scaling: scalingSchema,
  templates: templatesSchema,
}

function parseWorkers(value: unknown): Scalar<number | 'auto'> {
  if (value === 'auto') return good(value)
  const count = typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value
  return typeof count === 'number' && Number.isInteger(count) && count >= 0 && count <= MAX_WORKERS
    ? good(count)
    : bad(`must be auto or a whole number from 0 to ${MAX_WORKERS}, not ${quote(value)}`)
}

/** A list, or text with commas. */
function parseTrusted(value: unknown): Scalar<readonly string[]> {
  const blocks: unknown = typeof value === 'string' ? splitList(value) : value
  if (!Array.isArray(blocks)) {
    return bad(`must be a list of address blocks such as 10.0.0.0/8, not ${quote(value)}`)
  }
  if (blocks.length > MAX_BLOCKS) return bad(`must hold at most ${MAX_BLOCKS} address blocks`)
  const canonical: string[] = []
  for (const block of blocks) {
    const parsed = parseCidr(block)
    if (!parsed.ok) return parsed
    canonical.push(parsed.value)
  }
  return good(canonical)
}

function parseInstance(value: unknown): Scalar<string> {
  return typeof value === 'string' && INSTANCE.test(value)
    ? good(value)
    : bad(`must be 1 to 64 letters, digits or any of . _ : -, not ${quote(value)}`)
}

function parseLogPath(value: unknown): Scalar<string | null> {
  if (typeof value !== 'string' || value === '' || value.length > 4096 || value.includes('\0')) {
    return bad(`must be the path of a file, or stdout, not ${quote(value)}`)
  }
  return good(value === 'stdout' || value === '-' ? null : value)
}
