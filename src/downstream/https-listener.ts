/** A listener for HTTPS: HTTP behind TLS that ends here. */
import type { Socket } from 'node:net'
import { readsOfTls } from '../http/connection/tls-reads.ts'
import type { LastHost } from '../http/message/authority.ts'
import { ExchangeError, type Reason } from '../http/message/errors.ts'
import type { RequestHead } from '../http/message/request-head.ts'
import type { Destination } from '../http/message/target.ts'
import type { Listener } from '../model/snapshot.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count, type Slot } from '../scoreboard/scoreboard.ts'
import type { CertificateDemand } from './certificate-demand.ts'
import { ClientPeer } from './client-peer.ts'
import { chosenByAlpn, HttpListener } from './http-listener.ts'
import type { ListenerContext, ListenerHandler } from './live-listener.ts'
import { plainHttpBelow, refusePlainHttp } from './plain-on-tls.ts'
import type { Preamble } from './preamble.ts'
import { acceptedStream, incomingStream, refuseStream } from './stream-listener.ts'
import { clientOf, describeHandshake, describeUnrecognized } from './handshake-failures.ts'
import { TlsEnd } from './tls-end.ts'

export class HttpsListener extends HttpListener {
  readonly #tls: TlsEnd
  readonly #demand: CertificateDemand | null

  constructor(listener: Listener, slot: Slot, context: ListenerContext) {
    super(listener, slot, context, 'https')
    this.#tls = new TlsEnd(listener, protocolsOf(listener), context.ticketKeys, {
      secured: (socket, preamble) => {
        this.guard(socket, () => this.#serve(socket, preamble))
      },
      failed: (socket, error, preamble) => {
        count(this.slot, COUNT.tlsFailures, 1)
        this.guard(socket, () => this.#explain(socket, error, preamble))
      },
      unrecognized: (socket, serverName, preamble) => {
        count(this.slot, COUNT.tlsFailures, 1)
        this.warn(describeUnrecognized(this.listener, serverName, clientOf(socket, preamble)))
      },
      onFault: (error) => this.handler.fault(error, null),
    })
    this.#demand = context.demand
  }

  protected override get needsHello(): boolean {
    if (this.#demand !== null || this.#tls.needsHello) return true
    return this.handler.streams.joinsHttps(this.listener.id)
  }

  protected override begin(socket: Socket, preamble: Preamble | null): void {
    if (preamble !== null) {
      if (this.#tls.answersChallenge(socket, preamble) || this.#passesOn(socket, preamble)) return
    }
    if (preamble === null || !this.#waits(socket, preamble)) this.#tls.shakeHands(socket, preamble)
  }

  /** Whether its handshake waits for a certificate of the name that the client asks for. */
  #waits(socket: Socket, preamble: Preamble): boolean {
    const name = preamble.hello?.serverName ?? ''
    if (this.#demand === null || name === '' || this.#tls.covers(name)) return false
    return this.#demand.wait(
      socket,
      name,
      () => this.#tls.covers(name),
      () => this.guard(socket, () => this.#tls.shakeHands(socket, preamble)),
    )
  }

  /** Whether a tcp frontend takes the connection as it is: its TLS ends at a server. */
  #passesOn(socket: Socket, preamble: Preamble): boolean {
    const { streams } = this.handler
    if (!streams.joinsHttps(this.listener.id)) return false
    const incoming = incomingStream(this, socket, preamble)
    const begin = streams.besideHttps(
      incoming,
      preamble.hello,
      this.#tls.covers(incoming.serverName),
    )
    if (begin === null) return false
    if (this.refuses(socket, preamble)) return true
    socket.allowHalfOpen = true
    const stream = begin(acceptedStream(this, socket, preamble))
    this.enter(stream)
    stream.start()
    return true
  }

  protected override turnAway(
    socket: Socket,
    preamble: Preamble | null,
    reason: Reason,
    message: string,
  ): void {
    // Without a handshake it was to be passed on, and its client does not read HTTP.
    if ('encrypted' in socket) super.turnAway(socket, preamble, reason, message)
    else refuseStream(this, socket, preamble, reason, message)
  }

  #serve(socket: Socket, preamble: Preamble | null): void {
    // What was decrypted before the handshake was reported.
    const early: unknown = socket.read()
    const reads = readsOfTls(socket)
    const connection = this.serve(socket, reads, preamble, chosenByAlpn(socket))
    if (early instanceof Buffer) connection?.received(early, early.length)
    if (reads !== null) socket.resume()
  }

  /** A client that speaks plain HTTP gets a response that says so. */
  #explain(tls: Socket, error: Error, preamble: Preamble | null): void {
    const raw = plainHttpBelow(error, tls)
    if (raw === null) {
      const text = describeHandshake(this.listener, tls, error, clientOf(tls, preamble))
      if (text !== null) this.warn(text)
      return
    }
    const clientPeer = new ClientPeer(raw, preamble, 'http', this.trust)
    this.handler.refused(refusePlainHttp(raw, error, clientPeer, this.listener.id))
  }

  protected override get handshakes(): number {
    return this.#tls.handshakes
  }

  override setTicketKeys(keys: Buffer): void {
    this.#tls.setTicketKeys(keys)
  }

  override update(listener: Listener, handler: ListenerHandler): void {
    this.#tls.update(listener)
    super.update(listener, handler)
    this.#demand?.certificatesChanged()
  }

  override destinationOf(
    socket: Socket,
    head: RequestHead,
    lastHost: LastHost,
  ): Destination | ExchangeError {
    const to = super.destinationOf(socket, head, lastHost)
    if (to instanceof ExchangeError) return to
    if (!this.#tls.mayMisdirect) return to
    const why = this.#tls.misdirected(socket, to.host)
    return why === null ? to : new ExchangeError('MISDIRECTED', why)
  }
}

/** For ALPN, the preferred one first. */
function protocolsOf({ http2 }: Listener): readonly string[] {
  return http2 === null ? ['http/1.1'] : ['h2', 'http/1.1']
}
