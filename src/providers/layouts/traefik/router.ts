/**
 * A router of Traefik as a frontend. One with a middleware, or a demand on who may come in, that cannot be honoured is
 * closed: set aside, its requests would go to a broader route, or on through an older version of itself, past the guard.
 */
import { quote } from '../../../model/parsed.ts'
import { CLOSED_RESPONSE, describeClosed, type FailClosed } from '../../fail-closed.ts'
import { NotDeclared, TranslationError, type Translation } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import { translateMiddleware, type TranslatedMiddleware } from './middleware.ts'
import { translateRule, type RuleSyntax } from './rule.ts'

/** What else stands in the tree; null: it does not. */
export interface Neighbours {
  middleware(name: string): Branch | null
  /** What we call a service that a router names: one of this tree may be written with its source. */
  service(name: string): string
  /** Of a service. */
  passHost(name: string): boolean
  tlsOptions(name: string): Branch | null
}

const KNOWN = ['rule', 'rulesyntax', 'service', 'priority', 'entrypoints', 'middlewares', 'tls']

/**
 * One whose rule can be read is a route, even if all else is wrong with it. Only without that is it not known what to close:
 * then it is set aside, and an earlier version of it stays.
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
    // Listeners may be what is wrong.
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
  /** An expression; '': on every listener. */
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

/** Traefik's own order, which is not ours: the longer rule first, unless a number says otherwise. */
function byRule(rule: string): Frame {
  return { priority: Buffer.byteLength(rule), listeners: '' }
}

/** What goes through the route, without the route itself. */
function honour(router: Branch, neighbours: Neighbours, remarks: string[]): object {
  // What it is a child of may have guards.
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
  // Traefik's own `noop@internal` stands behind routers that only redirect.
  const isAnswered =
    service.endsWith('@internal') && middlewares.some(({ kind }) => kind === 'redirect')
  return {
    ...(service === '' || isAnswered
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

/** What is made, or why it cannot be. */
function orReason<T>(make: () => T): T | string {
  try {
    return make()
  } catch (error) {
    if (error instanceof TranslationError) return error.message
    throw error
  }
}

/** Null also where it is neither, which closes the router. */
function ruleSyntax(router: Branch): RuleSyntax {
  const read = orReason(() => router.text('rulesyntax'))
  const syntax = read?.toLowerCase()
  return syntax === 'v2' || syntax === 'v3' ? syntax : null
}

function anyListener(entryPoints: readonly string[]): string {
  return entryPoints.map((name) => `Listener(${JSON.stringify(name)})`).join(' || ')
}

/** Who may come in at all is asked there, so it cannot be left out in silence. */
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
  // `auth@redis` is another source's, unless this tree has an `auth`.
  const found = neighbours.middleware(name) ?? neighbours.middleware(withoutOwn(name))
  if (found === null) throw new TranslationError(`middleware ${quote(name)} is not declared`)
  try {
    return translateMiddleware(found)
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error
    throw new TranslationError(`middleware ${quote(name)}: ${error.message}`, { cause: error })
  }
}

/** The names under which Traefik knows the source that such a tree comes from. */
function withoutOwn(name: string): string {
  return name.replace(/@(?:etcd|redis|kv)$/, '')
}
