/**
 * One set of TLS options with its own tls.Server, which never listens: connections are given to it. Node takes only certificates
 * and authorities from the context that SNICallback returns, so versions, suites and client authentication that differ by
 * host need a server for each set of options.
 */
import { constants, hash } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls'
import { verifiesClients, type TlsOptions } from '../model/tls-options.ts'
import type { Certificates } from './certificates.ts'
import type { ClientHello } from './client-hello.ts'

export interface TlsSetOwner {
  /** Of the connection with this TLS socket; null if it was not read. */
  helloOf(socket: unknown): ClientHello | null
  /** Undefined: the default. Throws if there is none for this name. */
  choose(
    name: string,
    hello: ClientHello | null,
    set: TlsSet,
    socket: unknown,
  ): SecureContext | undefined
  secured(socket: TLSSocket, set: TlsSet): void
  failed(socket: TLSSocket, error: Error): void
}

export class TlsSet {
  readonly options: TlsOptions
  /** Equal for equal sets. */
  readonly key: string
  /** Equal for sets with the same client authentication. */
  readonly authKey: string
  readonly #server: Server
  readonly #sessionIdContext: string
  #certificates: Certificates
  #ticketKeys: Buffer
  #configured = ''

  constructor(
    options: TlsOptions,
    key: string,
    form: { readonly protocols: readonly string[]; readonly timeoutMs: number },
    certificates: Certificates,
    ticketKeys: Buffer,
    owner: TlsSetOwner,
  ) {
    const { clientAuth, alpn } = options
    this.options = options
    this.key = key
    this.authKey = JSON.stringify(clientAuth)
    // A session holds the certificate of its client, verified: it must not be resumed under other authorities, nor where none was
    // asked for. Without clients' certificates all sets and programs share their sessions.
    this.#sessionIdContext =
      clientAuth.mode === 'none' ? 'sluice' : hash('sha256', this.authKey, 'hex').slice(0, 32)
    this.#certificates = certificates
    this.#ticketKeys = ticketKeys
    const protocols = alpn === null ? form.protocols : spoken(alpn, form.protocols)
    const { mode } = clientAuth
    this.#server = createServer(
      {
        ...this.#context(),
        ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
        requestCert: mode !== 'none',
        rejectUnauthorized: mode === 'require-and-verify',
        handshakeTimeout: form.timeoutMs,
        SNICallback: chooseBy((name, socket) =>
          owner.choose(name, owner.helloOf(socket), this, socket),
        ),
      },
      (socket) => owner.secured(socket, this),
    )
    this.#server.on('tlsClientError', (error, socket) => owner.failed(socket, error))
  }

  /** What the contexts of its certificates need beside them. */
  get trust(): SecureContextOptions | null {
    return verifiesClients(this.options.clientAuth) ? this.#authorities() : null
  }

  begin(socket: Socket): void {
    // Node closes the connection before it reports a certificate that does not verify: the socket keeps the address that was read once.
    if (this.options.clientAuth.mode === 'require-and-verify') void socket.remoteAddress
    this.#server.emit('connection', socket)
  }

  update(certificates: Certificates, ticketKeys: Buffer): void {
    this.#certificates = certificates
    this.#ticketKeys = ticketKeys
    const defaults = certificates.defaults(Date.now()).map(({ cert }) => cert)
    const configured = JSON.stringify([defaults, ticketKeys.toString('hex')])
    if (configured === this.#configured) return
    this.#configured = configured
    this.#server.setSecureContext(this.#context())
  }

  /** The context for clients without SNI. Without certificates their handshakes fail. */
  #context(): SecureContextOptions & { ticketKeys: Buffer } {
    const { protocol, tickets } = this.options
    const defaults = this.#certificates.defaults(Date.now())
    return {
      cert: defaults.map(({ cert }) => cert),
      key: defaults.map(({ key }) => key),
      minVersion: protocol.minVersion,
      maxVersion: protocol.maxVersion,
      ciphers: protocol.ciphers.join(':'),
      ecdhCurve: protocol.curves.join(':'),
      honorCipherOrder: true,
      ...this.#authorities(),
      sessionIdContext: this.#sessionIdContext,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (tickets ? 0 : constants.SSL_OP_NO_TICKET),
      ticketKeys: this.#ticketKeys,
    }
  }

  #authorities(): SecureContextOptions {
    const { ca, crl } = this.options.clientAuth
    return { ...(ca === null ? {} : { ca }), ...(crl === null ? {} : { crl }) }
  }
}

/** Those of the protocols that are spoken here, in the order of `alpn`. A listener without a protocol of its own speaks all. */
function spoken(alpn: readonly string[], protocols: readonly string[]): readonly string[] {
  return protocols.length === 0 ? alpn : alpn.filter((one) => protocols.includes(one))
}

type Sni = (
  this: unknown,
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
) => void

function chooseBy(choose: (name: string, socket: unknown) => SecureContext | undefined): Sni {
  return function (name, done) {
    try {
      done(null, choose(name, this))
    } catch (error) {
      done(error instanceof Error ? error : new Error('no certificate could be chosen'))
    }
  }
}
