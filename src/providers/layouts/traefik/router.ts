/**
 * Translates a router of Traefik to a frontend. A router with a middleware or an access restriction that cannot be translated
 * is closed: if it were rejected, its requests would bypass the restriction, by a broader route or an older version.
 */
import { STATUS_CODES } from 'node:http'
import { quote } from '../../../model/parsed.ts'
import { CLOSED_RESPONSE, describeClosed, type FailClosed } from '../../fail-closed.ts'
import { routeCall } from '../../route-terms.ts'
import { NotDeclared, TranslationError, type Translation } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import {
  translateMiddleware,
  type AllowedClients,
  type TranslatedMiddleware,
} from './middleware.ts'
import { hasTls, translateRouterTls } from './router-tls.ts'
import { translateRule } from './rule.ts'
import { orReason, ruleSyntax } from './rule-syntax.ts'

/** Other objects of the tree; null if they do not exist. */
export interface Neighbours {
  middleware(name: string): Branch | null
  /** The name of a service here; a router may write it with its source. */
  service(name: string): string
  /** Of a service. */
  passHost(name: string): boolean
  /** Of all routers of a service, in front of its servers. */
  middlewaresOf(service: string): readonly string[]
  tlsOptions(name: string): Branch | null
}

const KNOWN = ['rule', 'rulesyntax', 'service', 'priority', 'entrypoints', 'middlewares', 'tls']

/**
 * A router with a valid rule is a route, even if everything else is invalid. Without one it is not known what to close: the
 * router is rejected, and its last good version stays.
 */
export function translateRouter(router: Branch, neighbours: Neighbours): Translation {
  const rule = router.text('rule')
  if (rule === null) throw new NotDeclared('rule')
  if (rule === '') throw new TranslationError('rule is empty')
  const { route } = translateRule(rule, ruleSyntax(router))
  const known = orReason(() => rankAndListeners(router, rule))
  const frame = typeof known === 'string' ? byRule(rule) : known
  const whole = frame.listeners === '' ? route : allOf(frame.listeners, route)
  const shut = { priority: frame.priority, respond: CLOSED_RESPONSE }
  const closed: FailClosed = {
    // The fault may be in the listeners.
    values: [{ route: whole, ...shut }, ...(whole === route ? [] : [{ route, ...shut }])],
    after: 'value',
  }

  const remarks = remarkUnknown(router.names('').filter((name) => !KNOWN.includes(name)))
  const outcome =
    typeof known === 'string' ? known : orReason(() => honour(router, neighbours, remarks))
  if (typeof outcome === 'string') {
    remarks.push(describeClosed(outcome))
    return { value: closed.values[0], closed, remarks }
  }
  const { clients, host, ...members } = outcome
  const { priority } = frame
  const rest = { closed, remarks, ...(host === undefined ? {} : { host }) }
  if (clients === null) return { value: { route: whole, priority, ...members }, ...rest }
  const value = { route: allOf(whole, clients.term), priority, ...members }
  // Of two routes with one priority the one with more terms comes first.
  return { value, ...rest, refusal: { route: whole, priority, respond: clients.refusal } }
}

/** An `||` needs parentheses; one in a string gets them, too. */
export function allOf(...routes: readonly string[]): string {
  return routes.map((route) => (route.includes('||') ? `(${route})` : route)).join(' && ')
}

interface Frame {
  readonly priority: number
  /** A route expression; '' for every listener. */
  readonly listeners: string
}

const MAX_PRIORITY = 1e9

export function rankAndListeners(router: Branch, rule: string): Frame {
  router.check()
  const syntax = router.text('rulesyntax') ?? ''
  if (syntax !== '' && ruleSyntax(router) === null) {
    throw new TranslationError(`rulesyntax: must be v2 or v3, not ${quote(syntax)}`)
  }
  const priority = router.whole('priority') ?? 0
  if (Math.abs(priority) > MAX_PRIORITY) {
    throw new TranslationError(
      `priority: must be from -${MAX_PRIORITY} to ${MAX_PRIORITY}, not ${priority}`,
    )
  }
  const entryPoints = router.list('entrypoints')
  const { priority: length } = byRule(rule)
  return { priority: priority === 0 ? length : priority, listeners: anyListener(entryPoints) }
}

/** Traefik's order: the longer rule first, unless there is a priority. */
function byRule(rule: string): Frame {
  return { priority: Buffer.byteLength(rule), listeners: '' }
}

interface Honoured {
  readonly host: Translation['host']
  readonly clients: { readonly term: string; readonly refusal: object } | null
  readonly [member: string]: unknown
}

/** The frontend without its route, and the clients that may use it; null: all. */
function honour(router: Branch, neighbours: Neighbours, remarks: string[]): Honoured {
  // Its parent may have restrictions.
  if (router.names('').includes('parentrefs'))
    throw new TranslationError('parentrefs is not supported')
  const tls = hasTls(router) ? translateRouterTls(router, neighbours) : null
  remarks.push(...(tls?.remarks ?? []))
  const service = neighbours.service(router.text('service') ?? '')
  const names = [...router.list('middlewares'), ...neighbours.middlewaresOf(service)]
  const found = names.map(createResolver(neighbours))
  const middlewares = [...(tls?.guards ?? []), ...found.flatMap((one) => one.middlewares)]
  const [retry, ...more] = found.flatMap((one) => one.retry ?? [])
  remarks.push(...found.flatMap((one) => one.remarks))
  if (more.length > 0) remarks.push('a second middleware that retries is not honoured')
  const paths = found.flatMap((one) => one.paths ?? [])
  // `noop@internal` is Traefik's service for routers that only redirect.
  const isInternal = service.endsWith('@internal')
  const hasResponder = isInternal && middlewares.some(({ kind }) => kind === 'redirect')
  if (isInternal && !hasResponder) {
    throw new TranslationError(`service ${quote(service)} is a part of Traefik itself`)
  }
  return {
    host: tls?.host,
    clients: joinClients(found.flatMap((one) => one.clients ?? [])),
    ...(service === '' || hasResponder
      ? {}
      : {
          backend: service,
          passHost: neighbours.passHost(service),
          ...(retry === undefined ? {} : { retry }),
        }),
    ...(paths.length === 0 ? {} : { paths: paths.includes('reject') ? 'reject' : 'normalize' }),
    ...(middlewares.length === 0 ? {} : { middlewares }),
  }
}

/** A client must be in every list. */
function joinClients(lists: readonly AllowedClients[]): Honoured['clients'] {
  const [first] = lists
  if (first === undefined) return null
  const terms = lists.map(({ ranges }) => routeCall('ClientIP', ranges))
  const { status } = first
  return { term: terms.join(' && '), refusal: { status, body: STATUS_CODES[status] ?? '' } }
}

function anyListener(entryPoints: readonly string[]): string {
  return entryPoints.map((name) => routeCall('Listener', [name])).join(' || ')
}

const MAX_CHAIN_DEPTH = 5
/** Chains of chains grow fast. */
const MAX_MIDDLEWARES = 100

/** Of one router. */
function createResolver(neighbours: Neighbours): (name: string) => TranslatedMiddleware {
  let count = 0

  /** `depth`: how many chains it is in. */
  function resolve(name: string, depth: number): TranslatedMiddleware {
    count += 1
    if (count > MAX_MIDDLEWARES) {
      throw new TranslationError(`has more than ${MAX_MIDDLEWARES} middlewares`)
    }
    if (depth > MAX_CHAIN_DEPTH) {
      throw new TranslationError(
        `middleware ${quote(name)} is in more than ${MAX_CHAIN_DEPTH} chains`,
      )
    }
    const found = neighbours.middleware(name)
    if (found === null) {
      const why = name.includes('@') ? 'is of another source' : 'is not declared'
      throw new TranslationError(`middleware ${quote(name)} ${why}`)
    }
    try {
      return translateMiddleware(found, (inner) => resolve(inner, depth + 1))
    } catch (error) {
      if (!(error instanceof TranslationError)) throw error
      throw new TranslationError(`middleware ${quote(name)}: ${error.message}`, { cause: error })
    }
  }

  return (name) => resolve(name, 0)
}
