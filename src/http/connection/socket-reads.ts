/**
 * The read buffers of sockets. Heads and small bodies are read into one small buffer that all sockets of the thread share: a
 * reader must be done with its data before it returns. While a long body streams, its socket reads into a large buffer of its
 * own, taken from a small free list, and reuses it as soon as it is no longer in use. If the body's taker copies all that it gets
 * (HTTP/2), sockets share one large buffer, too: 128 responses at a time had more buffers than the free list, and what was allocated
 * for them caused a fifth of the CPU time in garbage collection.
 *
 * Node by itself allocates 64 KiB for each read. Measured on one core with 32 connections: 28.5 against 30.1 us of CPU per
 * request on the client's side alone (bench scenario `small`). A reader gets the buffer and a length instead of a view, because
 * most readers need no view, and each costs 0.1 us.
 */
import type { Socket } from 'node:net'

/** Smaller data is joined with the text around it into one write, and is only lent to the reader. */
export const JOIN_BYTES: number = 16 * 1024
/** Below JOIN_BYTES, so that all data read into it counts as lent, and with a head before it still is one small write. */
export const LENT_BYTES: number = 15 * 1024
export const LARGE_BYTES: number = 128 * 1024
const MAX_FREE = 64

export const LENT: Buffer = Buffer.allocUnsafeSlow(LENT_BYTES)
const LENT_LARGE: Buffer = Buffer.allocUnsafeSlow(LARGE_BYTES)
const FREE: Buffer[] = []
/** A socket keeps its buffer if it gets none, which is cheapest. */
const UNCHANGED = undefined as unknown as Buffer

export interface Reader {
  /** The data is the first `length` bytes of the buffer. */
  received(buffer: Buffer, length: number): void
  /** An exception of `received`. */
  caught(error: unknown): void
  /** A long body is streaming. */
  readonly streams: boolean
  /** Of the long body, `received` leaves nothing in the buffer that is still in use. */
  readonly isCopied?: boolean
}

/** A socket's `onread` option. */
export class SocketReads {
  reader: Reader | null = null
  #own: Buffer | null = null
  /** The buffer of the socket. */
  #current: Buffer = LENT
  #hasBuffer = false

  /** Called by the socket when it is created and after every read. */
  readonly buffer = (): Buffer => {
    const next = this.reader?.streams === true ? this.#takeLarge(this.reader) : this.#takeLent(LENT)
    if (next === this.#current && this.#hasBuffer) return UNCHANGED
    this.#current = next
    this.#hasBuffer = true
    return next
  }

  readonly callback = (length: number): boolean => {
    try {
      this.reader?.received(this.#current, length)
    } catch (error) {
      this.reader?.caught(error)
    }
    return true
  }

  /** Another socket is created with these reads, and has no buffer yet. */
  shareWithNext(): void {
    this.#hasBuffer = false
  }

  /** The last data is still in use: the next read needs another buffer. */
  leaveBuffer(): void {
    this.#own = null
  }

  #takeLarge(reader: Reader): Buffer {
    if (reader.isCopied === true) return this.#takeLent(LENT_LARGE)
    this.#own ??= takeLarge()
    return this.#own
  }

  #takeLent(lent: Buffer): Buffer {
    if (this.#own !== null) giveLargeBack(this.#own)
    this.#own = null
    return lent
  }
}

export function takeLarge(): Buffer {
  return FREE.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES)
}

export function giveLargeBack(buffer: Buffer): void {
  if (FREE.length < MAX_FREE) FREE.push(buffer)
}

/** A view of the data. */
export function viewOf(buffer: Buffer, length: number): Buffer {
  return length === buffer.length ? buffer : buffer.subarray(0, length)
}

/** The data, or a copy if it is only lent. */
export function owned(data: Buffer): Buffer {
  const { buffer } = data
  return buffer === LENT.buffer || buffer === LENT_LARGE.buffer ? Buffer.from(data) : data
}

/**
 * Recreates an accepted socket around its handle with the `onread` option, which Node supports for outgoing sockets only. Null if
 * this Node hides the handle; the socket must then be read as usual.
 */
export function rereadAccepted(
  accepted: Socket,
  reads: SocketReads,
  make: (options: object) => Socket,
): Socket | null {
  if (!('_handle' in accepted) || accepted._handle === null) return null
  const handle = accepted._handle
  accepted._handle = null
  return make({ handle, onread: reads, allowHalfOpen: true, readable: true, writable: true })
}
