/**
 * Translates a TCP router of Traefik to a tcp frontend. Whether TLS ends depends on the listener here, and not on the router. A
 * router with a restriction that cannot be translated is rejected.
 */
import { quote } from '../../../model/parsed.ts'
import { routeCall } from '../../route-terms.ts'
import { NotDeclared, TranslationError, type Translation } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import { allOf, rankAndListeners, type Neighbours } from './router.ts'
import { hasTls, tlsOptionsOf } from './router-tls.ts'
import { translateRule } from './rule.ts'
import { ruleSyntax } from './rule-syntax.ts'

/** Other objects of the tree; null if they do not exist. */
export interface StreamNeighbours extends Pick<Neighbours, 'tlsOptions'> {
  middleware(name: string): Branch | null
  /** The id of a service in the table; a router may write its name with its source. */
  service(name: string): string
}

const KNOWN = ['rule', 'rulesyntax', 'service', 'priority', 'entrypoints', 'middlewares', 'tls']
const TLS_KNOWN = ['', 'passthrough']
/** As in Traefik, behind all others. */
const ANY = /^\s*HostSNI\(\s*[`"]\*[`"]\s*\)\s*$/i
const LAST = -1

export function translateStreamRouter(router: Branch, neighbours: StreamNeighbours): Translation {
  const rule = router.text('rule')
  if (rule === null) throw new NotDeclared('rule')
  if (rule === '') throw new TranslationError('rule is empty')
  const { route } = translateRule(rule, ruleSyntax(router), 'tcp')
  const { priority, listeners } = rankAndListeners(router, rule)
  const isLast = ANY.test(rule) && (router.whole('priority') ?? 0) === 0
  const service = router.text('service') ?? ''
  if (service === '') throw new TranslationError('service is missing')
  const clients = router.list('middlewares').map((name) => clientsOf(name, neighbours))
  const terms = [listeners, route, ...clients].filter((term) => term !== '')
  const remarks = remarkUnknown(router.names('').filter((name) => !KNOWN.includes(name)))
  const value = {
    protocol: 'tcp',
    route: allOf(...terms),
    priority: isLast ? LAST : priority,
    backend: neighbours.service(service),
  }
  return { value, remarks: [...remarks, ...remarkTls(router, neighbours)] }
}

function remarkTls(router: Branch, neighbours: StreamNeighbours): readonly string[] {
  const isPassed = router.flag('tls/passthrough')
  if (!hasTls(router) || isPassed) return []
  if (tlsOptionsOf(router, neighbours)?.tls['clientAuth'] !== undefined) {
    throw new TranslationError(
      'tls/options: clientauth of a tcp router is not supported; set tls.clientAuth of a listener with protocol tcp',
    )
  }
  const others = router.names('tls').filter((name) => !TLS_KNOWN.includes(name))
  return [
    'tls: TLS ends at a listener that has protocol tcp and certificates; any other passes it through',
    ...remarkUnknown(others.map((name) => `tls/${name}`)),
  ]
}

/** The clients that a middleware lets through, as a term of a route. */
function clientsOf(name: string, neighbours: StreamNeighbours): string {
  const middleware = neighbours.middleware(name)
  if (middleware === null) throw new TranslationError(`middleware ${quote(name)} is not declared`)
  middleware.check()
  const [kind = '', ...more] = middleware.names('')
  if (more.length > 0 || (kind !== 'ipallowlist' && kind !== 'ipwhitelist')) {
    const help =
      kind === 'inflightconn'
        ? '; a listener limits connections with limits.connectionsPerClient'
        : ''
    throw new TranslationError(`middleware ${quote(name)}: ${quote(kind)} is not supported${help}`)
  }
  const ranges = middleware.list(`${kind}/sourcerange`)
  if (ranges.length === 0)
    throw new TranslationError(`middleware ${quote(name)}: sourcerange is missing`)
  return routeCall('ClientIP', ranges)
}
