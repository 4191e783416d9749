/** Ends a connection at once, so that its peer sees a reset and no orderly end. */
import type { Socket } from 'node:net'

export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return
  // libuv refuses a reset while the socket is being shut down, and Node then never closes it.
  const isEnding = socket.writableEnded && socket.writableLength === 0
  if ('encrypted' in socket || isEnding || isUnix(socket)) socket.destroy()
  else socket.resetAndDestroy()
}

/** A unix socket has no reset: Node throws. */
function isUnix(socket: Socket): boolean {
  const handle: unknown = '_handle' in socket ? socket._handle : null
  return typeof handle === 'object' && handle !== null && !('reset' in handle)
}
