/** The streams of a link, the connection's windows and both sides' SETTINGS. What arrives is read in link.ts. */
import type { Socket } from 'node:net'
import type { Deadlines } from '../http/connection/deadlines.ts'
import type { SocketReads } from '../http/connection/socket-reads.ts'
import { Budget, COST } from './budget.ts'
import { ClosedStreams, ENDED, RESET_HERE } from './closed-streams.ts'
import { ERROR, errorName, INITIAL_WINDOW, MAX_STREAM_ID } from './frames.ts'
import { HeadDecoder } from './hpack/head-decoder.ts'
import { HeadEncoder } from './hpack/head-encoder.ts'
import type { LinkOptions } from './link-options.ts'
import { LinkTimes, NOT_TAKEN } from './link-times.ts'
import { PeerSettings, SETTING } from './settings.ts'
import type { Http2Stream } from './stream.ts'

export abstract class LinkStreams extends LinkTimes {
  /** The peer's SETTINGS, the defaults before they have arrived. */
  readonly peer: PeerSettings = new PeerSettings()
  /** Only the peer's SETTINGS change it, so streams may use it. */
  readonly encoder: HeadEncoder = new HeadEncoder()
  /** What the connection's window lets out. */
  sendWindow: number = INITIAL_WINDOW
  protected readonly decoder: HeadDecoder
  protected readonly open: Map<number, Http2Stream> = new Map()
  protected readonly closedStreams: ClosedStreams = new ClosedStreams()
  protected readonly budget: Budget
  protected hasSettings = false
  /** The highest id of a stream that either side has opened: the client opens all of them. */
  protected lastId = 0
  /** Streams above it are refused, since the final GOAWAY was sent. */
  protected refusesAbove: number = MAX_STREAM_ID
  /** The server has sent a GOAWAY. */
  protected isGoneAway = false
  /** What the peer may still send. */
  protected receiveWindow: number
  protected isAcknowledged = false
  /** Received and taken, but not credited yet. */
  #owed = 0
  /** Streams that wait for the connection. */
  #queue: Http2Stream[] = []

  /**
   * `reads`: the socket's `onread` option, null without it. The socket is connected, or connecting: what is sent waits in it. Bytes
   * that were read before are passed to `received`. The time limit for the preface begins here for a server, that for SETTINGS for a
   * client.
   */
  constructor(
    socket: Socket,
    reads: SocketReads | null,
    deadlines: Deadlines,
    options: LinkOptions,
  ) {
    super(socket, reads, deadlines, options)
    const { settings } = options
    this.budget = new Budget(options.budget)
    this.decoder = new HeadDecoder(
      this.isServer ? 'request' : 'response',
      settings,
      settings.enableConnect,
    )
    this.receiveWindow = settings.connectionWindow
    if (this.isServer) this.awaitHead()
    else {
      this.output.preface()
      this.awaitSettings()
    }
    this.#announce()
  }

  #announce(): void {
    const { settings } = this.options
    const values: [number, number][] = [
      [SETTING.INITIAL_WINDOW_SIZE, settings.streamWindow],
      [SETTING.MAX_HEADER_LIST_SIZE, settings.headBytes],
    ]
    if (!this.isServer) values.push([SETTING.ENABLE_PUSH, 0])
    else values.push([SETTING.MAX_CONCURRENT_STREAMS, settings.maxStreams])
    if (this.isServer && settings.enableConnect) values.push([SETTING.ENABLE_CONNECT_PROTOCOL, 1])
    this.output.settings(values)
    const more = settings.connectionWindow - INITIAL_WINDOW
    if (more > 0) this.output.windowUpdate(0, more)
  }

  // For the subclass.

  /** The peer's SETTINGS have arrived. */
  get isReady(): boolean {
    return this.hasSettings
  }

  get streamCount(): number {
    return this.open.size
  }

  /** The highest stream of the peer that was taken: for the final GOAWAY. */
  get lastStreamId(): number {
    return this.isServer ? Math.min(this.lastId, this.refusesAbove) : 0
  }

  /** It takes no new stream: the final GOAWAY was sent, or one was received, or the socket is ending. */
  get closing(): boolean {
    return !this.isOpen || this.isGoneAway || this.refusesAbove < MAX_STREAM_ID
  }

  /** The peer takes one more stream: not closing, below its limit, ids left. */
  get canOpen(): boolean {
    return (
      !this.closing &&
      this.open.size < this.peer.maxConcurrentStreams &&
      this.lastId < MAX_STREAM_ID - 1
    )
  }

  /** Of a client: assigns the next id; `sendRequest` of the stream follows in the same call. Only while `canOpen`. */
  openStream(stream: Http2Stream): void {
    this.lastId = this.lastId === 0 ? 1 : this.lastId + 2
    this.register(stream, this.lastId)
  }

  /**
   * GOAWAY. With NO_ERROR and MAX_STREAM_ID it announces the end; with NO_ERROR and `lastStreamId` further streams are refused, and
   * `idle` follows when the last one has ended (at once, if there is none). Any other code ends all streams, lingers, and closes.
   */
  goAway(code: number, lastId: number, debug: string = ''): void {
    if (!this.isOpen) return
    this.output.goAway(lastId, code, debug)
    if (code !== ERROR.NO_ERROR) {
      this.finish(new Error(debug === '' ? errorName(code) : debug))
      return
    }
    this.refusesAbove = Math.min(this.refusesAbove, lastId)
    if (this.closing && this.open.size === 0) this.idle()
  }

  // For its streams.

  leaveBuffer(): void {
    this.reads?.leaveBuffer()
  }

  /** `isCut`: the peer's windows did not let out more. */
  sentData(bytes: number, isCut: boolean): void {
    this.sendWindow -= bytes
    // Otherwise credits of a byte each would pay for themselves (CVE-2019-9511).
    if (!isCut || bytes >= SMALL_CREDIT) this.budget.earn()
  }

  /** So much of what was received has been taken. */
  credit(bytes: number): void {
    this.#owed += bytes
    if (this.#owed < this.options.settings.connectionWindow >> 1 || !this.isOpen) return
    this.receiveWindow += this.#owed
    this.output.windowUpdate(0, this.#owed)
    this.#owed = 0
  }

  /** END_STREAM has been sent. */
  sentEnd(stream: Http2Stream): void {
    stream.outgoing.isEnded = true
    if (!this.isServer || stream.isTunnel) {
      if (stream.remoteEnded) this.close(stream, ENDED)
    } else if (stream.incoming.isComplete) {
      stream.isReset = !stream.remoteEnded
      this.close(stream, ENDED)
    } else {
      // RFC 9113 section 8.1: the client need not send the rest of its request.
      this.resetStream(stream, ERROR.NO_ERROR)
    }
  }

  /** The peer's END_STREAM has been passed on. */
  receivedEnd(stream: Http2Stream): void {
    if (stream.outgoing.isEnded && !stream.isReset) this.close(stream, ENDED)
  }

  /** This side resets it; no hook of the stream follows. */
  resetStream(stream: Http2Stream, code: number): void {
    if (stream.isReset) return
    stream.isReset = true
    const isOver = stream.outgoing.isEnded && stream.incoming.isComplete
    if (!isOver && stream.id !== 0) this.output.rstStream(stream.id, code)
    this.close(stream, RESET_HERE)
  }

  /** It has data for a connection that takes none now. */
  queue(stream: Http2Stream): void {
    if (stream.outgoing.isQueued) return
    stream.outgoing.isQueued = true
    this.#queue.push(stream)
  }

  // For link.ts.

  protected register(stream: Http2Stream, id: number): void {
    stream.id = id
    stream.outgoing.window = this.peer.initialWindowSize
    const { streamWindow } = this.options.settings
    // Before the acknowledgement the peer may not know it yet.
    stream.incoming.window = this.isAcknowledged
      ? streamWindow
      : Math.max(streamWindow, INITIAL_WINDOW)
    this.open.set(id, stream)
    this.deadlines.add(stream)
  }

  protected close(stream: Http2Stream, how: number): void {
    this.deadlines.remove(stream)
    stream.outgoing.clear()
    if (!this.open.delete(stream.id)) return
    this.closedStreams.add(stream.id, how)
    this.credit(stream.incoming.takeRest())
    if (!this.isOpen) return
    this.streamClosed(stream)
    if (this.open.size === 0) this.idle()
  }

  /** The peer's first SETTINGS are here. */
  protected begun(): void {
    if (this.isAcknowledged) this.settingsDueAt = Infinity
    else if (this.settingsDueAt === Infinity) this.awaitSettings()
  }

  protected acknowledged(): void {
    this.isAcknowledged = true
    if (this.hasSettings) this.settingsDueAt = Infinity
  }

  /** Streams that wait for the connection send in turns, a quantum each. */
  protected runQueue(): void {
    while (this.#queue.length > 0 && !this.output.isBlocked) {
      const turn = this.#queue
      this.#queue = []
      const starved: Http2Stream[] = []
      for (const stream of turn) {
        const { outgoing } = stream
        if (this.output.isBlocked || (outgoing.hasData && this.sendWindow <= 0)) {
          starved.push(stream)
        } else {
          outgoing.isQueued = false
          if (!stream.isReset) outgoing.proceed()
        }
      }
      // Those that had no turn are first in the next one.
      if (starved.length > 0) this.#queue = [...starved, ...this.#queue]
      if (starved.length === turn.length) return
    }
  }

  protected override unblocked(): void {
    super.unblocked()
    this.runQueue()
  }

  protected loseStreams(error: Error | null): void {
    this.loseTimes()
    const streams = [...this.open.values()]
    this.open.clear()
    this.#queue = []
    for (const stream of streams) {
      stream.outgoing.clear()
      // A response that is here completely does not need the connection any more.
      if (!this.isServer && stream.incoming.isComplete) {
        stream.outgoing.isEnded = true
        continue
      }
      stream.isReset = true
      this.deadlines.remove(stream)
      try {
        stream.linkLost(error)
      } catch (fault) {
        stream.caught(fault)
      }
    }
  }

  protected override endStalled(now: number): number {
    const { stallMs } = this.options.timeouts
    let next = Infinity
    for (const stream of this.open.values()) {
      const { waitsSince } = stream.outgoing
      if (waitsSince + stallMs <= now) {
        if (!this.charge(COST.PROVOKED_ERROR, NOT_TAKEN)) return Infinity
        this.#endStalled(stream)
      } else next = Math.min(next, waitsSince + stallMs)
    }
    return next
  }

  #endStalled(stream: Http2Stream): void {
    this.resetStream(stream, ERROR.CANCEL)
    try {
      stream.resetReceived(ERROR.CANCEL, 'the peer does not read: it gave no window in time')
    } catch (fault) {
      stream.caught(fault)
    }
  }

  // Hooks.

  /** A stream has ended or was reset: `canOpen` may have changed. */
  protected abstract streamClosed(stream: Http2Stream): void
  /** No stream is open any more. */
  protected abstract idle(): void
}

/** A smaller credit costs more than it is worth. */
export const SMALL_CREDIT = 1024
