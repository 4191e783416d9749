/** A live listener: its socket, its client connections, its certificates. */
import { constants } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, Socket } from 'node:net'
import {
  createServer as createTlsServer,
  type SecureContext,
  type SecureContextOptions,
  type Server as TlsServer,
  type TlsOptions,
  type TLSSocket,
} from 'node:tls'
import { errorResponse, headOfLocalResponse } from '../http/message/local-response.ts'
import type { LastHost } from '../http/message/authority.ts'
import { clock } from '../http/connection/clock.ts'
import type { Deadlines } from '../http/connection/deadlines.ts'
import {
  isAmongLast,
  KEPT_FOR_CONNECTIONS,
  KEPT_FOR_SERVERS,
} from '../http/connection/descriptors.ts'
import { ExchangeError, type Reason } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { SocketReads, rereadAccepted } from '../http/connection/socket-reads.ts'
import type { RequestHead } from '../http/message/request-head.ts'
import { helpAgainst } from '../http/connection/shortage.ts'
import { type Destination, readTarget } from '../http/message/target.ts'
import type { Address, Listener } from '../model/snapshot.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, type Slot, sharedAdd, sharedLoad } from '../scoreboard/scoreboard.ts'
import { responseText } from './response-text.ts'
import { ClientPeer } from './client-peer.ts'
import { Certificates } from './certificates.ts'
import type { ClientHello } from './client-hello.ts'
import { peekClientHello } from './client-hello-reader.ts'
import { ClientConnection } from './client-connection.ts'
import { plainHttpBelow, refusePlainHttp } from './plain-on-tls.ts'
import { plainHost } from '../model/ip.ts'
import type { Trust } from './forwarded-client.ts'

/** Takes requests: the gateway. */
export interface ListenerHandler {
  begin(exchange: Exchange): void
  /** A request was refused, and its response is sent. */
  refused(exchange: Exchange): void
  /** A fault of the proxy in this exchange, or on a connection without one. Never throws. */
  fault(error: unknown, exchange: Exchange | null): void
}

export interface ListenerContext {
  readonly deadlines: Deadlines
  readonly trust: Trust
  readonly handler: ListenerHandler
  /** 48 bytes, the same in every thread, so that TLS sessions resume in any thread. */
  readonly ticketKeys: Buffer
  /** Several threads listen on the same port. */
  readonly reusePort: boolean
  /** The last descriptors are in use. Returns how many idle connections were closed for it. */
  readonly onShortage: (error: unknown) => number
}

/**
 * The kernel reports a socket as writable only when a third of its send buffer is free, which may be a megabyte: the progress of
 * a slow reader is seen in such steps.
 */
const WRITE_FACTOR = 4
const BACKLOG = 4_096
/** How long a refused connection stays open so that the client can read why. */
const TURN_AWAY_MS = 1_000
/** Concurrent handshakes in one thread: each costs a private-key operation that other requests wait for. */
const MAX_HANDSHAKES = 1_000
const OUT_OF_DESCRIPTORS = 'the descriptors of this process are used up'
/** An idle client may send a request while a drain begins: it is served until then. */
const DRAIN_IDLE_MS = 1_000

export class LiveListener {
  readonly deadlines: Deadlines
  readonly trust: Trust
  readonly scheme: 'http' | 'https'
  listener: Listener
  handler: ListenerHandler
  draining = false
  readonly #context: ListenerContext
  readonly #slot: Slot
  readonly #connections = new Set<ClientConnection>()
  readonly #perClient = new Map<string, number>()
  readonly #server: Server
  #tls: TlsServer | null = null
  #certificates: Certificates | null = null
  #handshakes = 0

  constructor(listener: Listener, slot: Slot, context: ListenerContext) {
    this.listener = listener
    this.scheme = listener.protocol === 'https' ? 'https' : 'http'
    this.deadlines = context.deadlines
    this.trust = context.trust
    this.handler = context.handler
    this.#context = context
    this.#slot = slot
    this.#server = listener.tls === null ? this.#plainServer() : this.#tlsServer(listener.tls)
    this.#server.on('error', () => {})
  }

  /** Begins to listen. May be called again after a failure or after `stopListening`. */
  async open(): Promise<void> {
    const { host, port } = this.listener.address
    this.#server.listen({ host, port, backlog: BACKLOG, reusePort: this.#context.reusePort })
    await once(this.#server, 'listening')
    if (!isAmongLast(this.#server, KEPT_FOR_CONNECTIONS)) return
    this.#server.close()
    throw new Error(
      `the last quarter of the open files is kept for connections; ${helpAgainst('EMFILE')}, or declare fewer listeners`,
    )
  }

  /** Releases the address; connections stay open. */
  stopListening(): void {
    this.#server.close()
  }

  /** The bound address, with the port that the kernel chose if it was 0. */
  get bound(): Address | null {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') return null
    return { host: address.address, port: address.port }
  }

  /** Whether the declaration can be applied without a new socket. */
  fits(listener: Listener): boolean {
    const { address, protocol } = this.listener
    return (
      address.host === listener.address.host &&
      address.port === listener.address.port &&
      protocol === listener.protocol
    )
  }

  /** Applies new settings from the next request on; open connections keep their sockets and certificates. */
  update(listener: Listener, handler: ListenerHandler): void {
    if (listener.tls !== null) {
      const { certificates, strictSni } = listener.tls
      this.#certificates = new Certificates(certificates, strictSni, this.#certificates)
      this.#tls?.setSecureContext(this.#tlsOptions(this.#certificates))
    }
    this.listener = listener
    this.handler = handler
  }

  get connections(): number {
    return this.#connections.size
  }

  /** Stops accepting. Connections close after their current exchange, idle ones after a moment. */
  drain(): void {
    if (this.draining) return
    this.draining = true
    this.#server.close()
    for (const connection of this.#connections) connection.closeBy(clock.now + DRAIN_IDLE_MS)
  }

  /** A drain is over: ends the exchanges in flight. */
  cut(): void {
    const error = new ExchangeError('DRAINED', 'the drain took too long')
    for (const connection of this.#connections) connection.endExchange(error)
  }

  /** Closes what is left. */
  destroy(): void {
    this.drain()
    for (const connection of this.#connections) connection.reset()
  }

  /** How long a connection may be idle, which a drain shortens. */
  idleMs(): number {
    return this.draining ? 0 : this.listener.timeouts.idleMs
  }

  /** How long a client may appear to read nothing of its response. */
  writeMs(): number {
    return this.listener.timeouts.bodyMs * WRITE_FACTOR
  }

  /** The destination of a request, or the error: its target, and whether this connection's certificate covers its host. */
  destinationOf(
    socket: Socket,
    head: RequestHead,
    lastHost: LastHost,
  ): Destination | ExchangeError {
    const to = readTarget(head, this.scheme, this.listener.paths, lastHost)
    if (to instanceof ExchangeError || this.#certificates === null) return to
    const tls = socket as TLSSocket & { servername?: string | false }
    const name = tls.servername || ''
    // A TLS 1.2 session that is resumed does not have its server name.
    if (name === '' && tls.isSessionReused()) return to
    if (!this.#certificates.misdirects(name, to.host)) return to
    return new ExchangeError('MISDIRECTED', 'another certificate of this listener is for this host')
  }

  leave(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return
    this.#count(-1)
    const { peerIp } = connection
    const left = (this.#perClient.get(peerIp) ?? 1) - 1
    if (left <= 0) this.#perClient.delete(peerIp)
    else this.#perClient.set(peerIp, left)
  }

  #plainServer(): Server {
    return createServer(
      { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
      (accepted) => {
        this.#guard(accepted, () => {
          if (!this.#hasDescriptor(accepted)) return
          const reads = new SocketReads()
          const socket = rereadAccepted(accepted, reads, (options) => new Socket(options))
          if (socket !== null) this.#accept(socket, reads)
          else {
            this.#accept(accepted, null)
            accepted.resume()
          }
        })
      },
    )
  }

  /** Accepts for a TLS server that never listens itself, so that the ClientHello can be read before the handshake. */
  #tlsServer({ certificates, strictSni }: NonNullable<Listener['tls']>): Server {
    this.#certificates = new Certificates(certificates, strictSni, null)
    const tls = createTlsServer(
      {
        ...this.#tlsOptions(this.#certificates),
        ALPNProtocols: ['http/1.1'],
        handshakeTimeout: this.listener.timeouts.headMs,
        SNICallback: chooseBy(
          (name, hello) => this.#certificates?.context(name, hello, Date.now()),
          (error) => this.handler.fault(error, null),
        ),
      },
      (socket) => {
        // The handshake is complete: from here on it counts as a connection until its TLS and TCP sockets are closed.
        this.#handshakes--
        // A client that closes its side before that has left. Half open, it would count as a handshake until the time limit.
        socket.allowHalfOpen = true
        socket.once('close', () => this.#handshakes++)
        this.#accept(socket, null)
      },
    )
    tls.on('tlsClientError', (error, socket) => {
      count(this.#slot, COUNT.tlsFailures, 1)
      this.#guard(socket, () => {
        const raw = plainHttpBelow(error, socket)
        if (raw === null) return
        const clientPeer = new ClientPeer(raw, 'http', this.trust)
        this.handler.refused(refusePlainHttp(raw, clientPeer, this.listener.id))
      })
      socket.destroy()
    })
    this.#tls = tls
    return createServer({ noDelay: true }, (socket) => {
      const shakeHands = (hello: ClientHello | null): void => {
        if (hello !== null) HELLOS.set(socket, hello)
        this.#guard(socket, () => tls.emit('connection', socket))
      }
      this.#guard(socket, () => {
        if (!this.#hasDescriptor(socket)) return
        if (this.#handshakes >= MAX_HANDSHAKES) return socket.destroy()
        this.#handshakes++
        socket.once('close', () => this.#handshakes--)
        if (this.#certificates?.hasChoice !== true) return shakeHands(null)
        return peekClientHello(socket, this.listener.timeouts.headMs, shakeHands)
      })
    })
  }

  /** The context for clients without SNI. Without certificates their handshakes fail. */
  #tlsOptions(certificates: Certificates): SecureContextOptions & { ticketKeys: Buffer } {
    const defaults = certificates.defaults(Date.now())
    return {
      cert: defaults.map(({ cert }) => cert),
      key: defaults.map(({ key }) => key),
      minVersion: 'TLSv1.2',
      sessionIdContext: 'sluice',
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ticketKeys: this.#context.ticketKeys,
    }
  }

  /** An exception while accepting closes this connection alone. */
  #guard(socket: Socket, step: () => unknown): void {
    try {
      step()
    } catch (error) {
      socket.destroy()
      this.handler.fault(error, null)
    }
  }

  #accept(socket: Socket, reads: SocketReads | null): void {
    this.#guard(socket, () => this.#admit(socket, reads))
  }

  #admit(socket: Socket, reads: SocketReads | null): void {
    const peer = plainHost(socket.remoteAddress ?? '')
    const { connections, connectionsPerClient } = this.listener.limits
    const ofPeer = (this.#perClient.get(peer) ?? 0) + 1
    const open = sharedLoad(this.#slot, SHARED.connections)
    if (
      this.draining ||
      (connections > 0 && open >= connections) ||
      (connectionsPerClient > 0 && ofPeer > connectionsPerClient)
    ) {
      refuseConnection(socket)
      return
    }
    const connection = new ClientConnection(socket, reads, this)
    this.#perClient.set(peer, ofPeer)
    this.#count(1)
    this.#connections.add(connection)
  }

  /** Whether the socket may keep its descriptor. If not, it gets a 503 if that can be written, and is closed immediately. */
  #hasDescriptor(accepted: Socket): boolean {
    if (!isAmongLast(accepted, KEPT_FOR_SERVERS)) return true
    if (this.#context.onShortage(null) > 0) return true
    count(this.#slot, COUNT.notKept, 1)
    accepted.on('error', () => {})
    if (this.scheme === 'http')
      accepted.write(textOf('OUT_OF_RESOURCES', OUT_OF_DESCRIPTORS), 'latin1')
    accepted.destroy()
    return false
  }

  #count(step: 1 | -1): void {
    sharedAdd(this.#slot, SHARED.connections, step)
    count(this.#slot, COUNT.connections, step)
    if (step === 1) count(this.#slot, COUNT.opened, 1)
  }
}

/** By the TCP socket below the TLS socket. */
const HELLOS = new WeakMap<object, ClientHello>()

type Sni = NonNullable<TlsOptions['SNICallback']>

function chooseBy(
  choose: (name: string, hello: ClientHello | null) => SecureContext | undefined,
  onFault: (error: unknown) => void,
): Sni {
  return function (this: unknown, name, done) {
    const below = typeof this === 'object' && this !== null && '_parent' in this && this._parent
    const hello = typeof below === 'object' && below !== null ? HELLOS.get(below) : undefined
    try {
      done(null, choose(name, hello ?? null))
    } catch (error) {
      onFault(error)
      done(new Error('no certificate could be chosen', { cause: error }))
    }
  }
}

/** The response to a connection above a limit, which is closed after it. */
function refuseConnection(socket: Socket): void {
  socket.on('error', () => {})
  socket.end(textOf('TOO_MANY_CONNECTIONS', 'too many connections'), 'latin1')
  socket.setTimeout(TURN_AWAY_MS, () => socket.destroy())
  socket.resume()
}

function textOf(reason: Reason, message: string): string {
  const response = errorResponse(new ExchangeError(reason, message))
  return (
    responseText(headOfLocalResponse(response), 1, false).text + response.body.toString('latin1')
  )
}
