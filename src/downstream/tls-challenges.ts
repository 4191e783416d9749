/**
 * Answers tls-alpn-01 challenges (RFC 8737): a client that offers `acme-tls/1` for a name with an open order gets the certificate of
 * that challenge, and nothing else. Only while there are such challenges does a listener read the ClientHello for them; their
 * connections have a server of their own, because in TLS 1.3 the certificate is chosen after the protocol, in 1.2 before it.
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, createServer, type SecureContext, type Server } from 'node:tls'
import type { Challenge } from '../model/snapshot.ts'
import { ACME_TLS } from '../model/tls-options.ts'
import type { ClientHello } from './client-hello.ts'

/** The authority closes the connection once it has seen the certificate. */
const STAY_MS = 2_000

export class TlsChallenges {
  readonly #contexts: ReadonlyMap<string, SecureContext>
  readonly #server: Server | null

  constructor(challenges: readonly Challenge[], timeoutMs: number) {
    const contexts = new Map<string, SecureContext>()
    for (const challenge of challenges) {
      if (challenge.kind !== 'tls-alpn-01') continue
      const { cert, key } = challenge.certificate
      contexts.set(challenge.name.toLowerCase(), createSecureContext({ cert, key, ...OPTIONS }))
    }
    this.#contexts = contexts
    this.#server = contexts.size === 0 ? null : createChallengeServer(contexts, timeoutMs)
  }

  get areOpen(): boolean {
    return this.#server !== null
  }

  /** Whether the client is an authority that checks one of these challenges. */
  concern(hello: ClientHello | null): boolean {
    return hello !== null && hello.alpn.includes(ACME_TLS) && this.#contexts.has(hello.serverName)
  }

  answer(socket: Socket): void {
    this.#server?.emit('connection', socket)
  }
}

const OPTIONS = { minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_RENEGOTIATION } as const

function createChallengeServer(
  contexts: ReadonlyMap<string, SecureContext>,
  timeoutMs: number,
): Server {
  const server = createServer(
    {
      ...OPTIONS,
      ALPNProtocols: [ACME_TLS],
      handshakeTimeout: timeoutMs,
      SNICallback: (name, done) => done(null, contexts.get(name.toLowerCase())),
    },
    (socket) => {
      socket.on('error', () => {})
      socket.end()
      socket.setTimeout(STAY_MS, () => socket.destroy())
      socket.resume()
    },
  )
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return server
}
