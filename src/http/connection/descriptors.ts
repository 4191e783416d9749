/**
 * How near the limit of open files is. The kernel assigns the lowest free number, so all descriptors below that of a new one are in
 * use, by any thread. A reserve allows an error response to clients that cannot be served: at the limit itself libuv accepts and
 * closes connections, and Node does not learn of it.
 */
import { readFileSync } from 'node:fs'
import type { Server, Socket } from 'node:net'

/** Infinity if it cannot be read. */
const LIMIT = readLimit()
const KEPT_SHARE = 1 / 16

/** Reserved: not for client connections. Connections to servers may use all but the last few of them. */
export const KEPT_FOR_SERVERS: number = Math.min(64, Math.max(16, Math.floor(LIMIT * KEPT_SHARE)))
/** For accepting a client and sending it an error response. */
export const KEPT_FOR_ACCEPTING = 4
/** Reserved for connections: listening sockets must leave them free, however many listeners are declared. */
export const KEPT_FOR_CONNECTIONS: number = Math.floor(LIMIT / 4)

/** Whether the socket's descriptor is among the last ones below the limit. */
export function isAmongLast(socket: Socket | Server, kept: number): boolean {
  return LIMIT !== Infinity && fdIsAmongLast(descriptorOf(socket), kept)
}

/** -1: it has none, or it is not known. */
export function descriptorOf(socket: object): number {
  const handle: unknown = '_handle' in socket ? socket._handle : null
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return -1
  return typeof handle.fd === 'number' ? handle.fd : -1
}

/** Of a descriptor; -1 is none. */
export function fdIsAmongLast(fd: number, kept: number): boolean {
  return fd >= LIMIT - kept
}

function readLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}
