/**
 * A server that chooses between HTTP/2 and HTTP/1.1 in the TLS handshake (`protocol: auto`). What HTTP/2 cannot carry goes by HTTP/1.1:
 * logins of connections (NTLM), upgrades, WebSockets if the server has not announced them.
 */
import { clock } from '../../http/connection/clock.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { http2Required } from './connection-errors.ts'
import { Http2Endpoint } from './http2-endpoint.ts'
import { isWebSocket } from './http2-request.ts'
import { ServerStream } from './http2-stream.ts'
import { ServerConnection } from './server-connection.ts'
import type { Dialed, ServerDial } from './server-dial.ts'
import type { ServerExchange } from './server-exchange.ts'
import type { WaitingExchange } from './waiting-exchange.ts'

/** After so long a new connection leaves the choice to the server again. */
const ASK_AGAIN_MS = 5 * 60_000

export class NegotiatedEndpoint extends Http2Endpoint {
  #http1Until = 0

  override acquire(exchange: Exchange, fresh: boolean, timeouts: Timeouts): ServerExchange | null {
    if (this.isFull) return null
    // Each call asks the server again, because HTTP/1.1 is of no use to it.
    if (exchange.grpc !== null) return super.acquire(exchange, fresh, timeouts)
    if (exchange.isPinned || exchange.head.upgrade !== '') {
      const connection = isWebSocket(exchange) ? this.connectionsFor(exchange).forWebSocket() : null
      return connection === null
        ? this.takeOwn(exchange, fresh, timeouts)
        : new ServerStream(connection, timeouts)
    }
    const isHttp1 = clock.now < this.#http1Until || (this.idle.length > 0 && !fresh)
    return isHttp1
      ? this.takeOwn(exchange, fresh, timeouts)
      : super.acquire(exchange, fresh, timeouts)
  }

  override otherChosen(dialed: Dialed, dial: ServerDial): void {
    this.#http1Until = clock.now + ASK_AGAIN_MS
    this.speaks('http/1.1')
    const connection = this.#adopt(dialed, dial)
    const [first, ...others] = this.#takeWaiting(dial)
    if (first === undefined) return connection.abandon()
    this.#begin(first, () => connection)
    connection.adopted()
    for (const waiting of others)
      this.#begin(waiting, () => this.takeOwn(waiting.exchange, false, waiting.timeouts))
  }

  #adopt(dialed: Dialed, { timeouts }: ServerDial): ServerConnection {
    try {
      return ServerConnection.open(this, timeouts, null, dialed)
    } catch (error) {
      this.closed(null)
      throw error
    }
  }

  /** Those that HTTP/1.1 can carry; calls of gRPC fail. */
  #takeWaiting(dial: ServerDial): readonly WaitingExchange[] {
    const fit: WaitingExchange[] = []
    for (const waiting of dial.waiting.splice(0)) {
      if (waiting.exchange.grpc === null) fit.push(waiting)
      else waiting.fail(http2Required(this.url))
    }
    return fit
  }

  #begin(waiting: WaitingExchange, take: () => ServerConnection): void {
    try {
      waiting.begin(take())
    } catch (error) {
      waiting.fault(error)
    }
  }

  override fallsBack(): boolean {
    this.#http1Until = clock.now + ASK_AGAIN_MS
    return true
  }
}
