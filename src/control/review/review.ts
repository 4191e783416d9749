/**
 * Probable mistakes in objects in force, for `sluice check`: routes that no request reaches, certificates that expire,
 * templates that are sent as they are, and objects that are not used. Each diagnostic is certain; not every mistake is
 * found.
 */
import { isTerminal } from '../../middleware/catalog.ts'
import { speaksHttp1, speaksTls } from '../../model/server-url.ts'
import { isMap } from '../../model/parsed.ts'
import type { Frontend, Listener } from '../../model/snapshot.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import type { Expression } from '../../routing/expression.ts'
import type { RouteOrder } from '../../model/settings.ts'
import { parseRoute } from '../../routing/parse.ts'
import { findShadowed, type Shadowed } from '../../routing/shadow.ts'
import { orderKey } from '../../routing/table.ts'
import { mayTake } from '../../routing/stream-table.ts'
import type { InForce } from '../admission/admit.ts'
import { createCertificateReview } from './certificate-review.ts'
import type { Diagnostic } from './diagnostic.ts'
import { findLiteralTemplates } from './literal-templates.ts'
import { createDuplicateRoutes } from './duplicate-routes.ts'

export interface ReviewInput {
  /** In the order of Admission.inForce. */
  readonly inForce: readonly InForce[]
  /** All declared objects, also those that are set aside. */
  readonly declared: readonly DeclaredObject[]
  /** There is no other source, so that an object without a reference here is not used. */
  readonly isAll: boolean
  /** ms since the epoch. */
  readonly now: number
  readonly routeOrder: RouteOrder
}

const PROTOCOLS = ['http', 'tcp'] as const

type VersionOf<Kind extends InForce['kind']> = Extract<InForce, { kind: Kind }>

/** Listeners that believe the PROXY header of every peer. */
function believedAddresses(object: InForce): readonly Diagnostic[] {
  if (object.kind !== 'listener') return []
  const { trusted = [], required = true } = object.object.proxyProtocol ?? {}
  const closed = required ? ', and clients without a PROXY header are closed' : ''
  return trusted.flatMap((network, at) => {
    if (!network.endsWith('/0')) return []
    const message = `${network} is every address: any client may claim any other${closed}; name the load balancers`
    return [{ object, level: 'warning', message, path: ['proxyProtocol', 'trusted', at] }]
  })
}

export function review({
  inForce,
  declared,
  isAll,
  now,
  routeOrder,
}: ReviewInput): readonly Diagnostic[] {
  const frontends = inForce.filter((one): one is VersionOf<'frontend'> => one.kind === 'frontend')
  return [
    ...createDuplicateRoutes(routeOrder).diagnostics(inForce),
    ...PROTOCOLS.flatMap((protocol) =>
      unreachable(
        frontends.filter(({ object }) => object.protocol === protocol),
        protocol === 'http' ? routeOrder : 'specific',
      ),
    ),
    ...createCertificateReview().diagnostics(inForce, now),
    ...inForce.flatMap(literalTemplates),
    ...inForce.flatMap(believedAddresses),
    ...frontends.flatMap(behindResponse),
    ...(isAll
      ? [
          ...namedListeners(frontends, inForce),
          ...servedNowhere(frontends, inForce),
          ...unused(inForce, declared),
          ...withoutServers(inForce, declared),
          ...inForce.flatMap(unusedHttp2),
          ...inForce.flatMap(unusedTls),
        ]
      : []),
  ]
}

// Routes.

function unreachable(frontends: readonly VersionOf<'frontend'>[], order: RouteOrder): Diagnostic[] {
  const byId = new Map(frontends.map((one) => [one.id, one]))
  const routes = frontends.flatMap(({ id, object: { protocol, route, priority } }) => {
    const parsed = parseRoute(route, protocol)
    if (!parsed.ok) return []
    const key = orderKey(order, route)
    return { id, expression: parsed.expression, priority: priority ?? 0, key }
  })
  return findShadowed(routes).flatMap((shadowed) => {
    const object = byId.get(shadowed.id)
    if (object === undefined || shadowed.isSame) return []
    const message = describeShadowed(shadowed, byId)
    return { object, level: 'warning', path: ['route'], message }
  })
}

function describeShadowed(
  { id, by, because }: Shadowed,
  byId: ReadonlyMap<string, { readonly object: Frontend }>,
): string {
  const [first = '', ...more] = by.map((one) => `"${one}"`)
  const others = more.length > 2 ? [...more.slice(0, 2), 'others'] : more
  const names = [first, ...others].join(' and ')
  const [are, take] = more.length > 0 ? ['frontends', 'take'] : ['frontend', 'takes']
  const priorityOf = (one: string): number => byId.get(one)?.object.priority ?? 0
  const what = byId.get(id)?.object.protocol === 'tcp' ? 'connections' : 'requests'
  const why = {
    priority: `by priority ${priorityOf(by[0] ?? '')} over ${priorityOf(id)}`,
    text: "in vulcand's order, by the text of its route",
    host: 'by the more specific host',
    path: 'by the more specific path',
    terms: 'by the more conditions',
    id: 'by its id, as all else is equal',
  }[because]
  return `is never reached: ${are} ${names} ${take} all of its ${what} first, ${why}`
}

/** Listeners in routes that are not declared, or take no part in routing. */
function namedListeners(
  frontends: readonly VersionOf<'frontend'>[],
  inForce: readonly InForce[],
): Diagnostic[] {
  const listeners = new Map(listenersOf(inForce).map((one) => [one.id, one]))
  return frontends.flatMap((frontend) => {
    const { protocol, route } = frontend.object
    if (!route.includes('Listener')) return []
    const parsed = parseRoute(route, protocol)
    const named = parsed.ok ? listenersIn(parsed.expression) : []
    return named.flatMap((id): Diagnostic[] => {
      const why = whyUnrouted(listeners.get(id), protocol)
      if (why === null) return []
      const message = `names the listener "${id}", which ${why}`
      return [{ object: frontend, level: 'warning', path: ['route'], message }]
    })
  })
}

/** Why routes of this protocol get nothing from a listener. */
function whyUnrouted(
  listener: Listener | undefined,
  protocol: Frontend['protocol'],
): string | null {
  if (listener === undefined) return 'is not declared'
  if (listener.backend !== null) return `sends everything to its backend "${listener.backend}"`
  if (protocol === 'http' && listener.protocol === 'tcp')
    return 'has protocol tcp and serves no requests'
  if (protocol === 'tcp' && (listener.protocol === 'http' || listener.protocol === 'h2c'))
    return `has protocol ${listener.protocol}: tcp frontends are served by listeners with protocol tcp or https`
  return null
}

/** Tcp frontends whose route takes connections of no listener. */
function servedNowhere(
  frontends: readonly VersionOf<'frontend'>[],
  inForce: readonly InForce[],
): Diagnostic[] {
  const listeners = listenersOf(inForce).filter(({ backend }) => backend === null)
  return frontends.flatMap((object): Diagnostic[] => {
    const { protocol, route } = object.object
    const parsed = protocol === 'tcp' ? parseRoute(route, protocol) : null
    if (parsed?.ok !== true) return []
    if (listeners.some((listener) => mayTake(parsed.expression, listener))) return []
    const message =
      'is served by no listener: it needs one with protocol tcp and no backend, or with protocol https, ' +
      'whose connections a route without a name takes only if it has Listener("id")'
    return [{ object, level: 'warning', path: ['route'], message }]
  })
}

function listenersOf(inForce: readonly InForce[]): readonly Listener[] {
  return inForce.flatMap((one) => (one.kind === 'listener' ? one.object : []))
}

function listenersIn(expression: Expression): string[] {
  if (expression.kind === 'not') return listenersIn(expression.term)
  if (expression.kind !== 'term') return expression.terms.flatMap(listenersIn)
  return expression.subject === 'listener' ? expression.values.map(({ text }) => text) : []
}

// Texts.

function literalTemplates(object: InForce): Diagnostic[] {
  return findLiteralTemplates(object.kind, object.declared.value).map(({ path, template }) => ({
    object,
    level: 'warning',
    path,
    message: `"${template}" is sent as it is: ${
      path.at(-1) === 'to'
        ? 'a redirect knows {scheme}, {host}, {port}, {path}, {query} and {uri}'
        : 'there are no placeholders here'
    }`,
  }))
}

// Objects that are not used.

/** Middlewares behind one that responds to every request. */
function behindResponse(object: VersionOf<'frontend'>): Diagnostic[] {
  const { middlewares } = object.object
  const last = middlewares.findIndex(isTerminal)
  if (last < 0) return []
  return middlewares.slice(last + 1).map(({ kind }) => ({
    object,
    level: 'hint',
    path: ['middlewares'],
    message: `the middleware ${kind} is never reached: ${middlewares[last]?.kind} before it responds to every request`,
  }))
}

function unused(inForce: readonly InForce[], declared: readonly DeclaredObject[]): Diagnostic[] {
  const named = namedBackends(declared)
  const isSecure = inForce.some((one) => one.kind === 'listener' && one.object.tls !== null)
  return inForce.flatMap((object): Diagnostic[] => {
    const hint = (message: string): Diagnostic[] => [{ object, level: 'hint', path: [], message }]
    if (object.kind === 'host' && !isSecure) return hint('is not used: there is no https listener')
    if (object.kind !== 'backend' || named.has(object.id)) return []
    return hint('is not used: no frontend or listener names it')
  })
}

/** Options of HTTP/2 to servers that all speak HTTP/1.1. */
function unusedHttp2(object: InForce): readonly Diagnostic[] {
  if (object.kind !== 'backend' || object.object.protocol === 'h2') return []
  const { value } = object.declared
  if (typeof value !== 'object' || value === null || !('http2' in value)) return []
  const { protocol, servers } = object.object
  const isUsed = servers.some((server) => !speaksHttp1(server, protocol))
  if (servers.length === 0 || isUsed) return []
  const message =
    'is not used: its servers speak HTTP/1.1; set protocol to h2, to auto with https servers, or begin their URLs with h2c://'
  return [{ object, level: 'hint', path: ['http2'], message }]
}

/** Options of TLS to servers that all speak in clear. */
function unusedTls(object: InForce): readonly Diagnostic[] {
  if (object.kind !== 'backend') return []
  const { value } = object.declared
  const tls = isMap(value) ? value['tls'] : undefined
  if (!isMap(tls) || Object.keys(tls).length === 0) return []
  const { servers } = object.object
  if (servers.length === 0 || servers.some(({ scheme }) => speaksTls(scheme))) return []
  const message =
    'is not used: its servers are spoken to in clear; begin their URLs with https://, or with tls:// for streams'
  return [{ object, level: 'hint', path: ['tls'], message }]
}

/** Backends that are named, and that no server is declared for. */
export function withoutServers(
  inForce: readonly InForce[],
  declared: readonly DeclaredObject[],
): Diagnostic[] {
  const named = namedBackends(declared)
  return inForce.flatMap((object): Diagnostic[] => {
    if (object.kind !== 'backend' || !named.has(object.id)) return []
    if (object.object.servers.length > 0) return []
    const message = 'has no servers: its requests get 503'
    return [{ object, level: 'hint', path: [], message, code: 'no-servers' }]
  })
}

function namedBackends(declared: readonly DeclaredObject[]): ReadonlySet<string> {
  const named = new Set<string>()
  for (const { kind, value } of declared) {
    if (kind !== 'backend' && kind !== 'server') collectNamed(value, named)
  }
  return named
}

/** Every `backend` in a declared value, at any depth: a frontend that is set aside uses its backend, too. */
function collectNamed(value: unknown, named: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'backend' && typeof inner === 'string') named.add(inner.replace(/@file$/, ''))
    else collectNamed(inner, named)
  }
}
