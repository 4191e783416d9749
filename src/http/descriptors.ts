/**
 * How near the limit of open files is. The kernel gives the lowest number that is free, so the number of a new descriptor tells
 * that all below it are in use, by whichever thread. What is kept free lets a client be told why it is turned away: at the limit
 * itself libuv accepts and closes by itself, and Node hears nothing of it.
 */
import { readFileSync } from 'node:fs'
import type { Server, Socket } from 'node:net'

/** Infinity where it cannot be read. */
const LIMIT = readLimit()
const KEPT_SHARE = 1 / 16

/** Not for clients: servers may have all but the last few of them. */
export const KEPT_FOR_SERVERS: number = Math.min(64, Math.max(8, Math.floor(LIMIT * KEPT_SHARE)))
/** For accepting a client and telling it so. */
export const KEPT_FOR_ACCEPTING = 4
/** However many listeners are declared, those that listen can take connections. */
export const KEPT_FOR_CONNECTIONS: number = Math.floor(LIMIT / 4)

/** Its descriptor is one of the last so many. */
export function isAmongLast(socket: Socket | Server, kept: number): boolean {
  if (LIMIT === Infinity || !('_handle' in socket)) return false
  const handle = socket._handle
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return false
  return typeof handle.fd === 'number' && handle.fd >= LIMIT - kept
}

function readLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}
