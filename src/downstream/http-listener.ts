/** A listener for HTTP. */
import { Socket } from 'node:net'
import { SocketReads, rereadAccepted } from '../http/connection/socket-reads.ts'
import type { LastHost } from '../http/message/authority.ts'
import { ExchangeError, type Reason } from '../http/message/errors.ts'
import { errorResponse, headOfLocalResponse } from '../http/message/local-response.ts'
import type { RequestHead } from '../http/message/request-head.ts'
import { type Destination, readTarget } from '../http/message/target.ts'
import type { Listener } from '../model/snapshot.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import { ClientConnection } from './client-connection.ts'
import { ClientPeer } from './client-peer.ts'
import { type ListenerContext, LiveListener } from './live-listener.ts'
import type { Preamble } from './preamble.ts'
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
      const connection = this.serve(socket, reread === null ? null : reads, preamble)
      if (early instanceof Buffer) connection?.received(early, early.length)
      if (reread === null) socket.resume()
    })
  }

  /** Null: a limit refuses it. */
  protected serve(
    socket: Socket,
    reads: SocketReads | null,
    preamble: Preamble | null,
  ): ClientConnection | null {
    if (this.refuses(socket, preamble)) return null
    const peer = new ClientPeer(socket, preamble, this.scheme, this.trust)
    const connection = new ClientConnection(socket, reads, peer, this)
    this.enter(connection)
    return connection
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
    socket.end(textOf(reason, message), 'latin1')
    socket.setTimeout(TURN_AWAY_MS, () => socket.destroy())
    socket.resume()
  }

  protected override closeShort(accepted: Socket): void {
    accepted.on('error', () => {})
    if (this.scheme === 'http')
      accepted.write(textOf('OUT_OF_RESOURCES', OUT_OF_DESCRIPTORS), 'latin1')
    accepted.destroy()
  }
}

function textOf(reason: Reason, message: string): string {
  const response = errorResponse(new ExchangeError(reason, message))
  return (
    responseText(headOfLocalResponse(response), 1, false).text + response.body.toString('latin1')
  )
}
