/** Where a server is, and how it is spoken to. */
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { withoutRoot } from '../../model/address.ts'
import type { Backend, Server } from '../../model/snapshot.ts'

export interface ConnectTarget {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly tls: {
    readonly context: SecureContext
    readonly verify: boolean
    readonly serverName: string
    /** The last session of this server, so that a new connection resumes it. */
    session: Buffer | null
  } | null
}

export function compileConnectTarget(backend: Backend, server: Server): ConnectTarget {
  const { scheme, host, port } = server
  if (scheme === 'http') return { scheme, host, port, tls: null }
  const { verify, ca, serverName } = backend.tls
  // RFC 6066 section 3: an address is not a name to ask for.
  const name = serverName ?? (isIP(host) === 0 ? withoutRoot(host) : '')
  return {
    scheme,
    host,
    port,
    tls: { context: contextFor(ca), verify, serverName: name, session: null },
  }
}

const MOST_CONTEXTS = 64
const contexts = new Map<string | null, SecureContext>()

/** One context for all servers that trust the same authorities: it holds them parsed. The latest are kept. */
export function contextFor(ca: string | null): SecureContext {
  const known = contexts.get(ca)
  if (known !== undefined) return known
  const context = createSecureContext({ minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) })
  if (contexts.size >= MOST_CONTEXTS) {
    const [oldest] = contexts.keys()
    if (oldest !== undefined) contexts.delete(oldest)
  }
  contexts.set(ca, context)
  return context
}
