/**
 * Where a socket's reads go. Heads, and bodies that fit beside them, are read into one small buffer that all sockets of
 * the thread share: who is handed data in it must be done with it before returning. Once a long body streams, its
 * socket reads into a large buffer of its own, taken from a few that are kept; it is read into again as soon as nobody
 * holds it.
 *
 * Node by itself allocates 64 KiB for each read. Measured on one core, 32 connections: 28.5 against 30.1 us of CPU a
 * request on the client's side alone (bench scenario `small`). A reader gets the buffer and a length, not a view of that length:
 * most of them need none, and each costs 0.1 us.
 */
import type { Socket } from 'node:net'

/** Data below this size is joined with the text around it into one write, and only lent by who read it. */
export const JOIN_BYTES: number = 16 * 1024
/** Below JOIN_BYTES, so that whatever is read into it counts as lent; with a head before it, it still is one small write. */
const LENT_BYTES = 15 * 1024
const OWN_BYTES = 128 * 1024
const KEPT = 16

const lent = Buffer.allocUnsafeSlow(LENT_BYTES)
const kept: Buffer[] = []
/** A socket keeps the buffer that it has when it is given none, which is the cheapest. */
const UNCHANGED = undefined as unknown as Buffer

export interface Reader {
  /** What was read are the first `length` bytes of the buffer. */
  received(buffer: Buffer, length: number): void
  /** What that threw. */
  caught(error: unknown): void
  /** A long body is on its way. */
  readonly streams: boolean
}

/** A socket's `onread` option. */
export class SocketReads {
  reader: Reader | null = null
  #own: Buffer | null = null
  /** What the socket reads into. */
  #current: Buffer = lent
  #hasBuffer = false

  /** Asked by the socket when it is made and after every read. */
  readonly buffer = (): Buffer => {
    const next = this.reader?.streams === true ? this.#takeOwn() : this.#takeLent()
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

  /** A further socket is made to read by these, and has no buffer yet. */
  shareWithNext(): void {
    this.#hasBuffer = false
  }

  /** Somebody holds what was read last: the next read goes elsewhere. */
  leaveBuffer(): void {
    this.#own = null
  }

  #takeOwn(): Buffer {
    this.#own ??= kept.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES)
    return this.#own
  }

  #takeLent(): Buffer {
    if (this.#own !== null && kept.length < KEPT) kept.push(this.#own)
    this.#own = null
    return lent
  }
}

/** What was read, for those that need a buffer of its length. */
export function viewOf(buffer: Buffer, length: number): Buffer {
  return length === buffer.length ? buffer : buffer.subarray(0, length)
}

/** The data itself, or a copy if it is only lent. */
export function owned(data: Buffer): Buffer {
  return data.buffer === lent.buffer ? Buffer.from(data) : data
}

/**
 * An accepted socket, made anew around its handle so that it reads by `reads`: Node takes that option for sockets it
 * makes, not for those it accepts. Null where this Node hides the handle; the socket then has to be read as usual.
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
