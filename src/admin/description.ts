/**
 * The OpenAPI 3.1 description of the API, made from the table of its endpoints: what the router serves is what it describes.
 * Served at GET /api/openapi.json.
 */
import { OBJECT_KINDS, type ObjectKind } from '../model/names.ts'
import { type AnswerForm, type BodyForm, type Endpoint, reading } from './endpoint.ts'
import { isVulcandPath } from './vulcand-answer.ts'
import { type JsonSchema, nameOf, oneOf, text } from './openapi/schema.ts'
import { ERROR, MESSAGE } from './openapi/shapes.ts'

export type ApiDescription = { readonly [member: string]: unknown }

/** `endpoints`: all, also this one, whose list is complete when it is asked for. */
export function descriptionEndpoint(
  endpoints: () => readonly Endpoint[],
  version: string,
): Endpoint {
  let written: string | null = null
  return reading(
    '/api/openapi.json',
    'this API in OpenAPI 3.1',
    async () => {
      written ??= `${JSON.stringify(await describeApi(endpoints(), version))}\n`
      return { status: 200, content: { kind: 'text', type: 'application/json', text: written } }
    },
    { gives: { type: 'application/json', schema: { type: 'object' } } },
  )
}

export async function describeApi(
  endpoints: readonly Endpoint[],
  version: string,
): Promise<ApiDescription> {
  const components = new Map<string, JsonSchema>()
  const paths: Record<string, Record<string, unknown>> = {}
  for (const endpoint of endpoints) {
    for (const [path, kind] of pathsOf(endpoint)) {
      const item = (paths[path] ??= withParameters(path))
      const operation = operationOf(await settle(endpoint, kind), path)
      item[endpoint.method.toLowerCase()] = hoist(operation, components)
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Sluice',
      version,
      summary: 'The admin API of an HTTP and TCP load balancer',
      description: ABOUT,
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'where this description is from' }],
    tags: TAGS,
    security: WITH_ROLE,
    paths,
    components: {
      schemas: Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'one of admin.tokens' },
        certificate: { type: 'mutualTLS', description: 'of the authorities of admin.tls.clients' },
      },
    },
  }
}

const ABOUT = `Every operation needs a role, which stands in \`x-sluice-role\`. A client has it by a token, by a certificate, or, if
\`admin.anonymous\` allows it, without either. HEAD works wherever GET does. Unknown parameters are refused.`

const TAGS = [
  { name: 'state', description: 'what is in force, and how it is' },
  { name: 'objects', description: 'objects of the registry that is written' },
  { name: 'actions', description: 'on servers and sources' },
  { name: 'vulcand', description: "vulcand's API over the same objects" },
]

/** Without a token where clients need none. */
const WITH_ROLE = [{ token: [] }, { certificate: [] }, {}]

/** One path, or one for each kind. */
export function pathsOf({
  path,
  kinds,
}: Endpoint): readonly (readonly [path: string, kind: ObjectKind | null])[] {
  return kinds?.map((kind) => [path.replace('{kind}', kind), kind]) ?? [[path, null]]
}

/** For a schema that does not depend on the kind. */
const ANY_KIND = 'backend'

type SettledBody = Omit<BodyForm, 'schema'> & { readonly schema?: JsonSchema }

/** An endpoint with its schemas. */
type Settled = Omit<Endpoint, 'gives' | 'body'> & {
  readonly gives: Omit<AnswerForm, 'schema'> & { readonly schema: JsonSchema }
  readonly body: SettledBody | null
}

async function settle(endpoint: Endpoint, kind: ObjectKind | null): Promise<Settled> {
  const { gives, body } = endpoint
  const schema = typeof gives.schema === 'function' ? await gives.schema() : gives.schema
  return {
    ...endpoint,
    gives: { ...gives, schema },
    body: body === null ? null : await settleBody(body, kind),
  }
}

async function settleBody(
  { schema, ...body }: BodyForm,
  kind: ObjectKind | null,
): Promise<SettledBody> {
  if (schema === undefined) return body
  if (typeof schema !== 'function') return { ...body, schema }
  return { ...body, schema: await schema(kind ?? ANY_KIND) }
}

function operationOf(endpoint: Settled, path: string): Record<string, unknown> {
  const { method, summary, needs, body } = endpoint
  const parameters = [...queryParameters(endpoint), ...headerParameters(endpoint)]
  return {
    operationId: operationId(method, path),
    summary,
    tags: [tagOf(endpoint)],
    'x-sluice-role': needs,
    ...(needs === 'none' ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null ? {} : { requestBody: requestBody(body) }),
    responses: responsesOf(endpoint),
  }
}

export function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
  return method.toLowerCase() + (name === '' ? 'Index' : name)
}

function tagOf({ method, path }: Settled): string {
  if (isVulcandPath(path)) return 'vulcand'
  if (path.startsWith('/api/objects')) return 'objects'
  return method === 'GET' ? 'state' : 'actions'
}

const PATH_PARAMETERS: Readonly<
  Record<string, readonly [description: string, schema: JsonSchema]>
> = {
  kind: ['the kind of the object', oneOf(...OBJECT_KINDS)],
  id: ['the id of the object', text],
  owner: ['the backend of a server, or the frontend of a middleware', text],
  part: ['the id of the server or middleware', text],
  backend: ['the id of the backend', text],
  server: ['the id of the server', text],
  name: ['the name of the source', text],
  hostname: ['the name of the host', text],
  backendId: ['the id of the backend', text],
  frontend: ['the id of the frontend', text],
  autoscaler: ['any name', text],
  service: ['the id of the backend, or the service that it runs', text],
  direction: ['which way', oneOf('up', 'down')],
}

function withParameters(path: string): Record<string, unknown> {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => {
    const known = PATH_PARAMETERS[name]
    if (known === undefined) throw new Error(`the parameter {${name}} of ${path} is not described`)
    const [description, schema] = known
    return { name, in: 'path', required: true, description, schema }
  })
  return parameters.length === 0 ? {} : { parameters }
}

const FLAG = oneOf('1', '0', 'true', 'false')
const QUERY_SCHEMAS: Readonly<Record<string, JsonSchema>> = { dryRun: FLAG, secrets: FLAG }

function queryParameters({ query }: Settled): readonly object[] {
  return Object.entries(query).map(([name, description]) => {
    return { name, in: 'query', description, schema: QUERY_SCHEMAS[name] ?? text }
  })
}

function headerParameters({ headers = {} }: Settled): readonly object[] {
  return Object.entries(headers).map(([name, description]) => {
    return { name, in: 'header', description, schema: text }
  })
}

function requestBody({ types, description, schema }: SettledBody): object {
  const media = types === 'any' ? ['application/json'] : types.filter((type) => type !== '')
  return {
    description,
    ...(schema === undefined ? {} : { required: true }),
    content: Object.fromEntries(
      media.map((type) => [type, { schema: schema ?? { description: 'not read' } }]),
    ),
  }
}

/** By status: what every endpoint may answer. */
function refusals({ needs, method, body, path }: Settled): Readonly<Record<number, string>> {
  return {
    400: 'the request is malformed, or has a parameter that is not known',
    ...(needs === 'none' ? {} : { 401: 'there is no token where one is needed, or it is unknown' }),
    403: 'the role is not enough, or a page of another site asks',
    413: 'the body is too large',
    ...(body === null || (method === 'GET' && !isVulcandPath(path))
      ? {}
      : { 415: 'the body has the wrong Content-Type' }),
    421: 'the Host is not one of the admin',
    500: 'a fault of the admin; the log has it',
  }
}

function responsesOf(endpoint: Settled): Readonly<Record<string, object>> {
  const { answers, gives } = endpoint
  const refused = isVulcandPath(endpoint.path) ? MESSAGE : ERROR
  const found: Record<string, object> = {}
  for (const [status, description] of Object.entries({ ...refusals(endpoint), ...answers })) {
    const code = Number(status)
    const isGiven = (code >= 200 && code < 300) || gives.alsoAt?.includes(code) === true
    const { type, schema } = isGiven ? gives : { type: 'application/json', schema: refused }
    const hasETag = code === 412 || (gives.hasETag === true && (isGiven || code === 304))
    found[status] = {
      description,
      ...(hasETag ? { headers: { ETag } } : {}),
      ...(code === 401 ? { headers: { 'WWW-Authenticate': CHALLENGE } } : {}),
      ...(code === 304 ? {} : { content: { [type]: { schema } } }),
    }
  }
  return found
}

const ETag = {
  description: 'the revision of the object, in quotes; absent if it is not there',
  schema: { type: 'string', pattern: '^"[^"]*"$' },
}
const CHALLENGE = { description: 'Bearer', schema: text }

/** The same, with schemas that have a name as references; they go to `components`. */
function hoist(value: unknown, components: Map<string, JsonSchema>): unknown {
  if (Array.isArray(value)) return value.map((one) => hoist(one, components))
  if (typeof value !== 'object' || value === null) return value
  const name = nameOf(value)
  if (name === undefined) return hoistMembers(value, components)
  if (!components.has(name)) {
    components.set(name, {})
    components.set(name, hoistMembers(value, components))
  }
  return { $ref: `#/components/schemas/${name}` }
}

function hoistMembers(value: object, components: Map<string, JsonSchema>): JsonSchema {
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, hoist(inner, components)]),
  )
}
