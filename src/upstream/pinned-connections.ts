/**
 * Connections to the servers of a pool that belong to one client each, because they carry its login (NTLM, Negotiate): only that
 * client's requests use it, and it closes with the client's connection. If the server closes it first, the client's next
 * request uses another one, and the client must log in again.
 */
import type { ConnectedPeer, Exchange } from '../http/exchange.ts'
import type { Endpoint } from './endpoint/endpoint.ts'
import { isUnavailable } from './balancing/eligibility.ts'
import { closeWith } from './endpoint/close-with-client.ts'
import type { ServerConnection } from './endpoint/server-connection.ts'

export class PinnedConnections {
  readonly #byClient = new WeakMap<ConnectedPeer, ServerConnection>()

  pin(client: ConnectedPeer, connection: ServerConnection): void {
    closeWith(client, connection)
    if (connection.owner === client) return
    connection.owner = client
    connection.endpoint.pinned(connection)
    // The client has logged in to another server: it needs one connection per pool.
    this.#byClient.get(client)?.abandon()
    this.#byClient.set(client, connection)
  }

  /** The client's pinned connection, if it is idle. */
  find({ client: { clientPeer: peer } }: Exchange): ServerConnection | null {
    const connection = peer.pinned !== null ? this.#byClient.get(peer) : undefined
    return connection?.isIdle === true ? connection : null
  }

  /** The server that the client has logged in to, if it is available. */
  pick(exchange: Exchange, tried: readonly Endpoint[]): Endpoint | null {
    const endpoint = this.find(exchange)?.endpoint
    if (endpoint === undefined || tried.includes(endpoint)) return null
    return endpoint.drain || endpoint.isRetired || isUnavailable(endpoint) ? null : endpoint
  }
}
