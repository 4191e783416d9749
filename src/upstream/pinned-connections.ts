/**
 * Connections to the servers of a pool that belong to one client each, as they carry its login (NTLM, Negotiate): that
 * client's requests go over its own, no other client's do, and it ends with the client's connection. When the server ends it
 * first, the client's next request goes over another one, and is asked to log in again.
 */
import type { ClientSide, Exchange } from '../http/exchange.ts'
import type { Endpoint } from './endpoint/endpoint.ts'
import { isUnavailable } from './balancing/eligibility.ts'
import type { ServerConnection } from './endpoint/server-connection.ts'

/** Of one client over all pools: a client that never logs in could hold a connection to a server of every backend. */
const MOST = 8

export class PinnedConnections {
  readonly #of = new WeakMap<ClientSide, ServerConnection>()

  pin(client: ClientSide, connection: ServerConnection): void {
    client.pinned ??= new Set()
    const { pinned: kept } = client
    // The one that was used last stands last.
    kept.delete(connection)
    kept.add(connection)
    if (connection.owner === client) return
    connection.owner = client
    connection.endpoint.pinned(connection)
    for (const first of kept) {
      if (kept.size <= MOST) break
      kept.delete(first)
      first.abandon()
    }
    // It has logged in elsewhere: of one pool a client needs one.
    this.#of.get(client)?.abandon()
    this.#of.set(client, connection)
  }

  /** The client's own connection, if a request may go over it now. */
  find({ client }: Exchange): ServerConnection | null {
    const connection = client.pinned !== null ? this.#of.get(client) : undefined
    return connection?.isIdle === true ? connection : null
  }

  /** The server that the client has logged in to, if it may be used. */
  pick(exchange: Exchange, tried: readonly Endpoint[]): Endpoint | null {
    const endpoint = this.find(exchange)?.endpoint
    if (endpoint === undefined || tried.includes(endpoint)) return null
    return endpoint.drain || endpoint.isRetired || isUnavailable(endpoint) ? null : endpoint
  }
}
