/**
 * Translates a router of Traefik to a frontend. A router with a middleware or an access restriction that cannot be translated
 * is closed: if it were rejected, its requests would bypass the restriction, by a broader route or an older version.
 */
import { quote } from '../../../model/parsed.ts'
import { CLOSED_RESPONSE, describeClosed, type FailClosed } from '../../fail-closed.ts'
import { NotDeclared, TranslationError, type Translation } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import { translateMiddleware, type TranslatedMiddleware } from './middleware.ts'
import { translateRule, type RuleSyntax } from './rule.ts'

/** Other objects of the tree; null if they do not exist. */
export interface Neighbours {
  middleware(name: string): Branch | null
  /** Our name of a service; a router may write it with its source. */
  service(name: string): string
  /** Of a service. */
  passHost(name: string): boolean
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
  const whole = frame.listeners === '' ? route : `(${frame.listeners}) && (${route})`
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
  return { value: { route: whole, priority: frame.priority, ...outcome }, closed, remarks }
}

interface Frame {
  readonly priority: number
  /** A route expression; '' for every listener. */
  readonly listeners: string
}

const MAX_PRIORITY = 1e9

function rankAndListeners(router: Branch, rule: string): Frame {
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

/** The frontend without its route. */
function honour(router: Branch, neighbours: Neighbours, remarks: string[]): object {
  // Its parent may have restrictions.
  if (router.names('').includes('parentrefs'))
    throw new TranslationError('parentrefs is not supported')
  const hasTls = router.below('tls').length > 0 || !['false', null].includes(router.text('tls'))
  if (hasTls) remarks.push(remarkTls(router, neighbours))
  const found = router.list('middlewares').map((name) => resolveMiddleware(name, neighbours))
  const middlewares = found.flatMap((one) => one.middlewares)
  const [retry, ...more] = found.flatMap((one) => one.retry ?? [])
  remarks.push(...found.flatMap((one) => one.remarks))
  if (more.length > 0) remarks.push('a second middleware that retries is not honoured')
  const paths = found.flatMap((one) => one.paths ?? [])
  const service = neighbours.service(router.text('service') ?? '')
  // `noop@internal` is Traefik's service for routers that only redirect.
  const hasResponder =
    service.endsWith('@internal') && middlewares.some(({ kind }) => kind === 'redirect')
  return {
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

/** Returns the result of `make`, or the reason why it fails. */
function orReason<T>(make: () => T): T | string {
  try {
    return make()
  } catch (error) {
    if (error instanceof TranslationError) return error.message
    throw error
  }
}

/** Null also for any other value, which closes the router. */
function ruleSyntax(router: Branch): RuleSyntax {
  const read = orReason(() => router.text('rulesyntax'))
  const syntax = read?.toLowerCase()
  return syntax === 'v2' || syntax === 'v3' ? syntax : null
}

function anyListener(entryPoints: readonly string[]): string {
  return entryPoints.map((name) => `Listener(${JSON.stringify(name)})`).join(' || ')
}

/** It restricts access, so it must not be ignored. */
function remarkTls(router: Branch, neighbours: Neighbours): string {
  const named = router.text('tls/options')
  const options = neighbours.tlsOptions(withoutOwn(named ?? 'default'))
  if (named !== null && options === null) {
    throw new TranslationError(`tls/options: ${quote(named)} is not declared`)
  }
  if (options !== null && options.below('clientauth').length > 0) {
    throw new TranslationError('tls/options: clientauth is not supported yet')
  }
  return 'tls is not honoured: a listener has its protocol and certificates'
}

function resolveMiddleware(name: string, neighbours: Neighbours): TranslatedMiddleware {
  // `auth@redis` belongs to another source, unless this tree has an `auth`.
  const found = neighbours.middleware(name) ?? neighbours.middleware(withoutOwn(name))
  if (found === null) throw new TranslationError(`middleware ${quote(name)} is not declared`)
  try {
    return translateMiddleware(found)
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error
    throw new TranslationError(`middleware ${quote(name)}: ${error.message}`, { cause: error })
  }
}

/** Traefik's names for the source of such a tree. */
function withoutOwn(name: string): string {
  return name.replace(/@(?:etcd|redis|kv)$/, '')
}
