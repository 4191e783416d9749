/**
 * Reads of TLS sockets into the buffers of socket-reads.ts. Node has its `onread` option for plain sockets only; a TLS socket gets
 * the same three properties and the same call of its handle afterwards. Otherwise each read allocates memory, and passes
 * through a stream and an event: 1 to 2 us of CPU per request with HTTP/2 and one request per connection at a time.
 */
import type { Socket } from 'node:net'
import { SocketReads } from './socket-reads.ts'

/** What this Node calls them. */
interface Keys {
  readonly buffer: symbol
  readonly callback: symbol
  readonly next: symbol
}

/** The reads of a connected TLS socket; null if this Node has other keys: the socket must then be read as usual. */
export function readsOfTls(socket: Socket): SocketReads | null {
  const handle: unknown = '_handle' in socket ? socket._handle : null
  if (!readsIntoBuffers(handle)) return null
  const keys = keysOf(socket)
  if (keys === null) return null
  const reads = new SocketReads()
  const buffer = reads.buffer()
  const own = socket as unknown as Record<symbol, unknown>
  own[keys.buffer] = buffer
  own[keys.callback] = reads.callback
  own[keys.next] = reads.buffer
  handle.useUserBuffer(buffer)
  return reads
}

function readsIntoBuffers(handle: unknown): handle is { useUserBuffer(buffer: Buffer): void } {
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return false
  return typeof handle.useUserBuffer === 'function'
}

let known: Keys | null = null

/** Sockets have all of them from the beginning, with the value null. */
function keysOf(socket: Socket): Keys | null {
  known ??= findKeys(socket)
  if (known === null) return null
  const own = socket as unknown as Record<symbol, unknown>
  const isUnused = [known.buffer, known.callback, known.next].every((key) => own[key] === null)
  return isUnused ? known : null
}

function findKeys(socket: Socket): Keys | null {
  const symbols = new Map(
    Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]),
  )
  const buffer = symbols.get('kBuffer')
  const callback = symbols.get('kBufferCb')
  const next = symbols.get('kBufferGen')
  return buffer && callback && next ? { buffer, callback, next } : null
}
