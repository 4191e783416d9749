/**
 * Requests of a tricked browser are rejected, whatever else they have: from a page whose name resolves to this machine (DNS
 * rebinding, recognised by Host), or from a page of another site.
 */
import type { IncomingMessage } from 'node:http'
import { routingHost } from '../http/message/authority.ts'
import { quote } from '../model/parsed.ts'
import { plainHost } from '../model/ip.ts'

export interface Refusal {
  readonly status: 400 | 403 | 421
  readonly message: string
}

/** Tests if a host, in the form that routes compare, is one of the settings. */
export type IsNamed = (host: string) => boolean

/** `*.internal` stands for one more label, `**.internal` for one or more, `*` for any host. */
export function compileNames(names: readonly string[]): IsNamed {
  const written = names.map((name) => name.toLowerCase())
  const plain = new Set(written)
  const below = written.flatMap((name) => (name.startsWith('**.') ? [name.slice(2)] : []))
  const isAny = plain.has('*')
  return (host) => {
    if (isAny || plain.has(host)) return true
    const dot = host.indexOf('.')
    if (dot > 0 && plain.has(`*${host.slice(dot)}`)) return true
    return below.some((rest) => host.length > rest.length && host.endsWith(rest))
  }
}

/**
 * Why the request is rejected, or null. `isNamed`: hosts that are allowed besides those of this machine. `isLocal`: it came
 * over a unix socket, which no browser opens, and may have any Host.
 */
export function refusalOf(
  request: IncomingMessage,
  isNamed: IsNamed,
  isLocal: boolean,
): Refusal | null {
  const hosts = request.headersDistinct.host ?? []
  if (hosts.length > 1) return { status: 400, message: 'the request has more than one Host' }
  const host = hosts[0]
  // HTTP/1.0 without Host is a plain health check; browsers do not send it.
  if (
    !isLocal &&
    host !== undefined &&
    !isAllowedHost(host, request.socket.localAddress, isNamed)
  ) {
    return {
      status: 421,
      message: `the Host ${quote(host)} is not one of the admin; use localhost or its own address, or add the host, without a port, to the setting admin.hosts (--admin-hosts, SLUICE_ADMIN_HOSTS)`,
    }
  }
  if (request.headers['sec-fetch-site'] === 'cross-site' || hasForeignOrigin(request, host)) {
    return { status: 403, message: 'requests from pages of other sites are refused' }
  }
  return null
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1'])

function isAllowedHost(host: string, localAddress: string | undefined, isNamed: IsNamed): boolean {
  const name = routingHost(host)
  if (name === null) return false
  const plain = plainHost(name.replace(/^\[|\]$/g, ''))
  if (LOOPBACK.has(plain) || isNamed(name)) return true
  return localAddress !== undefined && plain === plainHost(localAddress)
}

function hasForeignOrigin(request: IncomingMessage, host: string | undefined): boolean {
  const { origin } = request.headers
  if (origin === undefined) return false
  if (host === undefined) return true
  const match = /^https?:\/\/([^/]+)$/i.exec(origin)
  return match?.[1]?.toLowerCase() !== host.toLowerCase()
}
