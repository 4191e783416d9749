/** The time limits of a link: for a preface, frames, SETTINGS and answers that do not come, and data that the peer does not take. */
import type { Socket } from 'node:net'
import { clock } from '../http/connection/clock.ts'
import type { Deadlines } from '../http/connection/deadlines.ts'
import type { SocketReads } from '../http/connection/socket-reads.ts'
import { COST } from './budget.ts'
import { ERROR } from './frames.ts'
import type { LinkOptions } from './link-options.ts'
import { LinkSocket } from './link-socket.ts'

/** What a PING carries does not matter, since there is one at a time. */
const PING = new Uint8Array(8)
const MOST_UNSENT_BYTES = 512 * 1024

/** In the log, if the peer has spent its budget by it. */
export const NOT_TAKEN = 'responses that are not taken'

export abstract class LinkTimes extends LinkSocket {
  readonly options: LinkOptions
  protected readonly isServer: boolean
  /** Times by the coarse clock; Infinity: nothing is due. */
  protected headDueAt: number = Infinity
  protected settingsDueAt: number = Infinity
  #stallCheckAt = Infinity
  #pingDueAt = Infinity
  #onPingAck: (() => void) | null = null
  /** What the socket had sent when it was last found overfull; -1: it is not. */
  #sent = -1

  constructor(
    socket: Socket,
    reads: SocketReads | null,
    deadlines: Deadlines,
    options: LinkOptions,
  ) {
    super(socket, reads, deadlines)
    this.options = options
    this.isServer = options.role === 'server'
  }

  /** Without an answer within `ms` the link is lost. One at a time. */
  ping(ms: number, onAck: () => void): void {
    if (!this.isOpen) return
    this.#onPingAck = onAck
    this.#pingDueAt = clock.now + ms
    this.expireBy(this.#pingDueAt)
    this.output.ping(0, PING, 0)
  }

  protected get awaitsPing(): boolean {
    return this.#onPingAck !== null
  }

  protected pingAcknowledged(): void {
    const onAck = this.#onPingAck
    this.#onPingAck = null
    this.#pingDueAt = Infinity
    onAck?.()
  }

  /** A preface, a frame or a head is to be complete in time. */
  protected awaitHead(): void {
    this.headDueAt = clock.now + this.options.timeouts.headMs
    this.expireBy(this.headDueAt)
  }

  protected awaitSettings(): void {
    this.settingsDueAt = clock.now + this.options.timeouts.settingsMs
    this.expireBy(this.settingsDueAt)
  }

  /** Data of a stream waits: its time limit begins. */
  outputWaits(): void {
    if (this.#stallCheckAt !== Infinity) return
    this.#stallCheckAt = clock.now + this.options.timeouts.stallMs
    this.expireBy(this.#stallCheckAt)
  }

  overfull(): void {
    if (this.#sent < 0) this.#sent = this.#sentBytes()
    this.outputWaits()
    // Streams wait from the high-water mark on, so it is answers to control frames that the peer does not read.
    if (this.socket.writableLength > MOST_UNSENT_BYTES) this.socket.pause()
  }

  /** Other connections get their turn before it reads on. */
  protected rest(): void {
    if (!this.isOpen || this.socket.isPaused()) return
    this.socket.pause()
    setImmediate(readOn, this)
  }

  /** If it is blocked, `unblocked` follows. */
  readOn(): void {
    if (this.isOpen && !this.output.isBlocked) this.socket.resume()
  }

  protected unblocked(): void {
    this.#sent = -1
    this.socket.resume()
  }

  protected loseTimes(): void {
    this.settingsDueAt = Infinity
    this.#onPingAck = null
  }

  protected checkDeadlines(now: number): void {
    if (this.headDueAt <= now) {
      this.#endLate(ERROR.PROTOCOL_ERROR, 'a frame did not arrive in time')
    } else if (this.settingsDueAt <= now) {
      this.#endLate(ERROR.SETTINGS_TIMEOUT, 'SETTINGS did not arrive in time')
    } else if (this.#pingDueAt <= now) {
      this.destroy(new Error('the peer did not answer a PING in time'))
    } else {
      if (this.#stallCheckAt <= now) this.#checkStalls(now)
      this.expireBy(Math.min(this.headDueAt, this.settingsDueAt))
      this.expireBy(Math.min(this.#pingDueAt, this.#stallCheckAt))
    }
  }

  #endLate(code: number, fault: string): void {
    if (this.isServer) this.malformed(0, fault)
    this.goAway(code, this.lastStreamId, fault)
  }

  /** Ends what has waited too long: the streams, or the connection. */
  #checkStalls(now: number): void {
    if (!this.output.isBlocked) {
      this.#stallCheckAt = this.endStalled(now)
      return
    }
    // The streams wait for the socket, which need not be empty to make progress.
    const sent = this.#sentBytes()
    if (sent === this.#sent) {
      const fault = 'the peer does not read what is sent'
      // As for responses that wait for a window.
      if (this.charge(COST.PROVOKED_ERROR * this.streamCount, NOT_TAKEN)) this.malformed(0, fault)
      this.destroy(new Error(fault))
    }
    this.#sent = sent
    this.#stallCheckAt = now + this.options.timeouts.stallMs
  }

  #sentBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength
  }

  /** Ends the streams whose data has waited too long. Returns when to look again. */
  protected abstract endStalled(now: number): number
  abstract goAway(code: number, lastId: number, debug: string): void
  abstract get lastStreamId(): number
  abstract get streamCount(): number
  /** False: the peer has spent its budget, and the connection ends. */
  protected abstract charge(cost: number, what: string): boolean
  /**
   * A stream that has no object, or the connection (0), broke the protocol; the link resets it (or ends) after this. For the log: other
   * streams have `resetReceived`.
   */
  protected abstract malformed(streamId: number, fault: string): void
}

function readOn(link: LinkTimes): void {
  link.readOn()
}
