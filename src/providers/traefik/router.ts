/**
 * A router of Traefik as a frontend. One with a middleware, or a demand on who may come in, that cannot be honoured is
 * closed: set aside, its requests would go to a broader route, or on through an older version of itself, past the guard.
 */
import { quote } from '../../model/parsed.ts'
import { ValueFault, type Translated } from '../value-fault.ts'
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

export function translateRouter(router: Branch, neighbours: Neighbours): Translated {
  const rule = router.text('rule') ?? ''
  if (rule === '') throw new ValueFault('rule is missing')
  const { route } = translateRule(rule, ruleSyntax(router))
  const remarks = remarkUnknown(router.names('').filter((name) => !KNOWN.includes(name)))

  const hasTls = router.below('tls').length > 0 || !['false', null].includes(router.text('tls'))
  const entryPoints = router.list('entrypoints')
  const priority = router.whole('priority') ?? 0
  const frontend = {
    route: entryPoints.length === 0 ? route : `(${listeners(entryPoints)}) && (${route})`,
    // Traefik's own order, which is not ours: the longer rule first, unless a number says otherwise.
    priority: priority === 0 ? Buffer.byteLength(rule) : priority,
  }
  try {
    if (hasTls) remarks.push(remarkTls(router, neighbours))
    const found = router.list('middlewares').map((name) => resolveMiddleware(name, neighbours))
    const middlewares = found.flatMap((one) => one.middlewares)
    const [retry, ...more] = found.flatMap((one) => one.retry ?? [])
    remarks.push(...found.flatMap((one) => one.remarks))
    if (more.length > 0) remarks.push('a second middleware that retries is not honoured')
    const service = neighbours.service(router.text('service') ?? '')
    // Traefik's own `noop@internal` stands behind routers that only redirect.
    const isAnswered =
      service.endsWith('@internal') && middlewares.some(({ kind }) => kind === 'redirect')
    const value = {
      ...frontend,
      ...(service === '' || isAnswered
        ? {}
        : {
            backend: service,
            passHost: neighbours.passHost(service),
            ...(retry === undefined ? {} : { retry }),
          }),
      ...(middlewares.length === 0 ? {} : { middlewares }),
    }
    return { value, remarks }
  } catch (error) {
    if (!(error instanceof Unhonoured)) throw error
    remarks.push(`is closed, requests are answered with 503: ${error.message}`)
    return { value: { ...frontend, respond: { status: 503, body: CLOSED } }, remarks }
  }
}

function ruleSyntax(router: Branch): RuleSyntax {
  const syntax = router.text('rulesyntax')?.toLowerCase() ?? ''
  if (syntax === '') return null
  if (syntax === 'v2' || syntax === 'v3') return syntax
  throw new ValueFault(`rulesyntax: must be v2 or v3, not ${quote(syntax)}`)
}

const CLOSED = 'This route is closed.\n'

/** What stands there is known, and nothing here does it. */
class Unhonoured extends Error {
  override readonly name = 'Unhonoured'
}

function listeners(entryPoints: readonly string[]): string {
  return entryPoints.map((name) => `Listener(${JSON.stringify(name)})`).join(' || ')
}

/** Who may come in at all is asked there, so it cannot be left out in silence. */
function remarkTls(router: Branch, neighbours: Neighbours): string {
  const named = router.text('tls/options')
  const options = neighbours.tlsOptions(withoutOwn(named ?? 'default'))
  if (named !== null && options === null) {
    throw new ValueFault(`tls/options: ${quote(named)} is not declared`)
  }
  if (options !== null && options.below('clientauth').length > 0) {
    throw new Unhonoured('tls/options: clientauth is not supported yet')
  }
  return 'tls is not honoured: a listener has its protocol and certificates'
}

function resolveMiddleware(name: string, neighbours: Neighbours): TranslatedMiddleware {
  // `auth@redis` is another source's, unless this tree has an `auth`.
  const found = neighbours.middleware(name) ?? neighbours.middleware(withoutOwn(name))
  if (found === null) throw new ValueFault(`middleware ${quote(name)} is not declared`)
  try {
    return translateMiddleware(found)
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error
    throw new Unhonoured(`middleware ${quote(name)}: ${error.message}`, { cause: error })
  }
}

/** The names under which Traefik knows the source that such a tree comes from. */
function withoutOwn(name: string): string {
  return name.replace(/@(?:etcd|redis|kv)$/, '')
}
