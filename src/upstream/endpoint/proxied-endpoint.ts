/**
 * A server whose connections begin with a PROXY header: each serves one client, and closes with the client's connection. Idle
 * ones are kept for that client alone, within the limits of other idle connections.
 */
import type { ConnectedPeer, Exchange } from '../../http/exchange.ts'
import { writeProxyHeader } from '../../http/proxy-protocol/write-header.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { closeWith } from './close-with-client.ts'
import { Endpoint } from './endpoint.ts'
import { ServerConnection } from './server-connection.ts'

export class ProxiedEndpoint extends Endpoint {
  protected override takeOwn(
    { client }: Exchange,
    fresh: boolean,
    timeouts: Timeouts,
  ): ServerConnection {
    const { clientPeer: peer } = client
    const connection = (fresh ? null : this.#takeIdle(peer)) ?? this.#open(peer, timeouts)
    closeWith(peer, connection)
    return connection
  }

  #takeIdle(peer: ConnectedPeer): ServerConnection | null {
    const index = this.idle.findLastIndex((connection) => connection.client === peer)
    return index < 0 ? null : (this.idle.splice(index, 1)[0] ?? null)
  }

  #open(peer: ConnectedPeer, timeouts: Timeouts): ServerConnection {
    const header = writeProxyHeader(this.proxyProtocol ?? 2, peer.addresses)
    const connection = ServerConnection.open(this, timeouts, header)
    connection.client = peer
    return connection
  }
}
