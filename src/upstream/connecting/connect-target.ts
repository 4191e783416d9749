/** Where a server is, and how to connect to it. */
import { isIP } from 'node:net'
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { hostnameOf, isStreamScheme, type Scheme, speaksTls } from '../../model/server-url.ts'
import type { Backend, Protocol, Server, TlsToServers } from '../../model/snapshot.ts'

export interface ConnectTarget {
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
  /** Silence of the server after which TCP probes it; 0: never. */
  readonly keepAliveMs: number
  readonly tls: {
    readonly context: SecureContext
    readonly verify: boolean
    readonly serverName: string
    /** Offered by ALPN; none to a server of an unknown protocol. */
    readonly protocols: readonly string[]
    /** Sessions are resumed. */
    readonly resumes: boolean
    /** The server's last TLS session, which the next connection resumes. */
    session: Buffer | null
  } | null
}

/** How exchanges with a server travel. With PROXY headers no choice is left to the server. */
export function wireOf(backend: Backend, { scheme, protocol: own }: Server): Protocol {
  const protocol = own ?? backend.protocol
  if (isStreamScheme(scheme)) return 'http/1.1'
  if (scheme === 'h2c' || protocol === 'h2') return 'h2'
  return speaksTls(scheme) && backend.proxyProtocol === null ? protocol : 'http/1.1'
}

/** What is offered in the TLS handshake. */
export const OFFERS: Readonly<Record<Protocol, readonly string[]>> = {
  'http/1.1': ['http/1.1'],
  h2: ['h2'],
  auto: ['h2', 'http/1.1'],
}

/** `wire`: for its connections. */
export function compileConnectTarget(
  backend: Backend,
  server: Server,
  wire: Protocol = 'http/1.1',
): ConnectTarget {
  const { scheme, host, port } = server
  const { keepAliveMs } = backend
  if (!speaksTls(scheme)) return { scheme, host, port, keepAliveMs, tls: null }
  const { verify, serverName, tickets } = backend.tls
  const tls = {
    context: contextFor(backend.tls),
    verify,
    serverName: serverName ?? sniOf(server),
    protocols: scheme === 'tls' ? [] : OFFERS[wire],
    resumes: tickets,
    session: null,
  }
  return { scheme, host, port, keepAliveMs, tls }
}

/** '' for an address, which is not sent as the server name (RFC 6066 section 3). */
export function sniOf(server: Server): string {
  const name = hostnameOf(server)
  return isIP(name) === 0 ? name : ''
}

const MAX_CONTEXTS = 64
const CONTEXTS = new Map<string | null, SecureContext>()

/**
 * One context for all servers with the same CA and options, because it holds the parsed certificates. The latest 64 are kept. Most
 * backends have no options: their CA is the key as it is, as each probe looks here.
 */
export function contextFor(tls: TlsToServers): SecureContext {
  const { ca, minVersion, maxVersion, ciphers, tickets } = tls
  const isPlain =
    ciphers === null && tickets && minVersion === 'TLSv1.2' && maxVersion === 'TLSv1.3'
  const key = isPlain ? ca : JSON.stringify([minVersion, maxVersion, ciphers, tickets, ca])
  const known = CONTEXTS.get(key)
  if (known !== undefined) return known
  const context = createSecureContext({
    minVersion,
    maxVersion,
    ...(ca === null ? {} : { ca }),
    ...(ciphers === null ? {} : { ciphers: ciphers.join(':') }),
    ...(tickets ? {} : { secureOptions: constants.SSL_OP_NO_TICKET }),
  })
  if (CONTEXTS.size >= MAX_CONTEXTS) {
    const [oldest] = CONTEXTS.keys()
    if (oldest !== undefined) CONTEXTS.delete(oldest)
  }
  CONTEXTS.set(key, context)
  return context
}
