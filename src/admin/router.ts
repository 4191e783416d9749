/** Finds the endpoint of a request. A path is compared segment by segment, as it is written; only parameters are decoded. */
import type { Endpoint, Method } from './endpoint.ts'

export type Found =
  | {
      readonly kind: 'endpoint'
      readonly endpoint: Endpoint
      readonly parameters: Readonly<Record<string, string>>
    }
  /** There are endpoints of this path with other methods. */
  | { readonly kind: 'other-methods'; readonly methods: readonly string[] }
  | { readonly kind: 'nothing' }

export type Find = (method: string, path: string) => Found

interface Template {
  readonly segments: readonly string[]
  readonly byMethod: Map<Method, Endpoint>
}

const NOTHING: Found = { kind: 'nothing' }
/** Of a parameter: ids are shorter. */
const MAX_PARAMETER = 384

/** Throws if two endpoints have one method and path. */
export function createRouter(endpoints: Iterable<Endpoint>): Find {
  const templates = new Map<string, Template>()
  for (const endpoint of endpoints) {
    const { method, path } = endpoint
    const key = path.replaceAll(/\{\w+\}/g, '{}')
    const template = templates.get(key) ?? { segments: path.split('/'), byMethod: new Map() }
    if (template.byMethod.has(method)) throw new Error(`two endpoints are ${method} ${path}`)
    template.byMethod.set(method, endpoint)
    templates.set(key, template)
  }
  const byLength = new Map<number, Template[]>()
  for (const template of templates.values()) {
    const { length } = template.segments
    byLength.set(length, [...(byLength.get(length) ?? []), template])
  }
  // What is written out goes before a parameter.
  for (const list of byLength.values()) list.sort((a, b) => parametersOf(a) - parametersOf(b))

  return (method, path) => {
    const segments = path.split('/')
    for (const template of byLength.get(segments.length) ?? []) {
      if (!matches(template, segments)) continue
      const wanted = method === 'HEAD' ? 'GET' : method
      const endpoint = template.byMethod.get(wanted as Method)
      if (endpoint === undefined) return { kind: 'other-methods', methods: methodsOf(template) }
      const parameters = readParameters(endpoint.path, segments)
      return parameters === null ? NOTHING : { kind: 'endpoint', endpoint, parameters }
    }
    return NOTHING
  }
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{')
}

function parametersOf({ segments }: Template): number {
  return segments.filter(isParameter).length
}

function matches({ segments }: Template, written: readonly string[]): boolean {
  return segments.every((segment, at) =>
    isParameter(segment) ? written[at] !== '' : written[at] === segment,
  )
}

function methodsOf({ byMethod }: Template): string[] {
  return [...byMethod.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
}

/** Null: one is no text in UTF-8, or too long. */
function readParameters(
  path: string,
  segments: readonly string[],
): Readonly<Record<string, string>> | null {
  const found: Record<string, string> = {}
  for (const [at, segment] of path.split('/').entries()) {
    if (!isParameter(segment)) continue
    const text = decode(segments[at] ?? '')
    if (text === null) return null
    found[segment.slice(1, -1)] = text
  }
  return found
}

function decode(text: string): string | null {
  if (text.length > MAX_PARAMETER) return null
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
