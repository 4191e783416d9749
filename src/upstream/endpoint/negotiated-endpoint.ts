/**
 * A server that chooses between HTTP/2 and HTTP/1.1 in the TLS handshake (`protocol: auto`). What HTTP/2 cannot carry goes by HTTP/1.1:
 * logins of connections (NTLM), upgrades, WebSockets if the server has not announced them.
 */
import { clock } from '../../http/connection/clock.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Timeouts } from '../../model/snapshot.ts'
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
    if (exchange.isPinned || exchange.head.upgrade !== '') {
      const connection = isWebSocket(exchange) ? this.connectionsFor(exchange).forWebSocket() : null
      return connection === null
        ? this.takeOwn(fresh, timeouts)
        : new ServerStream(connection, timeouts)
    }
    const isHttp1 = clock.now < this.#http1Until || (this.idle.length > 0 && !fresh)
    return isHttp1 ? this.takeOwn(fresh, timeouts) : super.acquire(exchange, fresh, timeouts)
  }

  override otherChosen(dialed: Dialed, dial: ServerDial): void {
    this.#http1Until = clock.now + ASK_AGAIN_MS
    this.speaks('http/1.1')
    const [first, ...others] = dial.waiting.splice(0)
    const connection = ServerConnection.open(this, dial.timeouts, null, dialed)
    if (first === undefined) return connection.abandon()
    this.#begin(first, () => connection)
    connection.adopted()
    for (const waiting of others) this.#begin(waiting, () => this.takeOwn(false, waiting.timeouts))
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
