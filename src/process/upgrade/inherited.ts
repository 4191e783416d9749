/** The listening sockets that the program begins with, of its predecessor or of systemd. */
import { closeSync } from 'node:fs'
import type { AdminSettings } from '../../model/settings.ts'
import { describeSocket, isFor, type ListeningSocket } from '../../model/listening-socket.ts'
import type { Listener } from '../../model/snapshot.ts'

/** What a socket of the admin is for. Ids of listeners have no blank. */
export const ADMIN_ADDRESS = 'the admin'
export const ADMIN_SOCKET = 'the admin socket'

export interface Inherited {
  /** Descriptors of the admin; null: it opens its own. */
  readonly admin: { readonly address: number | null; readonly socket: number | null }
  /** For the serving threads. */
  readonly serving: readonly ListeningSocket[]
}

/** Those of an admin that has moved since are closed. */
export function sortSockets(
  sockets: readonly ListeningSocket[],
  { address, socket: path }: Pick<AdminSettings, 'address' | 'socket'>,
): Inherited {
  let ofAddress: number | null = null
  let ofSocket: number | null = null
  const serving: ListeningSocket[] = []
  for (const socket of sockets) {
    const isAdmin = socket.listener === ADMIN_ADDRESS || socket.listener === ADMIN_SOCKET
    if (ofAddress === null && isFor(socket, { id: ADMIN_ADDRESS, address })) ofAddress = socket.fd
    else if (ofSocket === null && path !== null && socket.at === path) ofSocket = socket.fd
    else if (isAdmin) closeSync(socket.fd)
    else serving.push(socket)
  }
  return { admin: { address: ofAddress, socket: ofSocket }, serving }
}

/** Those that no listener is for, in words. */
export function unusedSockets(
  sockets: readonly ListeningSocket[],
  listeners: readonly Listener[],
): string[] {
  return sockets
    .filter((socket) => !listeners.some((listener) => isFor(socket, listener)))
    .map((socket) => {
      const name = socket.listener === null ? '' : ` (${socket.listener})`
      return `${describeSocket(socket)}${name}`
    })
}
