/**
 * Two sockets that lead to each other, without a network: what one writes reaches the other when the test says so. So the order of
 * all that happens is the test's, and the same each time.
 */
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { SocketOwner } from '../../../src/http/connection/socket-events.ts'

export interface SocketPair {
  readonly near: MemorySocket
  readonly far: MemorySocket
  /** Nothing passes in either direction, not even an end: the peer is gone silently. */
  isFrozen: boolean
  /** Passes on what was written. True if there was something. */
  pump(): boolean
  /** Neither side is closed. */
  isOpen(): boolean
}

export class MemorySocket extends EventEmitter {
  readonly connecting = false
  destroyed = false
  bytesWritten = 0
  writableLength = 0
  writableEnded = false
  /** Listens by `owner` (socket-events.ts) instead of `data`. */
  owner?: SocketOwner
  readonly #sent: Buffer[] = []
  #isPaused = false
  #passedEnd = false
  #wantsDrain = false
  #isClosed = false

  get asSocket(): Socket {
    return this as unknown as Socket
  }

  get writable(): boolean {
    return !this.writableEnded && !this.destroyed
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  write(bytes: Buffer, written?: () => void): boolean {
    if (!this.writable) return false
    this.#sent.push(Buffer.from(bytes))
    this.bytesWritten += bytes.length
    this.writableLength += bytes.length
    written?.()
    this.#wantsDrain = true
    return false
  }

  end(): void {
    this.writableEnded = true
  }

  destroy(): void {
    this.destroyed = true
    this.writableEnded = true
  }

  resetAndDestroy(): void {
    this.#sent.length = 0
    this.destroy()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
  }

  setNoDelay(): void {}

  // For the pair.

  /** Passes one step on; true if there was one. */
  passTo(other: MemorySocket): boolean {
    if (this.#isClosed || other.#isPaused) return false
    const bytes = this.#sent.shift()
    if (bytes !== undefined) {
      this.writableLength -= bytes.length
      if (!other.destroyed) other.#receive(bytes)
      if (this.writableLength === 0 && this.#wantsDrain && !this.destroyed) {
        this.#wantsDrain = false
        this.emit('drain')
      }
      return true
    }
    if (!this.writableEnded || this.#passedEnd) return false
    this.#passedEnd = true
    if (!other.destroyed) other.emit('end')
    return true
  }

  #receive(bytes: Buffer): void {
    const { owner } = this
    if (owner === undefined) {
      this.emit('data', bytes)
      return
    }
    try {
      owner.received(bytes, bytes.length)
    } catch (error) {
      owner.caught(error)
    }
  }

  /** True if it closes. */
  closeIfDone(other: MemorySocket): boolean {
    const isDone = this.destroyed || (this.#passedEnd && other.#passedEnd)
    if (!isDone || this.#isClosed) return false
    this.#isClosed = true
    this.destroyed = true
    this.emit('close')
    return true
  }

  /** The other side is closed. */
  reset(): void {
    if (this.destroyed) return
    this.emit('error', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    this.destroy()
  }
}

export function createSocketPair(): SocketPair {
  const [near, far] = [new MemorySocket(), new MemorySocket()]
  const closeBoth = (): boolean => {
    const [one, two] = [near.closeIfDone(far), far.closeIfDone(near)]
    return one || two
  }
  return {
    near,
    far,
    isFrozen: false,
    isOpen: () => !near.isClosed && !far.isClosed,
    pump() {
      // What is closed here is closed, also if the peer goes on.
      if (this.isFrozen) return near.closeIfDone(far)
      const passed = [near.passTo(far), far.passTo(near)].includes(true)
      if (near.isClosed) far.reset()
      if (far.isClosed) near.reset()
      return closeBoth() || passed
    },
  }
}
