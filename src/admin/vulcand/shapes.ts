/** The schemas of vulcand's objects, from the forms that its API writes. */
import { type JsonSchema, listOf, map, named, text, whole } from '../openapi/schema.ts'
import { schemaOfExamples, withoutRequired } from '../openapi/example-schema.ts'
import type { JsonMap } from '../../model/parsed.ts'
import type { ObjectKind } from '../../model/names.ts'
import { toForm } from './forms.ts'
import type { Kind } from './kinds.ts'

const TLS = { CipherSuites: ['x'], SessionCache: { Type: 'lru', Settings: { Capacity: 1 } } }

/** Of each kind, what has every member that may be missing or null. */
const FULL: Readonly<Record<ObjectKind, readonly JsonMap[]>> = {
  host: [{ Settings: { KeyPair: { Key: '', Cert: '' }, OCSP: { Responders: ['x'] } } }],
  listener: [{ Settings: { TLS } }, { Settings: { TLS: {} } }],
  backend: [{ Settings: { TLS } }, { Settings: { TLS: {} } }],
  server: [],
  frontend: [],
  middleware: [],
}

const MIDDLEWARES: Readonly<Record<string, readonly JsonMap[]>> = {
  ratelimit: [{}],
  connlimit: [{}],
  cbreaker: [{}],
  rewrite: [{}],
  trace: [{}, { ReqHeaders: ['x'], RespHeaders: ['x'] }],
}

const shapes = new Map<ObjectKind, JsonSchema>()

/** As the API writes it. */
export function shapeOf({ kind, wrapper }: Pick<Kind, 'kind' | 'wrapper'>): JsonSchema {
  const known = shapes.get(kind)
  if (known !== undefined) return known
  const shape = named(`Vulcand${wrapper}`, kind === 'middleware' ? middleware() : plain(kind))
  shapes.set(kind, shape)
  return shape
}

export function listShape(of: Kind): JsonSchema {
  return map({ [of.list]: listOf(shapeOf(of)) })
}

/** What it takes: members may be missing. */
export function packShape(of: Kind): JsonSchema {
  const ttl = { TTL: { ...text, description: 'as Go writes durations; empty and 0s: none' } }
  return map({ [of.wrapper]: withoutRequired(shapeOf(of)) }, of.hasTtl ? ttl : {})
}

function plain(kind: ObjectKind): JsonSchema {
  return schemaOfExamples([{}, ...FULL[kind]].map((one) => toForm(kind, one, 'x')))
}

function middleware(): JsonSchema {
  const known = Object.entries(MIDDLEWARES).map(([Type, options]) =>
    map({
      ...{ Id: text, Priority: whole, Type: { const: Type } },
      Middleware: schemaOfExamples(
        options.map((one) => toForm('middleware', { Type, Middleware: one }, 'x')['Middleware']),
      ),
    }),
  )
  const others = map({
    ...{ Id: text, Priority: whole, Middleware: { type: 'object' } },
    Type: { type: 'string', not: { enum: Object.keys(MIDDLEWARES) } },
  })
  return { anyOf: [...known, others] }
}

const STATS: JsonSchema = named(
  'VulcandStats',
  map({
    Verdict: map({ IsBad: { type: 'boolean' }, Anomalies: { type: 'null' } }),
    Counters: map({
      Period: whole,
      NetErrors: whole,
      Total: whole,
      StatusCodes: listOf(map({ Code: whole, Count: whole })),
    }),
    LatencyBrackets: listOf(map({ Quantile: { type: 'number' }, Value: whole })),
  }),
)

export const TOP_FRONTENDS: JsonSchema = map({
  Frontends: listOf({
    allOf: [shapeOf({ kind: 'frontend', wrapper: 'Frontend' }), map({ Stats: STATS })],
  }),
})

export const TOP_SERVERS: JsonSchema = map({
  Servers: listOf(map({ Id: text, URL: text, Stats: STATS })),
})
