/**
 * The socket of a link, and its end.
 *
 * After `finish` it sends FIN and reads on for a moment, dropping what comes, because a reset could discard what the peer has not
 * read yet, its GOAWAY above all.
 */
import type { Socket } from 'node:net'
import { clock } from '../http/connection/clock.ts'
import type { Deadlines, Expiring } from '../http/connection/deadlines.ts'
import { LENT_BYTES, type Reader, type SocketReads } from '../http/connection/socket-reads.ts'
import { listenTo, type SocketOwner } from '../http/connection/socket-events.ts'
import { LinkOutput } from './output.ts'

const LINGER_MS = 2_000
const LINGER_BYTES = 256 * 1024
/** A read below this is the end of a burst. */
const SMALL_BYTES = 4 * 1024

const OPEN = 0
const LINGERING = 1
const CLOSED = 2

export abstract class LinkSocket implements Expiring, Reader, SocketOwner {
  readonly socket: Socket
  deadlineAt: number = Infinity
  deadlineIndex = -1
  /** Much is being read: with a large buffer. */
  streams = false
  readonly output: LinkOutput
  protected readonly reads: SocketReads | null
  readonly deadlines: Deadlines
  #state = OPEN
  #lingered = 0
  /** Why it ends. */
  #error: Error | null = null
  #ownDeadlineAt = Infinity
  #isLost = false

  constructor(socket: Socket, reads: SocketReads | null, deadlines: Deadlines) {
    this.socket = socket
    this.reads = reads
    this.deadlines = deadlines
    this.output = new LinkOutput(this)
    listenTo(socket, this, reads === null)
    if (reads !== null) reads.reader = this
    deadlines.add(this)
  }

  /** A deadline of the subclass: `timedOut` is called after it. Infinity for none. */
  get ownDeadlineAt(): number {
    return this.#ownDeadlineAt
  }

  set ownDeadlineAt(at: number) {
    this.#ownDeadlineAt = at
    this.expireBy(at)
  }

  /** `expire` is called then, or earlier. */
  protected expireBy(at: number): void {
    if (at < this.deadlineAt) this.deadlineAt = at
  }

  /** It reads and writes frames. */
  protected get isOpen(): boolean {
    return this.#state === OPEN
  }

  /** Above the high-water mark of unsent bytes. */
  get blocked(): boolean {
    return this.output.isBlocked
  }

  received(buffer: Buffer, length: number): void {
    if (this.#state === OPEN) {
      this.streams =
        length >= LENT_BYTES || (this.streams && (length >= SMALL_BYTES || this.isWithinData))
      this.readFrames(buffer, length)
    } else if ((this.#lingered += length) > LINGER_BYTES) this.socket.destroy()
  }

  /** An exception in a listener of its socket. */
  caught(error: unknown): void {
    this.deadlines.fault(this, error)
  }

  /** Sends what was written, then FIN, and waits a moment for the peer's. Streams that are open are lost, for this reason. */
  finish(error: Error | null = null): void {
    if (this.#state !== OPEN) return
    this.#state = LINGERING
    this.#error ??= error
    this.streams = false
    this.output.flush()
    this.socket.end()
    this.socket.resume()
    this.deadlineAt = clock.now + LINGER_MS
    this.#lose()
  }

  /** Closes the connection immediately; open streams get `linkLost`. */
  destroy(error: Error | null): void {
    if (this.#state === CLOSED) return
    this.#state = CLOSED
    this.#error ??= error
    this.#lose()
    this.socket.destroy()
  }

  /** Once, when no frame is read or written any more. */
  #lose(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.loseStreams(this.#error)
  }

  expire(now: number): void {
    this.deadlineAt = Infinity
    if (this.#state !== OPEN) {
      this.socket.destroy()
      return
    }
    if (this.#ownDeadlineAt <= now) {
      this.#ownDeadlineAt = Infinity
      this.timedOut(now)
    } else this.expireBy(this.#ownDeadlineAt)
    if (this.isOpen) this.checkDeadlines(now)
  }

  // The events of the socket.

  dispatchEnd(): void {
    if (this.#state === OPEN) this.finish(new Error('the peer has closed the connection'))
    else this.socket.destroy()
  }

  dispatchDrain(): void {
    if (this.#state !== OPEN) return
    this.output.isBlocked = false
    this.unblocked()
  }

  dispatchError(error: Error): void {
    this.#error ??= error
  }

  dispatchClose(): void {
    this.deadlines.remove(this)
    this.#state = CLOSED
    this.#error ??= this.#isLost ? null : new Error('the connection was closed')
    this.#lose()
    this.lost(this.#error)
  }

  protected abstract readFrames(buffer: Buffer, length: number): void
  /** As of the last read: TLS passes a record on in two reads, of which the second is small. */
  protected abstract get isWithinData(): boolean
  /** The socket holds more than it should. */
  abstract overfull(): void
  /** It can take more again. */
  protected abstract unblocked(): void
  protected abstract loseStreams(error: Error | null): void
  /** Those of the protocol; calls `expireBy` for what is not due yet. */
  protected abstract checkDeadlines(now: number): void
  /** `ownDeadlineAt` has passed; it is Infinity again. */
  protected abstract timedOut(now: number): void
  /** The connection is closed; the last hook. Streams have had `linkLost`. `error`: null after an orderly end. */
  protected abstract lost(error: Error | null): void
  /** An exception in the link itself, or in its own hooks. */
  abstract fault(error: unknown): void
}
