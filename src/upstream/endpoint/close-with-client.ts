/** Connections to servers that close with the connection of their client. */
import type { ClientSide, PinnedConnection } from '../../http/exchange.ts'

/** Per client over all pools: without a limit a client could hold a connection to each backend by never finishing its login. */
const MAX_PER_CLIENT = 8

/** To be called at each use: above the limit, the connection that was not used for longest is closed. */
export function closeWith(client: ClientSide, connection: PinnedConnection): void {
  client.pinned ??= new Set()
  const { pinned: kept } = client
  // In order of use, the latest last.
  kept.delete(connection)
  kept.add(connection)
  for (const first of kept) {
    if (kept.size <= MAX_PER_CLIENT) break
    kept.delete(first)
    first.abandon()
  }
}
