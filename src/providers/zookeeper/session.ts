/** A connection to the first server of an ensemble that serves this client, with a watch on everything below the prefix. */
import type { Turns } from '../registry/turns.ts'
import {
  openConnection,
  type ConnectionListener,
  type ZookeeperConnection,
  type ZookeeperOptions,
} from './client/connection.ts'
import { isReply, ZookeeperLost } from './client/failure.ts'
import { ERROR } from './client/protocol.ts'
import { sync, watchTree } from './client/requests.ts'

export interface WatchedSession {
  readonly connection: ZookeeperConnection
  /** The server is older than 3.6: each watch reports one change of one znode. */
  readonly isSingle: boolean
}

export function openWatchedSession(
  turns: Turns,
  options: ZookeeperOptions,
  root: string,
  listener: ConnectionListener,
  signal: AbortSignal,
): Promise<WatchedSession> {
  return turns.first(async (endpoint) => {
    let isWatched = false
    let isReady = false
    const open = (): Promise<ZookeeperConnection> =>
      openConnection(endpoint, options, { ...listener, onEnd }, signal)
    // Before that the server may not have the watch, or another server is tried. Calls are rejected in any case.
    function onEnd(error: Error): void {
      if (isReady) listener.onEnd(error)
    }
    const connection = await open()
    try {
      await connection.call(watchTree(root))
      isWatched = true
      await connection.call(sync(root))
      isReady = true
      return { connection, isSingle: false }
    } catch (error) {
      connection.close()
      if (isWatched || !isUnsupported(error)) throw error
    }
    const plain = await open()
    try {
      await plain.call(sync(root))
      isReady = true
      return { connection: plain, isSingle: true }
    } catch (error) {
      plain.close()
      throw error
    }
  }, signal)
}

/** Servers before 3.6 respond so, and then close the connection. */
function isUnsupported(error: unknown): boolean {
  if (isReply(error, ERROR.unimplemented)) return true
  return error instanceof ZookeeperLost && error.isClosed
}
