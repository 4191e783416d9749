/**
 * One end of a stream: a connection whose bytes are passed on as they are, to a client or to a server. A stream stops reading one
 * end while the other one has not taken what was written to it, so that it holds at most one buffer for each direction.
 */
import type { Socket } from 'node:net'
import type { Faultable } from './faults.ts'
import { resetSocket } from './reset.ts'

export interface StreamOwner extends Faultable {
  /** The end has read the first `length` bytes of the buffer, which are lent until this returns, or until `write` is done. */
  received(end: StreamEnd, buffer: Buffer, length: number): void
  /** The end's peer sends no more. */
  finished(end: StreamEnd): void
  /** What was written to the end has left this process. */
  drained(end: StreamEnd): void
  /** Its connection is closed: in order after both sides have finished (null), or broken off. The last call. */
  closed(end: StreamEnd, error: Error | null): void
}

export interface StreamEnd {
  owner: StreamOwner | null
  /** It has not taken all that was written to it. */
  readonly isWriting: boolean
  /** Begins to read, or continues. */
  resume(): void
  pause(): void
  /** False: the bytes are in use until `drained`, and no more may be written before that. */
  write(buffer: Buffer, length: number): boolean
  /** Sends FIN, after all that was written. */
  finish(): void
  /** Closes the connection immediately, with RST where the protocol has it. The owner gets no more calls. */
  reset(): void
}

interface OwnedSocket extends Socket {
  streamEnd?: SocketEnd
}

/** An end on a socket, as TLS needs it. The listeners are shared functions: an idle end holds few closures. */
export class SocketEnd implements StreamEnd {
  owner: StreamOwner | null = null
  readonly #socket: OwnedSocket
  #error: Error | null = null
  isWriting = false
  readonly #written = (): void => {
    if (!this.isWriting) return
    this.isWriting = false
    callOwner(this, (owner) => owner.drained(this))
  }

  /** The socket is paused, connected and allows half-open connections. */
  constructor(socket: Socket) {
    this.#socket = socket
    this.#socket.streamEnd = this
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('error', onError)
    socket.on('close', onClose)
  }

  resume(): void {
    this.#socket.resume()
  }

  pause(): void {
    this.#socket.pause()
  }

  write(buffer: Buffer, length: number): boolean {
    const socket = this.#socket
    if (!socket.writable) return true
    socket.write(length === buffer.length ? buffer : buffer.subarray(0, length), this.#written)
    this.isWriting = socket.writableLength > 0
    return !this.isWriting
  }

  finish(): void {
    this.#socket.end()
  }

  reset(): void {
    this.owner = null
    const socket = this.#socket
    resetSocket(socket)
  }

  broke(error: Error): void {
    this.#error = error
  }

  closed(): void {
    const { readableEnded, writableFinished } = this.#socket
    const isOrderly = this.#error === null && readableEnded && writableFinished
    const error = isOrderly ? null : (this.#error ?? new Error('the connection was closed'))
    callOwner(this, (owner) => owner.closed(this, error))
    this.owner = null
  }
}

/** For callbacks of the socket or its handle: what throws ends the stream. */
export function callOwner(
  { owner }: { readonly owner: StreamOwner | null },
  step: (owner: StreamOwner) => void,
): void {
  if (owner === null) return
  try {
    step(owner)
  } catch (error) {
    owner.fault(error)
  }
}

function onData(this: OwnedSocket, data: Buffer): void {
  const end = this.streamEnd
  if (end !== undefined) callOwner(end, (owner) => owner.received(end, data, data.length))
}

function onEnd(this: OwnedSocket): void {
  const end = this.streamEnd
  if (end !== undefined) callOwner(end, (owner) => owner.finished(end))
}

function onError(this: OwnedSocket, error: Error): void {
  this.streamEnd?.broke(error)
}

function onClose(this: OwnedSocket): void {
  this.streamEnd?.closed()
}
