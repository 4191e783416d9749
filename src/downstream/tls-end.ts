/** TLS that ends at a listener: its certificates, and the handshakes of its connections. */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TlsOptions,
} from 'node:tls'
import type { Listener } from '../model/snapshot.ts'
import { Certificates } from './certificates.ts'
import type { ClientHello } from './client-hello.ts'
import type { Preamble } from './preamble.ts'

/** Concurrent handshakes in one thread: each costs a private-key operation that other requests wait for. */
const MAX_HANDSHAKES = 1_000

export interface TlsEndOwner {
  secured(socket: Socket, preamble: Preamble | null): void
  /** `socket` is the TLS socket; it is destroyed after this. */
  failed(socket: Socket, error: Error, preamble: Preamble | null): void
  onFault(error: unknown): void
}

export class TlsEnd {
  #certificates: Certificates
  readonly #ticketKeys: Buffer
  /** Never listens itself, so that more can be read of a connection before its handshake. */
  readonly #server: Server
  #handshakes = 0

  /** `protocols`: for ALPN. */
  constructor(
    listener: Listener,
    protocols: readonly string[],
    ticketKeys: Buffer,
    owner: TlsEndOwner,
  ) {
    this.#certificates = certificatesOf(listener, null)
    this.#ticketKeys = ticketKeys
    this.#server = createServer(
      {
        ...this.#options(),
        ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
        handshakeTimeout: listener.timeouts.headMs,
        SNICallback: chooseBy(
          (name, hello) => this.#certificates.context(name, hello, Date.now()),
          (error) => owner.onFault(error),
        ),
      },
      (socket) => {
        // The handshake is complete: from here on it counts as a connection until its TLS and TCP sockets are closed.
        this.#handshakes--
        // A client that closes its side before that has left. Half open, it would count as a handshake until the time limit.
        socket.allowHalfOpen = true
        socket.once('close', () => this.#handshakes++)
        owner.secured(socket, preambleOf(socket))
      },
    )
    this.#server.on('tlsClientError', (error, socket) => {
      owner.failed(socket, error, preambleOf(socket))
      socket.destroy()
    })
  }

  /** The certificate depends on what the client supports. */
  get needsHello(): boolean {
    return this.#certificates.hasChoice
  }

  shakeHands(socket: Socket, preamble: Preamble | null): void {
    if (this.#handshakes >= MAX_HANDSHAKES) {
      socket.destroy()
      return
    }
    this.#handshakes++
    socket.once('close', () => this.#handshakes--)
    if (preamble !== null) PREAMBLES.set(socket, preamble)
    this.#server.emit('connection', socket)
  }

  /** Whether there is a certificate for this name. */
  covers(serverName: string): boolean {
    return this.#certificates.covers(serverName)
  }

  /** See Certificates. */
  misdirects(serverName: string, host: string): boolean {
    return this.#certificates.misdirects(serverName, host)
  }

  update(listener: Listener): void {
    this.#certificates = certificatesOf(listener, this.#certificates)
    this.#server.setSecureContext(this.#options())
  }

  /** The context for clients without SNI. Without certificates their handshakes fail. */
  #options(): SecureContextOptions & { ticketKeys: Buffer } {
    const defaults = this.#certificates.defaults(Date.now())
    return {
      cert: defaults.map(({ cert }) => cert),
      key: defaults.map(({ key }) => key),
      minVersion: 'TLSv1.2',
      sessionIdContext: 'sluice',
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ticketKeys: this.#ticketKeys,
    }
  }
}

function certificatesOf({ tls }: Listener, former: Certificates | null): Certificates {
  return new Certificates(tls?.certificates ?? [], tls?.strictSni ?? false, former)
}

/** By the TCP socket below the TLS socket. */
const PREAMBLES = new WeakMap<object, Preamble>()

function preambleOf(tls: unknown): Preamble | null {
  const below = typeof tls === 'object' && tls !== null && '_parent' in tls && tls._parent
  return (typeof below === 'object' && below !== null && PREAMBLES.get(below)) || null
}

type Sni = NonNullable<TlsOptions['SNICallback']>

function chooseBy(
  choose: (name: string, hello: ClientHello | null) => SecureContext | undefined,
  onFault: (error: unknown) => void,
): Sni {
  return function (this: unknown, name, done) {
    try {
      done(null, choose(name, preambleOf(this)?.hello ?? null))
    } catch (error) {
      onFault(error)
      done(new Error('no certificate could be chosen', { cause: error }))
    }
  }
}
