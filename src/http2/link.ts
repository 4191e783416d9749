/**
 * One HTTP/2 connection, of either role (RFC 9113): `downstream` and `upstream` extend it. It reads frames, keeps the streams, the
 * windows and both sides' SETTINGS, and bounds what a peer may cost.
 *
 *   PREFACE and SETTINGS ──► OPEN ──goAway──► DRAINING ──last stream has ended──► closed
 *                              └──error: GOAWAY──► LINGER (reads and drops, so that the peer reads it) ──► closed
 */
import type { Socket } from 'node:net'
import type { Deadlines, Expiring } from '../http/connection/deadlines.ts'
import type { Reader, SocketReads } from '../http/connection/socket-reads.ts'
import type { BudgetLimits } from './budget.ts'
import type { DecodeResult, HeadDecoder } from './hpack/head-decoder.ts'
import type { Http2Stream } from './stream.ts'

export interface LinkOptions {
  readonly role: 'server' | 'client'
  readonly settings: LinkSettings
  readonly budget: BudgetLimits
  readonly timeouts: LinkTimeouts
}

/** What this side announces and enforces. */
export interface LinkSettings {
  /** Of the peer; a client takes none. */
  readonly maxStreams: number
  readonly streamWindow: number
  readonly connectionWindow: number
  readonly headBytes: number
  readonly fields: number
  /** RFC 8441. */
  readonly enableConnect: boolean
}

export interface LinkTimeouts {
  /** For the preface, and for each head whose frames have begun. */
  readonly headMs: number
  /** For the first SETTINGS, and for the acknowledgement of this side's. */
  readonly settingsMs: number
  /** How long data may wait for the peer's windows, or for the socket, without progress. */
  readonly stallMs: number
}

/** The peer's SETTINGS. */
export interface PeerSettings {
  readonly headerTableSize: number
  /** 100 before a server's SETTINGS (RFC 9113 section 6.5.2 recommends no less). */
  readonly maxConcurrentStreams: number
  readonly initialWindowSize: number
  readonly maxFrameSize: number
  /** Infinity usually. */
  readonly maxHeaderListSize: number
  readonly enableConnectProtocol: boolean
}

export abstract class Http2Link implements Expiring, Reader {
  readonly socket: Socket
  readonly options: LinkOptions
  deadlineAt: number = Infinity
  deadlineIndex = -1
  /** A deadline of the subclass: `timedOut` is called after it. Infinity for none. */
  ownDeadlineAt: number = Infinity

  /**
   * `reads`: the socket's `onread` option, null without it. A client passes a socket that is connected or connecting; what is sent
   * waits in the socket. Bytes that were read before are passed to `received`.
   */
  constructor(
    socket: Socket,
    _reads: SocketReads | null,
    _deadlines: Deadlines,
    options: LinkOptions,
  ) {
    this.socket = socket
    this.options = options
  }

  // For the subclass.

  get peer(): PeerSettings {
    throw new Error('not there yet')
  }

  /** The peer's SETTINGS have arrived. */
  get isReady(): boolean {
    throw new Error('not there yet')
  }

  get streamCount(): number {
    throw new Error('not there yet')
  }

  /** The highest stream of the peer that was taken: for the final GOAWAY. */
  get lastStreamId(): number {
    throw new Error('not there yet')
  }

  /** It takes no new stream: a GOAWAY was sent (with its final id) or received, or the socket is ending. */
  get closing(): boolean {
    throw new Error('not there yet')
  }

  /** The peer takes one more stream: not closing, below its limit, ids left. */
  get canOpen(): boolean {
    throw new Error('not there yet')
  }

  /** Of a client: assigns the next id; `sendRequest` of the stream follows in the same call. Only while `canOpen`. */
  openStream(_stream: Http2Stream): void {
    throw new Error('not there yet')
  }

  /**
   * GOAWAY. With NO_ERROR and MAX_STREAM_ID it announces the end; with NO_ERROR and `lastStreamId` further streams are refused, and
   * `idle` follows when the last one has ended (at once, if there is none). Any other code ends all streams, lingers, and closes.
   */
  goAway(_code: number, _lastId: number, _debug?: string): void {
    throw new Error('not there yet')
  }

  /** Without an answer within `ms` the link is lost. One at a time. */
  ping(_ms: number, _onAck: () => void): void {
    throw new Error('not there yet')
  }

  /** Sends what was written, then FIN, and waits a moment for the peer's. Streams that are open are lost. */
  finish(): void {
    throw new Error('not there yet')
  }

  /** Closes the connection immediately; open streams get `linkLost`. */
  destroy(_error: Error | null): void {
    throw new Error('not there yet')
  }

  /** Above the high-water mark of unsent bytes. */
  get blocked(): boolean {
    throw new Error('not there yet')
  }

  // Hooks.

  /**
   * Of a server: a new stream. `result` is OK or TOO_LARGE: a response of 431 is due. The stream that is returned is registered already
   * when its first hook is called, but not yet here: it begins its work in `Http2Stream.headReceived`, which follows. Null: the
   * link refuses the stream (REFUSED_STREAM).
   */
  protected abstract headReceived(
    streamId: number,
    decoder: HeadDecoder,
    ended: boolean,
    result: DecodeResult,
  ): Http2Stream | null
  /** `lastId`: streams above it have had `resetReceived` with REFUSED_STREAM. */
  protected abstract goAwayReceived(lastId: number, code: number, debug: string): void
  /** The first SETTINGS of the peer, or later ones: `canOpen` may have changed. */
  protected abstract settingsChanged(): void
  /** A stream has ended or was reset: `canOpen` may have changed. */
  protected abstract streamClosed(stream: Http2Stream): void
  /** No stream is open any more. */
  protected abstract idle(): void
  /** Before GOAWAY with ENHANCE_YOUR_CALM: what the peer did, for the log. */
  protected abstract abused(what: string): void
  /** A stream (or the connection: 0) broke the protocol; the link resets it (or ends) after this. For the log. */
  protected abstract malformed(streamId: number, fault: string): void
  /** The connection is closed; the last hook. Streams have had `linkLost`. `error`: null after an orderly end. */
  protected abstract lost(error: Error | null): void
  /** `ownDeadlineAt` has passed; it is Infinity again. */
  protected abstract timedOut(now: number): void
  /** An exception in the link itself, or in its own hooks. */
  abstract fault(error: unknown): void

  // For the socket and the deadlines.

  get streams(): boolean {
    return false
  }

  received(_buffer: Buffer, _length: number): void {
    throw new Error('not there yet')
  }

  caught(_error: unknown): void {
    throw new Error('not there yet')
  }

  expire(_now: number): void {
    throw new Error('not there yet')
  }
}
