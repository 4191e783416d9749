/**
 * Room for new connections of the admin: the one that has waited longest without a request is closed for a new one. So connections that are
 * only held, in a handshake or with half a request, do not keep a probe of /healthz out.
 */
import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Held {
  readonly socket: Socket
  /** Requests whose heads are complete, and whose answers are not. */
  requests: number
}

/** New connections may be more than there is room for until they had the time to send a request: many can come at once. */
const YOUNG_MS = 100
const MOST_YOUNG = 8

/**
 * At most `most` connections, and MOST_YOUNG times as many for YOUNG_MS; a new one is refused only if `most` have requests under way.
 * `server`: of node:http or node:https.
 */
export function keepRoom(server: Pick<EventEmitter, 'on'>, most: number): void {
  /** Those that have waited longest are first. */
  const held = new Map<string | Socket, Held>()
  /** Those with requests. */
  let busy = 0
  let timer: NodeJS.Timeout | null = null

  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket)
    if (busy >= most || (held.size >= most * MOST_YOUNG && !closeOldest())) {
      socket.destroy()
      return
    }
    const one = { socket, requests: 0 }
    held.set(key, one)
    socket.once('close', () => {
      if (held.get(key) !== one) return
      held.delete(key)
      if (one.requests > 0) busy--
    })
    // What has come meanwhile is read before, also if the thread was late.
    if (held.size > most) timer ??= setTimeout(() => setImmediate(closeSurplus), YOUNG_MS).unref()
  })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const key = keyOf(request.socket)
    const one = held.get(key)
    if (one === undefined) return
    if (one.requests++ === 0) busy++
    response.once('close', () => {
      one.requests--
      if (held.get(key) !== one) return
      if (one.requests === 0) busy--
      held.delete(key)
      held.set(key, one)
    })
  })

  function closeSurplus(): void {
    timer = null
    while (held.size > most && closeOldest());
  }

  function closeOldest(): boolean {
    for (const [key, { socket, requests }] of held) {
      if (requests > 0) continue
      held.delete(key)
      socket.destroy()
      return true
    }
    return false
  }
}

/** The same for a TLS socket and the one below it. A client of a unix socket has no port, and no TLS. */
function keyOf(socket: Socket): string | Socket {
  const { remoteAddress, remotePort } = socket
  return remotePort === undefined ? socket : `${remoteAddress} ${remotePort}`
}
