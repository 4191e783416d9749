/**
 * One HTTP/2 connection, of either role (RFC 9113): `downstream` and `upstream` extend it. This file dispatches what the
 * peer sends, and reads heads and data; frames that control are in link-frames.ts.
 *
 *   PREFACE and SETTINGS ──► OPEN ──goAway──► DRAINING ──last stream has ended──► finish
 *                              └──error: GOAWAY──► lingers (reads and drops, so that the peer reads it) ──► closed
 */
import { createReadEnds } from './begin-queue.ts'
import { COST, costOfHead } from './budget.ts'
import { RESET_BY_PEER, RESET_HERE, UNKNOWN } from './closed-streams.ts'
import { type FrameSink, FrameReader } from './frame-reader.ts'
import { ERROR, FLAG, FRAME } from './frames.ts'
import { GatheredData, MOST_GATHERED_BYTES } from './gathered-data.ts'
import { HeadBlock } from './head-block.ts'
import {
  COMPRESSION,
  type DecodeResult,
  type HeadDecoder,
  MALFORMED,
  OK,
  TOO_LARGE,
} from './hpack/head-decoder.ts'
import { LinkFrames, PRIORITY_BYTES } from './link-frames.ts'
import type { ReadEnds } from './read-ends.ts'
import type { Http2Stream } from './stream.ts'

export type { LinkOptions, LinkSettings, LinkTimeouts } from './link-options.ts'

/** CONTINUATION frames of one head; their bytes are bounded by the limit of heads, compressed. */
const MOST_CONTINUATIONS = 8
/** In one read; after more the connection rests for a turn, because Node reads a socket up to 32 times in a row. */
const MOST_FRAMES = 512
const NOTHING = Buffer.alloc(0)

const MISFRAMED: Readonly<Record<'preface' | 'http1' | 'size' | 'padding', string>> = {
  preface: 'the connection does not begin with the preface of HTTP/2',
  http1: 'the peer speaks HTTP/1, not HTTP/2',
  size: 'a frame is larger than 16 KiB',
  padding: 'the padding of a frame is longer than the frame',
}

export abstract class Http2Link extends LinkFrames implements FrameSink {
  readonly #reader: FrameReader = new FrameReader(this, this.isServer)
  /** A head that goes on in CONTINUATION frames. */
  #block: HeadBlock | null = null
  /** What `headDueAt` is for: a head, or the number of a frame; 0: the preface. */
  #awaited: HeadBlock | number = 0
  /** Takes the content of the DATA frame that is being read; null: it is dropped. */
  #taker: Http2Stream | null = null
  #takerEnds = false
  readonly #gathered = new GatheredData()
  readonly #ends: ReadEnds = createReadEnds(this.options)

  // What is read.

  get isOver(): boolean {
    return !this.isOpen
  }

  protected get isWithinData(): boolean {
    return this.#reader.isWithinData
  }

  protected readFrames(buffer: Buffer, length: number): void {
    const before = this.#reader.frames
    this.#reader.read(buffer, length)
    this.#gathered.pass(false)
    this.#ends.end()
    if (this.#reader.frames - before > MOST_FRAMES) this.rest()
    if (this.#reader.isWithin || this.#block !== null) this.#awaitRest()
    else {
      this.headDueAt = Infinity
      if (!this.hasSettings && this.settingsDueAt === Infinity) this.awaitSettings()
    }
  }

  /** The limit is for one frame, or one head: each read may end within another one. */
  #awaitRest(): void {
    const awaited = this.#block ?? this.#reader.partialNumber
    if (this.headDueAt !== Infinity && awaited === this.#awaited) return
    this.#awaited = awaited
    this.awaitHead()
  }

  misframed(kind: 'preface' | 'http1' | 'size' | 'padding'): void {
    const code = kind === 'size' ? ERROR.FRAME_SIZE_ERROR : ERROR.PROTOCOL_ERROR
    this.connectionError(code, MISFRAMED[kind])
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    this.#gathered.pass(false)
    if (!this.#mayCome(type, flags, id)) return
    switch (type) {
      case FRAME.HEADERS:
        this.#headers(flags, id, bytes, from, to)
        break
      case FRAME.CONTINUATION:
        this.#continuation(flags, id, bytes, from, to)
        break
      case FRAME.WINDOW_UPDATE:
        this.windowUpdateFrame(id, bytes, from, to)
        break
      case FRAME.RST_STREAM:
        this.rstStreamFrame(id, bytes, from, to)
        break
      case FRAME.SETTINGS:
        this.settingsFrame(flags, id, bytes, from, to)
        break
      case FRAME.PING:
        this.pingFrame(flags, id, bytes, from, to)
        break
      case FRAME.GOAWAY:
        this.goAwayFrame(id, bytes, from, to)
        break
      case FRAME.PRIORITY:
        this.priorityFrame(id, to - from)
        break
      case FRAME.PUSH_PROMISE:
        this.protocolError('PUSH_PROMISE, which is not allowed here')
        break
      default:
        // Section 5.5: ignored.
        this.chatter(COST.CHATTER, 'frames of unknown types')
    }
  }

  /** What comes first is SETTINGS; a head is not interrupted. */
  #mayCome(type: number, flags: number, id: number): boolean {
    if (!this.hasSettings && (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0))
      return this.protocolError('the first frame is not SETTINGS')
    if (this.#block !== null && (type !== FRAME.CONTINUATION || id !== this.#block.streamId))
      return this.protocolError('a head is interrupted by another frame')
    return true
  }

  protected override close(stream: Http2Stream, how: number): void {
    super.close(stream, how)
    this.#ends.closed()
  }

  // Heads.

  #headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0 || (id & 1) === 0) {
      this.protocolError('HEADERS on a stream that no client opens')
      return
    }
    let at = from
    let end = to
    if ((flags & FLAG.PADDED) !== 0) end -= bytes[at++] ?? 0
    if ((flags & FLAG.PRIORITY) !== 0) at += PRIORITY_BYTES
    if (at > end) {
      const isShort = to - from < at - from
      this.connectionError(
        isShort ? ERROR.FRAME_SIZE_ERROR : ERROR.PROTOCOL_ERROR,
        isShort ? 'HEADERS is too short for its flags' : MISFRAMED.padding,
      )
    } else if ((flags & FLAG.END_HEADERS) !== 0) this.#head(flags, id, bytes, at, end)
    else this.#block = new HeadBlock(id, flags, bytes, at, end)
  }

  #continuation(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const block = this.#block
    if (block === null) {
      this.protocolError('CONTINUATION without HEADERS')
      return
    }
    // Twice the limit: a head that is a little too large is still decoded, and answered.
    const most = 2 * this.options.settings.headBytes
    if (!block.add(bytes, from, to, MOST_CONTINUATIONS, most)) {
      this.abuse('CONTINUATION frames of one head, or bytes in them')
      return
    }
    if ((flags & FLAG.END_HEADERS) === 0) return
    this.#block = null
    const whole = block.whole()
    this.#head(block.flags, id, whole, 0, whole.length)
  }

  #head(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const stream = this.open.get(id)
    const isTrailers = stream !== undefined && stream.incoming.hasHead
    const isNew = this.isServer && id > this.lastId
    // Also the head of a stream that is closed is decoded, or the tables would differ.
    const result = this.decoder.decode(bytes, from, to, isTrailers)
    if (result === COMPRESSION) {
      this.connectionError(ERROR.COMPRESSION_ERROR, 'a head cannot be decoded')
      return
    }
    const cost = costOfHead(this.decoder.steps, this.options.settings.fields)
    if (cost > 0 && !this.charge(cost, 'fields, and changes of the table, in heads')) return
    const ended = (flags & FLAG.END_STREAM) !== 0
    if (isNew) this.#request(id, ended, result)
    else if (stream === undefined) this.#headOfClosed(id)
    else if (stream.incoming.isComplete)
      this.streamError(stream, ERROR.STREAM_CLOSED, 'a head follows the end of the stream')
    else if (result === MALFORMED)
      this.streamError(stream, ERROR.PROTOCOL_ERROR, this.decoder.fault)
    else if (result === TOO_LARGE)
      this.streamError(stream, ERROR.ENHANCE_YOUR_CALM, `the head is ${this.#tooLarge()}`)
    else if (isTrailers) this.#trailers(stream, ended)
    else this.#response(stream, ended)
  }

  #tooLarge(): string {
    const { fields, headBytes } = this.options.settings
    return `larger than the ${fields} fields or ${headBytes} bytes that are taken`
  }

  #headOfClosed(id: number): void {
    const how = this.closedStreams.how(id)
    if (id > this.lastId) this.protocolError('a head on a stream that is not open')
    else if (how === RESET_HERE) this.charge(COST.RESET, 'frames on streams that were reset')
    else if (how === RESET_BY_PEER)
      this.errorOn(id, ERROR.STREAM_CLOSED, 'a head on a stream that the peer has reset')
    else if (how === UNKNOWN) this.protocolError('the id of a new stream is not higher')
    else this.connectionError(ERROR.STREAM_CLOSED, 'a head on a closed stream')
  }

  #request(id: number, ended: boolean, result: DecodeResult): void {
    const { decoder } = this
    this.lastId = id
    if (result === MALFORMED) {
      this.errorOn(id, ERROR.PROTOCOL_ERROR, decoder.fault)
    } else if (ended && result === OK && decoder.contentLength > 0) {
      this.errorOn(id, ERROR.PROTOCOL_ERROR, 'Content-Length announces a body, and there is none')
    } else if (id > this.refusesAbove || this.open.size >= this.options.settings.maxStreams) {
      if (this.charge(COST.RESET, 'streams above the limit')) this.#refuse(id)
    } else if (
      result === OK ||
      this.charge(COST.HEAD_TOO_LARGE, `heads that are ${this.#tooLarge()}`)
    ) {
      const stream = this.headReceived(id, decoder, ended, result)
      if (stream === null) this.#refuse(id)
      else this.#open(stream, id, ended)
    }
  }

  #refuse(id: number): void {
    this.closedStreams.add(id, RESET_HERE)
    this.output.rstStream(id, ERROR.REFUSED_STREAM)
  }

  #open(stream: Http2Stream, id: number, ended: boolean): void {
    this.register(stream, id)
    stream.incoming.hasHead = true
    stream.incoming.lengthLeft = this.decoder.contentLength
    this.#passHead(stream, ended)
  }

  #passHead(stream: Http2Stream, ended: boolean): void {
    stream.incoming.isComplete = ended
    stream.remoteEnded = ended
    this.#ends.touch(stream)
    try {
      stream.headReceived(this.decoder, ended)
    } catch (error) {
      stream.caught(error)
    }
    if (ended) this.receivedEnd(stream)
  }

  #response(stream: Http2Stream, ended: boolean): void {
    const { status, contentLength } = this.decoder
    const { incoming } = stream
    if (status < 200) {
      if (ended)
        this.streamError(stream, ERROR.PROTOCOL_ERROR, 'an interim response ends its stream')
      else if (this.chatter(COST.CHATTER, 'interim responses')) this.#passHead(stream, false)
      return
    }
    const hasBody = !stream.expectsNoBody && status !== 204 && status !== 304
    incoming.lengthLeft = hasBody ? contentLength : 0
    if (ended && incoming.lengthLeft > 0) {
      const fault = 'Content-Length announces a body, and there is none'
      this.streamError(stream, ERROR.PROTOCOL_ERROR, fault)
      return
    }
    incoming.hasHead = true
    this.#passHead(stream, ended)
  }

  #trailers(stream: Http2Stream, ended: boolean): void {
    if (!ended)
      this.streamError(stream, ERROR.PROTOCOL_ERROR, 'a second head does not end the stream')
    else if (stream.incoming.lengthLeft > 0)
      this.streamError(stream, ERROR.PROTOCOL_ERROR, 'the body is shorter than Content-Length')
    else {
      stream.incoming.isComplete = true
      this.#ends.touch(stream)
      const { neverIndexed } = this.decoder
      if (neverIndexed !== null) stream.trailersNeverIndexed?.(neverIndexed)
      stream.incoming.trailers(this.decoder.fields)
    }
  }

  // Data.

  dataBegins(flags: number, id: number, length: number, content: number): void {
    this.#taker = null
    if (this.#gathered.streamId !== id || content === 0) this.#gathered.pass(false)
    if (!this.#mayCome(FRAME.DATA, flags, id)) return
    // What counts is the whole frame, and also of a stream that is closed.
    this.receiveWindow -= length
    if (this.receiveWindow < 0) {
      this.#gathered.pass(false)
      this.connectionError(ERROR.FLOW_CONTROL_ERROR, 'DATA exceeds the window of the connection')
      return
    }
    const stream = this.open.get(id)
    const ended = (flags & FLAG.END_STREAM) !== 0
    if (!this.#mayTake(stream, id, length, content, ended)) {
      this.credit(length)
      return
    }
    this.credit(length - content)
    if (content > 0) this.budget.earn()
    if (stream === undefined) return
    stream.incoming.isComplete = ended && content === 0
    this.#taker = stream
    this.#takerEnds = ended
    this.#ends.touch(stream)
    if (content > 0) return
    if (ended) stream.incoming.take(NOTHING, 0, 0, true)
    else this.chatter(COST.CHATTER, 'empty DATA frames')
  }

  data(bytes: Buffer, from: number, to: number, isLast: boolean): void {
    const taker = this.#taker
    if (taker === null) return
    const ended = isLast && this.#takerEnds
    if (to - from < MOST_GATHERED_BYTES) {
      this.#gathered.add(taker, bytes, from, to)
      if (ended) this.#gathered.pass(true)
      return
    }
    this.#gathered.pass(false)
    if (taker.isReset) {
      this.credit(to - from)
      return
    }
    // Not before: the rest of the frame may come later, or never.
    if (ended) taker.incoming.isComplete = true
    taker.incoming.take(bytes, from, to, ended)
  }

  /** False: the frame is dropped. */
  #mayTake(
    stream: Http2Stream | undefined,
    id: number,
    length: number,
    content: number,
    ended: boolean,
  ): boolean {
    if (stream === undefined) return this.#dataOfClosed(id, length)
    const { incoming } = stream
    incoming.window -= length
    let code: number = ERROR.PROTOCOL_ERROR
    let fault = ''
    if (incoming.isComplete) {
      code = ERROR.STREAM_CLOSED
      fault = 'DATA follows the end of the stream'
    } else if (incoming.window < 0) {
      code = ERROR.FLOW_CONTROL_ERROR
      fault = 'DATA exceeds the window of its stream'
    } else if (!incoming.hasHead) fault = 'DATA comes before the head'
    else if (incoming.lengthLeft >= 0) {
      incoming.lengthLeft -= content
      if (incoming.lengthLeft < 0) fault = 'the body is longer than Content-Length'
      else if (ended && incoming.lengthLeft > 0) fault = 'the body is shorter than Content-Length'
    }
    if (fault !== '') {
      this.#gathered.pass(false)
      if (!stream.isReset) this.streamError(stream, code, fault)
    } else if (length > content) incoming.padded(length - content)
    return fault === ''
  }

  /** After an early response the rest of the request is swallowed: it was under way. It costs little, but not nothing. */
  #dataOfClosed(id: number, length: number): false {
    if (id === 0 || this.isUnopened(id)) this.protocolError('DATA on a stream that is not open')
    else if (this.closedStreams.how(id) === RESET_HERE)
      this.charge(length === 0 ? COST.RESET : COST.RESET / 4, 'frames on streams that were reset')
    else this.errorOn(id, ERROR.STREAM_CLOSED, 'DATA on a closed stream')
    return false
  }

  // Hooks.

  /**
   * Of a server: a new stream. `result` is OK or TOO_LARGE: a response of 431 is due. The stream that is returned begins its work in its
   * own `headReceived`, which follows at once. Null: it is refused (REFUSED_STREAM).
   */
  protected abstract headReceived(
    streamId: number,
    decoder: HeadDecoder,
    ended: boolean,
    result: DecodeResult,
  ): Http2Stream | null
}
