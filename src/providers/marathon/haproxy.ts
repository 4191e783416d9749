/** The routes, backends and servers that the labels of marathon-lb declare, for one port of an app. */
import { quote } from '../../model/parsed.ts'
import { CLOSED_RESPONSE, describeClosed } from '../fail-closed.ts'
import { define } from '../labels/definition.ts'
import type { DeclaredObject } from '../provider.ts'
import { escapeRegexp, routeCall } from '../route-terms.ts'
import type { AppHealthCheck, MarathonApp } from './app.ts'
import type { PortLabels } from './haproxy-labels.ts'
import type { PortRoute } from './service-ports.ts'

/** One port of an app that is in one of the groups. */
export interface Service {
  readonly app: MarathonApp
  readonly index: number
  /** Null: the app has none yet. */
  readonly port: number | null
  readonly labels: PortLabels
  /** What it speaks: its HAPROXY_{n}_MODE, in lower case, or what apps without one do. */
  readonly mode: string
}

/** As marathon-lb names its backends: `shop_web_10000`. Without a service port the index is in its place. */
export function serviceName({ app, index, port }: Service): string {
  return `${app.id.slice(1).replaceAll('/', '_')}_${port ?? index}`
}

/** For messages and as the key of what it declares. */
export function appKey(id: string): string {
  return `app ${id}`
}

/** The backend, without its servers. */
export function defineBackend(service: Service, remarks: readonly string[]): DeclaredObject {
  const found = [...remarks]
  const value = {
    ...balanceOf(service.labels.balance, found),
    ...(service.labels.isSticky ? { sticky: { cookie: COOKIE } } : {}),
    ...healthOf(service, found),
  }
  const name = serviceName(service)
  return define({ kind: 'backend', name, key: appKey(service.app.id), value, remarks: found })
    .object
}

/** The name of marathon-lb's cookie. */
const COOKIE = 'mesosphere_server_id'

/** Empty without a host, as in marathon-lb. */
export function defineRoutes(service: Service): readonly DeclaredObject[] {
  const { labels, app } = service
  if (labels.hosts.length === 0 || service.mode !== 'http') return []
  const name = serviceName(service)
  const key = appKey(app.id)
  const priority = labels.weight === null ? {} : { priority: labels.weight }
  const hosts = routeCall('Host', labels.hosts)
  const route = [hosts, ...pathTerms(labels.paths)].join(' && ')
  const shut = { route, ...priority, respond: CLOSED_RESPONSE }
  if (labels.closed.length > 0) {
    const remarks = labels.closed.map(describeClosed)
    return [define({ kind: 'frontend', name, key, value: shut, remarks }).object]
  }
  const allowed = labels.allowed === null ? [] : [routeCall('ClientIP', labels.allowed)]
  const others = { ...shut, respond: { status: 403 } }
  const root = labels.rootRedirect
  const redirected = {
    ...{ route: [hosts, 'Path("/")', ...allowed].join(' && '), ...priority },
    redirect: { to: root, status: 301 },
  }
  const value = {
    route: [route, ...allowed].join(' && '),
    ...priority,
    backend: name,
    ...frameOf(labels),
  }
  // If anything of them is invalid, requests must not pass by another route.
  const closed = { values: [shut], after: 'value' } as const
  return [
    define({ kind: 'frontend', name, key, value, closed }).object,
    ...(allowed.length === 0
      ? []
      : [define({ kind: 'frontend', name: `${name}-denied`, key, value: others }).object]),
    ...(root === null
      ? []
      : [define({ kind: 'frontend', name: `${name}-root`, key, value: redirected }).object]),
  ]
}

function frameOf(labels: PortLabels): object {
  return {
    ...(labels.redirectsToHttps ? { redirect: { scheme: 'https', status: 302 } } : {}),
    ...headersOf(labels),
  }
}

function headersOf({ usesHsts }: PortLabels): object {
  return usesHsts ? { headers: { response: { set: HSTS } } } : {}
}

/** Empty: its service port is not opened. */
export function portRoutes(service: Service): readonly PortRoute[] {
  const { port, labels, app, mode } = service
  const isStream = mode === 'tcp'
  if (port === null || labels.bind.length > 0 || (mode !== 'http' && !isStream)) return []
  const backend = serviceName(service)
  const at = { port, name: `${backend}-port`, key: appKey(app.id), isStream, condition: null }
  if (isStream) {
    if (labels.closed.length > 0) return []
    const condition = labels.allowed === null ? null : routeCall('ClientIP', labels.allowed)
    return [{ ...at, condition, value: { backend } }]
  }
  if (labels.closed.length > 0) return [{ ...at, value: { respond: CLOSED_RESPONSE } }]
  const value = { backend, ...headersOf(labels) }
  if (labels.allowed === null) return [{ ...at, value }]
  return [
    { ...at, condition: routeCall('ClientIP', labels.allowed), value },
    { ...at, name: `${backend}-port-denied`, value: { respond: { status: 403 } } },
  ]
}

const HSTS = { 'Strict-Transport-Security': 'max-age=15768000' }

/** `path_beg` compares characters: here /api is /api and what is below it, not /apix. */
function pathTerms(paths: PortLabels['paths']): readonly string[] {
  if (paths === null) return []
  if (!paths.ignoreCase) return [routeCall('PathPrefix', paths.prefixes)]
  const patterns = paths.prefixes.map((prefix) => {
    return `(?i)^${escapeRegexp(prefix)}${prefix.endsWith('/') ? '' : '(?:/|$)'}`
  })
  return [routeCall('PathRegexp', patterns)]
}

/** Of HAProxy's `balance`. */
function balanceOf(written: string | null, remarks: string[]): object {
  const [algorithm = '', argument = ''] = (written ?? '').toLowerCase().split(/\s+/)
  const header = /^hdr\(([\w-]+)\)$/.exec(algorithm)?.[1]
  if (header !== undefined) return { balance: 'hash', hash: { from: 'header', name: header } }
  if (['', 'roundrobin', 'static-rr'].includes(algorithm)) return {}
  if (algorithm === 'leastconn') return { balance: 'least-connections' }
  if (algorithm.startsWith('random')) return { balance: 'random' }
  if (algorithm === 'source') return { balance: 'hash', hash: { from: 'client-ip' } }
  if (algorithm === 'uri') return { balance: 'hash', hash: { from: 'path' } }
  if (algorithm === 'url_param' && argument !== '')
    return { balance: 'hash', hash: { from: 'query', name: argument } }
  remarks.push(`BALANCE: ${quote(written)} is not known; requests are balanced by round-robin`)
  return {}
}

/**
 * As marathon-lb, which lets HAProxy probe the servers by the app's own check. They are used before their first probe, because
 * Marathon has already found them healthy.
 */
function healthOf({ app, index, labels }: Service, remarks: string[]): object {
  const own = checkOf(app, index)
  const other =
    own ?? (labels.healthPortIndex === null ? null : checkOf(app, labels.healthPortIndex))
  if (other === null) return {}
  if (own === null) {
    remarks.push(
      "the servers are not probed: their check is at another port; Marathon's results count",
    )
    return {}
  }
  const interval = Math.min(Math.max(own.intervalSeconds, 1), 86_400)
  if (own.timeoutSeconds > interval)
    remarks.push(`a probe ends after the interval of the check, ${interval}s`)
  const times = {
    interval: `${interval}s`,
    timeout: `${Math.min(Math.max(own.timeoutSeconds, 1), interval)}s`,
    fall: Math.min(own.maxConsecutiveFailures + 1, 100),
    waitHealthy: false,
    ...(own.port === null ? {} : { port: own.port }),
  }
  const protocol = own.protocol.replace(/^MESOS_/, '')
  if (protocol === 'TCP') return { health: { kind: 'tcp', ...times } }
  const path = own.path.startsWith('/') ? own.path : `/${own.path}`
  if (protocol === 'HTTP' && /^\/[!"$-~]{0,2047}$/.test(path)) return { health: { path, ...times } }
  return {}
}

/** The first that is for the port. */
function checkOf({ healthChecks }: MarathonApp, index: number): AppHealthCheck | null {
  return (
    healthChecks.find(
      ({ protocol, port, portIndex }) =>
        protocol !== 'COMMAND' && (port !== null || portIndex === index),
    ) ?? null
  )
}
