/** Connections to servers that close with the connection of their client. */
import type { ConnectedPeer, PinnedConnection } from '../../http/exchange.ts'

/** Per client over all pools: without a limit a client could hold a connection to each backend by never finishing its login. */
const MAX_PER_CLIENT = 8

/** To be called at each use: above the limit, the idle connections that were not used for longest are closed. */
export function closeWith(client: ConnectedPeer, connection: PinnedConnection): void {
  client.pinned ??= new Set()
  const { pinned: kept } = client
  // In order of use, the latest last.
  kept.delete(connection)
  kept.add(connection)
  for (const first of kept) {
    if (kept.size <= MAX_PER_CLIENT) break
    if (first === connection || !first.isIdle) continue
    kept.delete(first)
    first.abandon()
  }
}
