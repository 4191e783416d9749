/** Where a server is, and how to connect to it. */
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { hostnameOf, isStreamScheme, type Scheme, speaksTls } from '../../model/server-url.ts'
import type { Backend, Protocol, Server } from '../../model/snapshot.ts'

export interface ConnectTarget {
  readonly scheme: Scheme
  readonly host: string
  readonly port: number
  readonly tls: {
    readonly context: SecureContext
    readonly verify: boolean
    readonly serverName: string
    /** Offered by ALPN; none to a server of an unknown protocol. */
    readonly protocols: readonly string[]
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
  if (!speaksTls(scheme)) return { scheme, host, port, tls: null }
  const { verify, ca, serverName } = backend.tls
  const tls = {
    context: contextFor(ca),
    verify,
    serverName: serverName ?? sniOf(server),
    protocols: scheme === 'tls' ? [] : OFFERS[wire],
    session: null,
  }
  return { scheme, host, port, tls }
}

/** '' for an address, which is not sent as the server name (RFC 6066 section 3). */
export function sniOf(server: Server): string {
  const name = hostnameOf(server)
  return isIP(name) === 0 ? name : ''
}

const MAX_CONTEXTS = 64
const CONTEXTS = new Map<string | null, SecureContext>()

/** One context for all servers with the same CA, because it holds the parsed certificates. The latest 64 are kept. */
export function contextFor(ca: string | null): SecureContext {
  const known = CONTEXTS.get(ca)
  if (known !== undefined) return known
  const context = createSecureContext({ minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) })
  if (CONTEXTS.size >= MAX_CONTEXTS) {
    const [oldest] = CONTEXTS.keys()
    if (oldest !== undefined) CONTEXTS.delete(oldest)
  }
  CONTEXTS.set(ca, context)
  return context
}
