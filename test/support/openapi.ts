/** Holds exchanges with the API against its description. */
import { faultsOf, isMap, type Schema } from './json-schema.ts'

export interface Exchange {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly requestBody: string | null
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly headers?: Readonly<Record<string, unknown>>
        readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
      }
    >
  >
}

export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

export interface Judge {
  /** What is not as described. */
  faultsOf(exchange: Exchange): readonly string[]
  /** `get /api/table` of each operation that was seen, with the statuses. */
  readonly seen: ReadonlyMap<string, ReadonlySet<number>>
}

/** `isNative`: bodies that were written have the native form. */
export function createJudge(description: Description, isNative: boolean): Judge {
  const { schemas } = description.components
  const templates = Object.keys(description.paths).map((path) => ({
    path,
    // What is written out goes before a parameter.
    parameters: path.split('{').length,
    pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  }))
  templates.sort((a, b) => a.parameters - b.parameters)
  const seen = new Map<string, Set<number>>()

  return {
    seen,
    faultsOf(exchange) {
      const { status, headers, body } = exchange
      const method = exchange.method.toLowerCase()
      const path = exchange.path.split('?', 1)[0] ?? ''
      const template = templates.find(({ pattern }) => pattern.test(path))?.path ?? ''
      const operation = description.paths[template]?.[method === 'head' ? 'get' : method]
      const where = `${exchange.method} ${path} ${status}`
      if (operation === undefined) {
        const isRefused = status >= 400 && status < 500
        return isRefused ? [] : [`${where}: the operation is not described`]
      }
      const key = `${method} ${template}`
      seen.set(key, (seen.get(key) ?? new Set()).add(status))
      const { responses, requestBody } = operation as Operation
      const response = responses[status]
      if (response === undefined) return [`${where}: the status is not described`]
      return [
        ...contentFaults(response.content, headers, method === 'head' ? '' : body),
        ...headerFaults(response.headers, headers),
        ...(isNative && path.startsWith('/api/') && status < 300 && method !== 'patch'
          ? sentFaults(requestBody, exchange)
          : []),
      ].map((fault) => `${where}: ${fault}`)
    },
  }

  function contentFaults(
    content: Readonly<Record<string, { readonly schema: Schema }>> | undefined,
    headers: Headers,
    body: string,
  ): readonly string[] {
    if (content === undefined) return body === '' ? [] : ['there is content, and none is described']
    const type = headers.get('content-type')?.split(';', 1)[0] ?? ''
    const described = content[type]
    if (described === undefined) return [`the content has the type ${type}`]
    if (body === '' || type !== 'application/json') return []
    return faultsOf(described.schema, JSON.parse(body), { schemas })
  }

  function headerFaults(
    described: Readonly<Record<string, unknown>> = {},
    headers: Headers,
  ): readonly string[] {
    const found: string[] = []
    if (headers.get('etag') !== null && !('ETag' in described)) found.push('ETag is not described')
    if ('WWW-Authenticate' in described && headers.get('www-authenticate') === null)
      found.push('lacks WWW-Authenticate')
    return found
  }

  function sentFaults(
    requestBody: Operation['requestBody'],
    { requestBody: sent }: Exchange,
  ): readonly string[] {
    const schema = requestBody?.content['application/json']?.schema
    if (schema === undefined || sent === null || sent === '') return []
    return faultsOf(schema, JSON.parse(sent), { schemas, areMapsClosed: false }).map(
      (fault) => `sent: ${fault}`,
    )
  }
}

/** Places of an object where `look` finds something. */
export function visit(value: unknown, look: (at: Schema, place: string) => void, place = ''): void {
  if (Array.isArray(value)) value.forEach((one, index) => visit(one, look, `${place}/${index}`))
  if (!isMap(value)) return
  look(value, place)
  for (const [name, inner] of Object.entries(value)) visit(inner, look, `${place}/${name}`)
}
