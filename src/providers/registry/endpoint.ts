/** What every client of a registry needs to connect: the parts of an endpoint, and TLS to it. */
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { RegistryTls } from './options.ts'

/** Of `host:port`, without the brackets of an IPv6 address. */
export function hostOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
}

export function portOf(endpoint: string): number {
  return Number(endpoint.slice(endpoint.lastIndexOf(':') + 1))
}

/** `host`: as the endpoint is written, not the address that it resolves to. */
export function toTlsOptions(tls: RegistryTls, host: string): ConnectionOptions {
  const serverName = tls.serverName ?? (isIP(host) === 0 ? host : null)
  return {
    rejectUnauthorized: tls.verify,
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
    ...(serverName === null ? {} : { servername: serverName }),
  }
}
