/** A listener for HTTP. */
import { Socket } from 'node:net'
import { type Reader, SocketReads, rereadAccepted } from '../http/connection/socket-reads.ts'
import type { LastHost } from '../http/message/authority.ts'
import { ExchangeError, type Reason } from '../http/message/errors.ts'
import { errorResponse, headOfLocalResponse } from '../http/message/local-response.ts'
import type { RequestHead } from '../http/message/request-head.ts'
import { type Destination, readTarget } from '../http/message/target.ts'
import type { Listener } from '../model/snapshot.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count, type Slot } from '../scoreboard/scoreboard.ts'
import { ClientConnection } from './client-connection.ts'
import { ClientPeer } from './client-peer.ts'
import { Http2Connection } from './http2-connection.ts'
import { refusalFrames } from './http2-refusal.ts'
import { type ListenedConnection, type ListenerContext, LiveListener } from './live-listener.ts'
import type { Preamble } from './preamble.ts'
import { RecentMisuse } from './recent-misuse.ts'
import { responseText } from './response-text.ts'

/**
 * The kernel reports a socket as writable only when a third of its send buffer is free, which may be a megabyte: the progress of
 * a slow reader is seen in such steps.
 */
const WRITE_FACTOR = 4
/** How long a refused connection stays open so that the client can read why. */
const TURN_AWAY_MS = 1_000
const OUT_OF_DESCRIPTORS = 'the descriptors of this process are used up'

export class HttpListener extends LiveListener {
  readonly scheme: 'http' | 'https'
  /** Of its HTTP/2 connections in this thread. */
  readonly recentMisuse: RecentMisuse = new RecentMisuse()

  constructor(
    listener: Listener,
    slot: Slot,
    context: ListenerContext,
    scheme: 'http' | 'https' = 'http',
  ) {
    super(listener, slot, context, { allowHalfOpen: scheme === 'http' })
    this.scheme = scheme
  }

  protected get needsHello(): boolean {
    return false
  }

  protected begin(accepted: Socket, preamble: Preamble | null): void {
    const early: unknown = preamble === null ? null : accepted.read()
    const reads = new SocketReads()
    const reread = rereadAccepted(accepted, reads, (options) => new Socket(options))
    const socket = reread ?? accepted
    this.guard(socket, () => {
      const isHttp2 = this.listener.protocol === 'h2c'
      const connection = this.serve(socket, reread === null ? null : reads, preamble, isHttp2)
      if (early instanceof Buffer) connection?.received(early, early.length)
      if (reread === null) socket.resume()
    })
  }

  /** Null: a limit refuses it. */
  protected serve(
    socket: Socket,
    reads: SocketReads | null,
    preamble: Preamble | null,
    isHttp2: boolean,
  ): (Reader & ListenedConnection) | null {
    if (this.refuses(socket, preamble)) return null
    const peer = new ClientPeer(socket, preamble, this.scheme, this.trust)
    const { http2 } = this.listener
    const connection =
      isHttp2 && http2 !== null
        ? new Http2Connection(socket, reads, peer, this, http2)
        : new ClientConnection(socket, reads, peer, this)
    this.enter(connection)
    return connection
  }

  /** In clear, by prior knowledge. Over TLS the handshake decides. */
  get takesHttp2(): boolean {
    return this.scheme === 'http' && this.listener.http2 !== null
  }

  /** The client of an HTTP/1 connection has begun with HTTP/2. Only if `takesHttp2`. */
  becomeHttp2(
    socket: Socket,
    reads: SocketReads | null,
    former: ClientConnection,
  ): Http2Connection {
    const { http2 } = this.listener
    const peer = former.clientPeer
    if (http2 === null) throw new Error(`listener "${this.listener.id}" does not speak HTTP/2`)
    this.leave(former)
    const connection = new Http2Connection(socket, reads, peer, this, http2)
    this.enter(connection)
    return connection
  }

  /** One more request, by HTTP/1 or 2. */
  countRequest(version: 1 | 2): void {
    count(this.slot, version === 1 ? COUNT.requests : COUNT.http2Requests, 1)
  }

  countHttp2(step: 1 | -1): void {
    count(this.slot, COUNT.underWay, step)
  }

  /** A connection was cut off for misuse of HTTP/2. */
  countMisuse(): void {
    count(this.slot, COUNT.http2Misused, 1)
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
    _socket: Socket,
    head: RequestHead,
    lastHost: LastHost,
  ): Destination | ExchangeError {
    return readTarget(head, this.scheme, this.listener.paths, lastHost)
  }

  protected turnAway(
    socket: Socket,
    _preamble: Preamble | null,
    reason: Reason,
    message: string,
  ): void {
    socket.on('error', () => {})
    if (this.listener.protocol === 'h2c' || chosenByAlpn(socket)) socket.end(refusalFrames(message))
    else socket.end(textOf(reason, message), 'latin1')
    socket.setTimeout(TURN_AWAY_MS, () => socket.destroy())
    socket.resume()
  }

  protected override closeShort(accepted: Socket): void {
    accepted.on('error', () => {})
    if (this.listener.protocol === 'h2c') accepted.write(refusalFrames(OUT_OF_DESCRIPTORS))
    else if (this.scheme === 'http')
      accepted.write(textOf('OUT_OF_RESOURCES', OUT_OF_DESCRIPTORS), 'latin1')
    accepted.destroy()
  }
}

/** The TLS client has chosen HTTP/2. */
export function chosenByAlpn(socket: Socket): boolean {
  return 'alpnProtocol' in socket && socket.alpnProtocol === 'h2'
}

function textOf(reason: Reason, message: string): string {
  const response = errorResponse(new ExchangeError(reason, message))
  return (
    responseText(headOfLocalResponse(response), 1, false).text + response.body.toString('latin1')
  )
}
