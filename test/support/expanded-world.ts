/**
 * A name with three addresses, each of which is a server (`resolve: all`), and another name beside it. The servers respond with
 * their address; `/slow` waits until the test lets it go.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Owner } from './daemon.ts'
import { startDnsServer, type DnsServer } from './dns-server.ts'

export const THREE = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const
export const FOURTH = '127.0.0.4'
export const EXPANDED = 'web.test'
export const OTHER = 'other.test'

export interface ExpandedWorld {
  readonly dns: DnsServer
  /** Of the servers at all addresses. */
  readonly port: number
  /** As the settings and the tables of the proxy are to be; `resolver` and `backend` with further members. */
  config(resolver?: object, backend?: object): Readonly<Record<string, unknown>>
  /** The addresses of the name, for a second each. */
  put(addresses: readonly string[]): void
  /** Requests to /slow that wait. */
  readonly waiting: readonly { readonly host: string; finish(): void }[]
}

export async function openExpandedWorld(owner: Owner): Promise<ExpandedWorld> {
  const dns = await startDnsServer(owner)
  const waiting: { readonly host: string; finish(): void }[] = []
  let port = 0
  for (const host of [...THREE, FOURTH]) {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      if (request.url === '/slow') waiting.push({ host, finish: () => response.end(host) })
      else response.end(host)
    })
    server.listen(port, host)
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    owner.after(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  const put = (addresses: readonly string[]): void => dns.set(EXPANDED, { addresses, ttl: 1 })
  put(THREE)
  dns.set(OTHER, { addresses: [THREE[0]], ttl: 1 })
  return {
    dns,
    port,
    put,
    waiting,
    config: (resolver = {}, backend = {}) => ({
      resolver: {
        ...{ servers: [dns.address], search: [], timeout: '500ms', attempts: 2 },
        ...resolver,
      },
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: {
        web: { resolve: 'all', servers: { s: `http://${EXPANDED}:${port}` }, ...backend },
        other: { servers: { s: `http://${OTHER}:${port}` } },
      },
      frontends: {
        web: { route: `Host("${EXPANDED}") || Host("127.0.0.1")`, backend: 'web' },
        other: { route: `Host("${OTHER}")`, backend: 'other' },
      },
    }),
  }
}
