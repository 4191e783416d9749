/** Which listener, frontend, backend and servers of a running Sluice a URL meets, from what its admin says. */
import { routingHost } from '../../http/message/authority.ts'
import { readPath } from '../../http/message/path-policy.ts'
import { bracketHost, formatListenAddress } from '../../model/address.ts'
import { isSocketAddress } from '../../model/listener.ts'
import { isEverywhere, isLoopbackHost, plainHost } from '../../model/ip.ts'
import { quote } from '../../model/parsed.ts'
import type { Address, Backend, Frontend, Listener } from '../../model/snapshot.ts'
import type { RoutableRequest } from '../../routing/request.ts'
import { RoutingTable } from '../../routing/table.ts'
import type { AdminReader } from './admin-reader.ts'
import type { LoadTarget } from './load-plan.ts'
import type { BenchOptions } from './words.ts'

/** Through a proxy and past it. */
export interface BenchTarget {
  readonly through: LoadTarget
  readonly direct: readonly LoadTarget[]
  /** What the reader has to know of them, a line each. */
  readonly notes: readonly string[]
}

/** `not-here`: no listener of this Sluice is at the address, so that it says nothing about the URL. */
export type Found =
  | { readonly kind: 'found'; readonly target: BenchTarget }
  | { readonly kind: 'not-here'; readonly listeners: readonly string[] }

/** Throws what is wrong and what would help. */
export async function findTarget(admin: AdminReader, options: BenchOptions): Promise<Found> {
  const listeners = await admin.objects<Listener>('listener')
  const listener = listeners.find((one) => isAt(one, options))
  if (listener === undefined || isSocketAddress(listener.address)) {
    return { kind: 'not-here', listeners: listeners.map(describe) }
  }
  if (listener.protocol === 'tcp') {
    throw new Error(`listener ${quote(listener.id)} takes streams of TCP, not HTTP`)
  }
  const frontend = listener.backend === null ? await findFrontend(admin, listener, options) : null
  const id = frontend === null ? listener.backend : frontend.backend
  if (id === null) {
    const what = `frontend ${quote(frontend?.id)} responds itself`
    throw new Error(`${what}: there is no server to compare with; name one with --direct`)
  }
  const [backend] = await admin.objects<Backend>('backend', id)
  const servers = (await admin.servers(id)).filter(({ admit }) => admit > 0)
  if (backend === undefined || servers.length === 0) {
    throw new Error(`backend ${quote(id)} has no server that is up`)
  }
  const onSocket = servers.find(({ url }) => url.startsWith('unix:'))
  if (onSocket !== undefined) {
    const what = `server ${quote(onSocket.url)} of backend ${quote(id)} cannot be loaded directly`
    throw new Error(`${what}: the load generator connects to ports; name one with --direct`)
  }
  const host = options.host ?? options.url.host
  const { pathname, search } = options.url
  const scheme = listener.protocol
  const address = `${bracketHost(reachable(listener.address, admin.host))}:${listener.address.port}`
  const route = frontend === null ? '' : `frontend ${frontend.id}, `
  const changing = frontend?.middlewares.map(({ kind }) => kind) ?? []
  return {
    kind: 'found',
    target: {
      through: { url: `${scheme}://${address}${pathname}${search}`, host },
      direct: servers.map(({ url }) => {
        const origin = url.replace(/^tcp:/, 'http:').replace(/^tls:/, 'https:')
        const own = new URL(origin).host
        const passes = frontend?.passHost ?? true
        return { url: `${origin}${pathname}${search}`, host: passes ? host : own }
      }),
      notes: [
        `listener ${listener.id}, ${route}backend ${id}`,
        ...(changing.length > 0 ? [`middlewares: ${changing.join(', ')}`] : []),
      ],
    },
  }
}

function describe({ id, protocol, address }: Listener): string {
  const where = formatListenAddress(address)
  return isSocketAddress(address) ? `${id} (${where})` : `${id} (${protocol}://${where})`
}

/** The listener is named by --via, or by the port of the URL. */
function isAt({ address }: Listener, { url, via }: BenchOptions): boolean {
  if (isSocketAddress(address)) return false
  const { host, port } = address
  const wanted = via ?? { host: url.hostname.replace(/^\[|\]$/g, ''), port: portOf(url) }
  if (port !== wanted.port) return false
  // Names are not looked up: those of a virtual host may lead anywhere, or nowhere.
  const isName = via === null && !/^[\d.]+$|:/.test(wanted.host)
  if (isName || isEverywhere(host) || isEverywhere(wanted.host)) return true
  if (isLoopbackHost(wanted.host) && isLoopbackHost(host)) return true
  return plainHost(host) === plainHost(wanted.host)
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
}

/** A listener on all interfaces is reached where the admin is. */
function reachable({ host }: Address, adminHost: string): string {
  return isEverywhere(host) ? adminHost : host
}

async function findFrontend(
  admin: AdminReader,
  listener: Listener,
  options: BenchOptions,
): Promise<Frontend> {
  const table = new RoutingTable<Frontend>()
  for (const frontend of await admin.objects<Frontend>('frontend')) {
    if (frontend.protocol === 'http') {
      table.upsert(frontend.id, frontend.route, frontend.priority, frontend)
    }
  }
  const request = requestOf(listener, options)
  const found = isInScope(listener, request) ? table.match(request) : undefined
  if (found !== undefined) return found
  const what = `${options.method} ${request.host}${request.path}`
  throw new Error(
    `no route of the running Sluice matches ${quote(what)} at listener ${quote(listener.id)}; --host sets another Host`,
  )
}

function isInScope({ scope }: Listener, request: RoutableRequest): boolean {
  if (scope === null) return true
  const table = new RoutingTable<true>()
  table.upsert('scope', scope, null, true)
  return table.match(request) === true
}

function requestOf(listener: Listener, options: BenchOptions): RoutableRequest {
  const { url, host, method, headers } = options
  const path = readPath(url.pathname, listener.paths)
  const fields = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  return {
    method,
    host: routingHost(host ?? url.host) ?? '',
    path: path === null || typeof path === 'string' ? url.pathname : path.normalized,
    listener: listener.id,
    query: url.search.slice(1),
    clientIp: '127.0.0.1',
    fieldHolds: (name, test) => test(fields.get(name) ?? ''),
  }
}
