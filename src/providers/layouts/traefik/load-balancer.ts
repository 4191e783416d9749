/**
 * Translates how a service of Traefik balances. It protects nothing, so options without effect are only remarked. A wrong
 * health check would take servers out of rotation, so one that cannot be translated exactly is left out.
 */
import { quote } from '../../../model/parsed.ts'
import { toMs } from '../../../model/units.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import { readFields, spanOr } from './read.ts'

const HEALTH = 'loadbalancer/healthcheck'
const COOKIE = 'loadbalancer/sticky/cookie'

const HEALTH_KEYS = [
  ...['path', 'mode', 'hostname', 'port', 'interval', 'unhealthyinterval', 'timeout', 'method'],
  ...['status', 'headers', 'followredirects'],
]
const COOKIE_KEYS = ['name', 'secure', 'httponly', 'samesite', 'maxage', 'path']

/** `balance` and `hash`; empty: round-robin. */
const STRATEGIES: ReadonlyMap<string, object> = new Map<string, object>([
  ['', {}],
  ['wrr', {}],
  ['p2c', { balance: 'least-connections' }],
  ['hrw', { balance: 'hash', hash: { from: 'client-ip' } }],
  ['leasttime', { balance: 'peak-ewma' }],
])

/** Members of the load balancer that are read here. */
export const BALANCING: readonly string[] = ['healthcheck', 'sticky', 'strategy']

export function translateBalancing(service: Branch, remarks: string[]): object {
  return {
    ...translateStrategy(service, remarks),
    ...translateHealth(service, remarks),
    ...translateSticky(service, remarks),
  }
}

function translateStrategy(service: Branch, remarks: string[]): object {
  const text = service.text('loadbalancer/strategy') ?? ''
  const strategy = STRATEGIES.get(text.toLowerCase())
  if (strategy === undefined) remarks.push(`loadbalancer/strategy: ${quote(text)} is not known`)
  return strategy ?? {}
}

function translateHealth(service: Branch, remarks: string[]): object {
  if (service.below(HEALTH).length === 0) return {}
  const path = service.text(`${HEALTH}/path`) ?? ''
  const mode = service.text(`${HEALTH}/mode`) ?? ''
  const scheme = service.text(`${HEALTH}/scheme`) ?? ''
  const isGrpc = mode.toLowerCase() === 'grpc'
  const faults = [
    !['', 'http', 'grpc'].includes(mode.toLowerCase()) && `mode: ${quote(mode)} is not known`,
    scheme !== '' && 'scheme is not supported: a server is probed with the scheme of its url',
    path === '' && !isGrpc && 'path is missing',
  ].filter((fault) => fault !== false)
  if (faults.length > 0) {
    remarks.push(...faults.map((fault) => `${HEALTH}/${fault}; the servers are not probed`))
    return {}
  }
  remarkOthers(service, HEALTH, HEALTH_KEYS, remarks)
  const common = timesOf(service, remarks)
  // Such a server speaks HTTP/2, with or without TLS.
  if (isGrpc) return { protocol: 'h2', health: { grpc: {}, ...common } }
  if (service.flag(`${HEALTH}/followredirects`)) {
    remarks.push(`${HEALTH}/followredirects is not honoured: a 3xx response is a success by itself`)
  }
  const headers = readFields(service, `${HEALTH}/headers`)
  const [host, method] = [service.text(`${HEALTH}/hostname`), service.text(`${HEALTH}/method`)]
  const status = service.whole(`${HEALTH}/status`)
  return {
    health: {
      path: path.startsWith('/') ? path : `/${path}`,
      ...(method === null || method === '' ? {} : { method: method.toUpperCase() }),
      ...(host === null || host === '' ? {} : { host }),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      ...(status === null || status === 0 ? {} : { status }),
      ...common,
    },
  }
}

/** How often servers are probed, also those of tcp. */
export function timesOf(service: Branch, remarks: string[]): object {
  const port = service.whole(`${HEALTH}/port`)
  const interval = spanOr(service, `${HEALTH}/interval`, '30s')
  const timeout = spanOr(service, `${HEALTH}/timeout`, '5s')
  const isCut = toMs(timeout) > toMs(interval)
  if (isCut && service.text(`${HEALTH}/timeout`) !== null)
    remarks.push(`${HEALTH}/timeout: a probe ends after the interval, ${interval}`)
  return {
    ...(port === null || port === 0 ? {} : { port }),
    interval,
    downInterval: spanOr(service, `${HEALTH}/unhealthyinterval`, interval),
    timeout: isCut ? interval : timeout,
    // As in Traefik: one response decides, and a new server is used before its first probe.
    rise: 1,
    fall: 1,
    waitHealthy: false,
  }
}

function translateSticky(service: Branch, remarks: string[]): object {
  if (!service.names('loadbalancer').includes('sticky')) return {}
  const isOff = ['loadbalancer/sticky', COOKIE].some((name) => service.text(name) === 'false')
  if (isOff) return {}
  remarkOthers(service, COOKIE, COOKIE_KEYS, remarks)
  if (service.text(`${COOKIE}/httponly`) !== null && !service.flag(`${COOKIE}/httponly`)) {
    remarks.push(`${COOKIE}/httponly is not honoured: the cookie is never for scripts`)
  }
  if (service.flag(`${COOKIE}/secure`)) {
    remarks.push(`${COOKIE}/secure: the cookie is Secure where the client came over TLS`)
  }
  const cookie = service.text(`${COOKIE}/name`) ?? ''
  const path = service.text(`${COOKIE}/path`) ?? ''
  const maxAge = service.whole(`${COOKIE}/maxage`) ?? 0
  return {
    sticky: {
      ...(cookie === '' ? {} : { cookie }),
      ...sameSite(service, remarks),
      ...(path === '' ? {} : { path }),
      ...(maxAge > 0 ? { maxAge } : {}),
    },
  }
}

function sameSite(service: Branch, remarks: string[]): object {
  const text = (service.text(`${COOKIE}/samesite`) ?? '').toLowerCase()
  if (['none', 'lax', 'strict'].includes(text)) return { sameSite: text }
  if (text !== '') remarks.push(`${COOKIE}/samesite: ${quote(text)} is not known`)
  return {}
}

function remarkOthers(
  service: Branch,
  below: string,
  known: readonly string[],
  remarks: string[],
): void {
  const others = service.names(below).filter((name) => name !== '' && !known.includes(name))
  remarks.push(...remarkUnknown(others.map((name) => `${below}/${name}`)))
}
