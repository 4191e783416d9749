/**
 * What client and server connections share: an HTTP/1.1 socket with its deadline, back-pressure, writes, and its end of a tunnel.
 * See `downstream/client-connection.ts` and `upstream/endpoint/server-connection.ts`.
 */
import type { Socket } from 'node:net'
import { clock } from './clock.ts'
import { closings } from './closings.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import { resetSocket } from './reset.ts'
import { JOIN_BYTES, type Reader, type SocketReads } from './socket-reads.ts'
import { disown, listenTo, type SocketOwner, stopListening } from './socket-events.ts'
import { type StraightWriter, writeSmall } from './straight-writes.ts'
import { type TextWriter, writeAtTurnEnd } from './turn-end.ts'
import type { TunnelEnd } from './tunnel.ts'

const KEEP_ALIVE_AFTER_MS = 60_000

export abstract class Http1Connection
  implements Expiring, Reader, SocketOwner, StraightWriter, TextWriter, TunnelEnd
{
  socket: Socket
  deadlineAt: number = Infinity
  deadlineIndex = -1
  isCopied = false
  /** The other end of the tunnel, once this is one. */
  protected peer: TunnelEnd | null = null
  protected readonly reads: SocketReads | null
  readonly #deadlines: Deadlines
  #tunnelIdleMs = Infinity
  /** What the socket gets at the end of the event loop's turn, see turn-end.ts; '' for nothing. */
  #text = ''
  /** The socket has got something since `beginWriting`. */
  protected hasWritten = false
  straightBytes = 0

  /** `reads`: the socket's `onread` option, null without it. */
  constructor(socket: Socket, reads: SocketReads | null, deadlines: Deadlines) {
    this.socket = socket
    this.reads = reads
    this.#deadlines = deadlines
    listenTo(socket, this, reads === null)
    deadlines.add(this)
    if (reads !== null) reads.reader = this
  }

  /** Replaces a socket that was never connected. */
  protected replaceSocket(socket: Socket): void {
    const before = this.socket
    disown(before)
    before.destroy()
    this.socket = socket
    listenTo(socket, this, this.reads === null)
  }

  /** Its socket is used otherwise from here on. */
  protected detach(): void {
    stopListening(this.socket)
    this.#deadlines.remove(this)
  }

  abstract get streams(): boolean
  abstract received(buffer: Buffer, length: number): void
  protected abstract peerEnded(): void
  protected abstract writable(): void
  protected abstract broken(error: Error | null): void
  abstract expire(now: number): void
  /** Ends it, and the exchange that it is in. */
  abstract fault(error: unknown): void

  /** An exception in a listener of its socket. */
  caught(error: unknown): void {
    this.#deadlines.fault(this, error)
  }

  protected once(event: 'connect' | 'secureConnect', step: () => void): void {
    this.socket.once(event, () => {
      try {
        step()
      } catch (fault) {
        this.caught(fault)
      }
    })
  }

  protected setDeadline(ms: number): void {
    this.deadlineAt = clock.now + ms
  }

  /** The socket may still read the last large chunk that was written. */
  get holdsData(): boolean {
    return this.socket.writableLength > 0
  }

  /** Above the high-water mark: the source must wait for `writable`. */
  get blocked(): boolean {
    const { socket } = this
    // Usually nothing is queued, and the length is the cheaper check.
    return socket.writableLength > 0 && socket.writableNeedDrain
  }

  /** Writes a small text at the end of the turn, together with what else is written in it. */
  writeText(text: string): void {
    if (this.#text === '') {
      this.#text = text
      writeAtTurnEnd(this)
    } else {
      this.#text += text
      if (this.#text.length >= JOIN_BYTES) this.flush()
    }
  }

  /** A message follows. The end of the one before may still wait here, if its response came in the same turn. */
  protected beginWriting(): void {
    this.flush()
    this.hasWritten = false
  }

  /** It has written what the socket has not got yet. */
  protected get holdsText(): boolean {
    return this.#text !== ''
  }

  flush(): void {
    const text = this.#text
    if (text === '') return
    this.#text = ''
    this.hasWritten = true
    if (this.socket.writable) writeSmall(this, text)
  }

  /**
   * Writes text and data in one system call: joined as one string if small, gathered if large. Small data is copied before this
   * returns; the socket keeps large data.
   */
  writeJoined(before: string, data: Buffer | string, after: string): void {
    if (typeof data === 'string') this.writeText(before + data + after)
    else if (data.length < JOIN_BYTES) this.writeText(before + data.toString('latin1') + after)
    else this.#writeLarge(before, data, after)
  }

  #writeLarge(before: string, data: Buffer, after: string): void {
    const { socket } = this
    const first = this.#text + before
    this.#text = ''
    this.hasWritten = true
    if (first === '' && after === '') {
      socket.write(data)
      return
    }
    socket.cork()
    if (first !== '') socket.write(first, 'latin1')
    socket.write(data)
    if (after !== '') socket.write(after, 'latin1')
    socket.uncork()
  }

  /** What the system has not taken yet. */
  get unwritten(): number {
    return this.socket.writableLength + this.straightBytes
  }

  /** Sends what was written, then FIN. */
  protected endSocket(): void {
    this.flush()
    this.socket.end()
  }

  /** Ends the connection, and drops what has not been given to the socket. */
  protected destroySocket(): void {
    this.#text = ''
    closings.close(this.socket)
  }

  /** Ends the connection immediately; the peer sees a reset, not an orderly end. */
  reset(): void {
    const { socket } = this
    if (socket.destroyed) return
    this.flush()
    resetSocket(socket)
  }

  // The tunnel. `peer` is the other end once there is one.

  protected joinTunnel(peer: TunnelEnd, idleMs: number): void {
    this.peer = peer
    this.#tunnelIdleMs = idleMs
    this.deadlineAt = Infinity
    // Only this detects a peer that is gone without closing the connection.
    this.socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS)
    this.#touchTunnel()
  }

  protected passThrough(data: Buffer): void {
    this.#touchTunnel()
    if (this.peer !== null && !this.peer.tunnelData(data)) this.socket.pause()
  }

  tunnelData(chunk: Buffer): boolean {
    this.#touchTunnel()
    if (!this.socket.writable) return true
    this.flush()
    this.socket.write(chunk)
    return !this.blocked
  }

  tunnelFinish(): void {
    this.endSocket()
  }

  tunnelResume(): void {
    this.socket.resume()
  }

  tunnelAbort(): void {
    this.reset()
  }

  #touchTunnel(): void {
    if (this.#tunnelIdleMs !== Infinity) this.setDeadline(this.#tunnelIdleMs)
  }

  /** The socket is closed; called once. */
  protected left(): void {
    this.#deadlines.remove(this)
  }

  // The events of the socket.

  dispatchEnd(): void {
    if (this.peer !== null) this.peer.tunnelFinish()
    else this.peerEnded()
  }

  dispatchDrain(): void {
    if (this.peer !== null) this.peer.tunnelResume()
    else this.writable()
  }

  dispatchError(error: Error): void {
    if (this.peer === null) this.broken(error)
  }

  dispatchClose(): void {
    this.left()
    const { peer } = this
    if (peer === null) {
      this.broken(null)
      return
    }
    // After an orderly end in both directions the peer ends orderly, too; else it is reset.
    if (this.socket.readableEnded && this.socket.writableFinished) peer.tunnelFinish()
    else peer.tunnelAbort()
    this.tunnelClosed()
  }

  protected abstract tunnelClosed(): void
}
