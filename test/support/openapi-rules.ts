/**
 * What OpenAPI 3.1 asks of a description (spec.openapis.org/oas/v3.1.1, chapter 4 and its meta-schema), as rules of this project's own:
 * the fixed fields of each object, and what must agree.
 */
import { isMap, type Schema } from './json-schema.ts'
import { visit } from './openapi.ts'

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  root: [
    ...['openapi', 'info', 'jsonSchemaDialect', 'servers', 'paths', 'webhooks', 'components'],
    ...['security', 'tags', 'externalDocs'],
  ],
  info: ['title', 'summary', 'description', 'termsOfService', 'contact', 'license', 'version'],
  license: ['name', 'identifier', 'url'],
  server: ['url', 'description', 'variables'],
  tag: ['name', 'description', 'externalDocs'],
  path: ['$ref', 'summary', 'description', 'servers', 'parameters', ...METHODS],
  operation: [
    ...[
      'tags',
      'summary',
      'description',
      'externalDocs',
      'operationId',
      'parameters',
      'requestBody',
    ],
    ...['responses', 'callbacks', 'deprecated', 'security', 'servers'],
  ],
  parameter: [
    ...[
      'name',
      'in',
      'description',
      'required',
      'deprecated',
      'allowEmptyValue',
      'style',
      'explode',
    ],
    ...['allowReserved', 'schema', 'example', 'examples', 'content'],
  ],
  requestBody: ['description', 'content', 'required'],
  mediaType: ['schema', 'example', 'examples', 'encoding'],
  response: ['description', 'headers', 'content', 'links'],
  header: [
    ...[
      'description',
      'required',
      'deprecated',
      'style',
      'explode',
      'schema',
      'example',
      'examples',
    ],
    'content',
  ],
  components: [
    ...['schemas', 'responses', 'parameters', 'examples', 'requestBodies', 'headers'],
    ...['securitySchemes', 'links', 'callbacks', 'pathItems'],
  ],
}

export function ruleFaults(description: Schema): readonly string[] {
  const found: string[] = []
  const say = (place: string, fault: string): void => void found.push(`${place}: ${fault}`)
  const mapOf = (value: unknown, place: string): Schema => {
    if (isMap(value)) return value
    say(place, 'must be a map')
    return {}
  }
  const listAt = (of: Schema, name: string): readonly unknown[] => {
    const value = of[name]
    if (value !== undefined && !Array.isArray(value)) say(name, 'must be a list')
    return Array.isArray(value) ? value : []
  }
  const fields = (kind: string, value: unknown, place: string, ...needed: string[]): Schema => {
    const map = mapOf(value, place)
    for (const name of Object.keys(map)) {
      if (!name.startsWith('x-') && FIELDS[kind]?.includes(name) !== true)
        say(place, `a ${kind} has no ${name}`)
    }
    for (const name of needed) if (map[name] === undefined) say(place, `lacks ${name}`)
    return map
  }
  const text = (of: Schema, name: string, place: string): string => {
    const value = of[name]
    if (typeof value !== 'string' || value === '') say(place, `${name} must be text`)
    return typeof value === 'string' ? value : ''
  }

  const root = fields('root', description, '#', 'openapi', 'info', 'paths')
  if (!/^3\.1\.\d+$/.test(text(root, 'openapi', '#'))) say('#', 'is not OpenAPI 3.1')
  const info = fields('info', root['info'], 'info', 'title', 'version')
  text(info, 'title', 'info')
  text(info, 'version', 'info')
  const license = fields('license', info['license'], 'license', 'name')
  if ('identifier' in license && 'url' in license) say('license', 'has both identifier and url')
  for (const one of listAt(root, 'servers')) text(fields('server', one, 'server'), 'url', 'server')
  const tags = listAt(root, 'tags').map((one) => text(fields('tag', one, 'tag'), 'name', 'tag'))
  if (new Set(tags).size !== tags.length) say('tags', 'are not unique')

  const components = fields('components', root['components'], 'components')
  const schemes = mapOf(components['securitySchemes'], 'securitySchemes')
  for (const [kind, members] of Object.entries(components)) {
    for (const name of Object.keys(mapOf(members, kind)))
      if (!/^[a-zA-Z0-9._-]+$/.test(name)) say(kind, `${name} is no name of a component`)
  }
  for (const [name, scheme] of Object.entries(schemes)) checkScheme(name, scheme)
  checkSecurity(root, '#')

  const paths = mapOf(root['paths'], 'paths')
  const shapes = Object.keys(paths).map((path) => path.replace(/\{[^}]+\}/g, '{}'))
  if (new Set(shapes).size !== shapes.length) say('paths', 'two templates are the same')
  const ids: string[] = []
  for (const [path, item] of Object.entries(paths)) checkPath(path, item)
  if (new Set(ids).size !== ids.length) say('paths', 'two operations have one operationId')

  visit(description, (at, place) => {
    const { $ref } = at
    if (typeof $ref === 'string' && !isThere($ref)) say(place, `${$ref} leads nowhere`)
  })
  return found

  function isThere(ref: string): boolean {
    if (!ref.startsWith('#/')) return false
    let at: unknown = description
    for (const step of ref.slice(2).split('/')) at = isMap(at) ? at[step] : undefined
    return at !== undefined
  }

  function checkScheme(name: string, value: unknown): void {
    const scheme = mapOf(value, name)
    const type = text(scheme, 'type', name)
    if (!['apiKey', 'http', 'mutualTLS', 'oauth2', 'openIdConnect'].includes(type))
      say(name, `${type} is no type of a security scheme`)
    if (type === 'http') text(scheme, 'scheme', name)
  }

  function checkSecurity(of: Schema, place: string): void {
    for (const requirement of listAt(of, 'security')) {
      for (const [name, scopes] of Object.entries(mapOf(requirement, place))) {
        if (!(name in schemes)) say(place, `there is no security scheme ${name}`)
        if (!Array.isArray(scopes)) say(place, `the scopes of ${name} must be a list`)
      }
    }
  }

  function checkPath(path: string, value: unknown): void {
    const item = fields('path', value, path)
    if (!path.startsWith('/')) say(path, 'must begin with a slash')
    const inTemplate = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name)
    const common = checkParameters(listAt(item, 'parameters'), path)
    for (const method of METHODS.filter((one) => one in item)) {
      const place = `${method} ${path}`
      const operation = fields('operation', item[method], place, 'responses')
      ids.push(text(operation, 'operationId', place))
      for (const tag of listAt(operation, 'tags'))
        if (!tags.includes(String(tag))) say(place, `there is no tag ${String(tag)}`)
      const own = checkParameters(listAt(operation, 'parameters'), place)
      const inPath = [...common, ...own].filter((one) => one.startsWith('path '))
      if (inTemplate.map((one) => `path ${one}`).join() !== inPath.join())
        say(place, `has parameters ${inPath.join()} for ${inTemplate.join()}`)
      checkSecurity(operation, place)
      if ('requestBody' in operation) checkBody(operation['requestBody'], place)
      if (['get', 'delete', 'head'].includes(method) && 'requestBody' in operation)
        say(place, 'the meaning of its body is not defined')
      checkResponses(operation['responses'], place)
    }
  }

  function checkParameters(list: readonly unknown[], place: string): readonly string[] {
    const names = list.map((one) => {
      const parameter = fields('parameter', one, place, 'name', 'in')
      const [name, where] = [text(parameter, 'name', place), text(parameter, 'in', place)]
      if (!['path', 'query', 'header', 'cookie'].includes(where)) say(place, `${where} is no place`)
      if (where === 'path' && parameter['required'] !== true) say(place, `${name} must be required`)
      if (where === 'header' && /^(?:accept|content-type|authorization)$/i.test(name))
        say(place, `${name} is ignored as a parameter`)
      if ('schema' in parameter === 'content' in parameter)
        say(place, `${name} must have either schema or content`)
      return `${where} ${name}`
    })
    if (new Set(names).size !== names.length) say(place, 'two parameters are the same')
    return names
  }

  function checkBody(value: unknown, place: string): void {
    const body = fields('requestBody', value, place, 'content')
    checkContent(body['content'], place)
  }

  function checkContent(value: unknown, place: string): void {
    const content = mapOf(value, place)
    if (Object.keys(content).length === 0) say(place, 'has no content')
    for (const [type, media] of Object.entries(content)) {
      if (!/^[\w.+-]+\/[\w.+*-]+$/.test(type)) say(place, `${type} is no media type`)
      fields('mediaType', media, `${place} ${type}`, 'schema')
    }
  }

  function checkResponses(value: unknown, place: string): void {
    const responses = mapOf(value, place)
    if (!Object.keys(responses).some((status) => /^[2-5]/.test(status)))
      say(place, 'has no response')
    for (const [status, one] of Object.entries(responses)) {
      const at = `${place} ${status}`
      if (!/^(?:[1-5]\d\d|default)$/.test(status)) say(at, 'is no status')
      const response = fields('response', one, at)
      text(response, 'description', at)
      for (const [name, header] of Object.entries(mapOf(response['headers'] ?? {}, at))) {
        if (/^content-type$/i.test(name)) say(at, 'Content-Type is ignored as a header')
        const { schema, content } = fields('header', header, at)
        if ((schema === undefined) === (content === undefined)) say(at, `${name} has no schema`)
      }
      if ('content' in response) checkContent(response['content'], at)
    }
  }
}
