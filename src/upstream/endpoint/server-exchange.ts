/**
 * The server's side of an exchange as the gateway sees it: a connection that the exchange has to itself (HTTP/1.1), or one of the
 * streams of a connection that it shares with others (HTTP/2).
 */
import type { BodySink, Exchange, ResponseSink } from '../../http/exchange.ts'
import type { TunnelEnd } from '../../http/connection/tunnel.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import type { ServerConnection } from './server-connection.ts'

export interface ServerExchange extends BodySink {
  /** There is no connection yet: nothing of the request has been sent. */
  readonly isConnecting: boolean
  /** The server could take more of the request's body than the client has sent. */
  readonly awaitsBody: boolean
  /** When the last response on its connection ended, 0 before the first: its server may have closed it since. */
  readonly usedAt: number
  /** The connection was closed before anything of the request was sent. */
  readonly isUnsent: boolean
  /** The connection, if the exchange has it to itself: one that may carry a login (NTLM). Else null. */
  readonly own: ServerConnection | null

  /**
   * Sends the request, with the client's Host or the server's own. `looksFirst`: check first whether the server has closed the
   * connection, which may be unread in the socket.
   */
  send(
    exchange: Exchange,
    passHost: boolean,
    sink: ResponseSink,
    timeouts: Timeouts,
    looksFirst: boolean,
  ): void
  /** Gives up the request: the client has left, or another server is tried. Nothing more is reported to the sink. */
  abandon(): void
  /** The client's end of the tunnel is ready. */
  tunnelTo(peer: TunnelEnd): void
}
