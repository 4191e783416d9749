/**
 * Splits what a connection reads into frames (RFC 9113 section 4.1). A frame other than DATA is passed on once it is complete; what
 * has arrived of it before is copied. The content of DATA is passed on as it arrives, so that a large frame needs no memory and
 * causes no delay.
 */
import { FLAG, FRAME, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, PREFACE, readUint31 } from './frames.ts'

export interface FrameSink {
  /** A complete frame; its content is bytes[from, to), lent for the call. */
  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void
  /** A frame of DATA begins: `length` counts for the windows, `content` is what `data` follows with. */
  dataBegins(flags: number, id: number, length: number, content: number): void
  /** A part of the content. */
  data(bytes: Buffer, from: number, to: number, isLast: boolean): void
  /** Nothing more can be read. */
  misframed(kind: 'preface' | 'http1' | 'size' | 'padding'): void
  /** It takes no more frames. */
  readonly isOver: boolean
}

const HTTP1 = Buffer.from('HTTP/1.', 'latin1')

export class FrameReader {
  readonly #sink: FrameSink
  /** Bytes of the preface that are still to come. */
  #prefaceLeft: number
  /** A frame that has not arrived completely, and how much of it is there. Its header, until that is complete. */
  #partial: Buffer | null = null
  #have = 0
  /** How many have begun so far. */
  frames = 0
  #partials = 0
  #dataLeft = 0
  #paddingLeft = 0

  constructor(sink: FrameSink, expectsPreface: boolean) {
    this.#sink = sink
    this.#prefaceLeft = expectsPreface ? PREFACE.length : 0
  }

  /** A frame other than DATA, or the preface, has not arrived completely. */
  get isWithin(): boolean {
    return this.#partial !== null || this.#prefaceLeft > 0
  }

  get isWithinData(): boolean {
    return this.#dataLeft > 0
  }

  /** Tells the frames apart that have not arrived completely, one after the other. */
  get partialNumber(): number {
    return this.#partials
  }

  /** Reads the first `to` bytes, which are lent for the call. */
  read(bytes: Buffer, to: number): void {
    let at = this.#prefaceLeft > 0 ? this.#readPreface(bytes, to) : 0
    while (at < to && !this.#sink.isOver) {
      if (this.#dataLeft > 0) at = this.#readData(bytes, at, to)
      else if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, to - at)
        this.#paddingLeft -= skipped
        at += skipped
      } else if (this.#partial !== null) at = this.#complete(this.#partial, bytes, at, to)
      else {
        at = this.#readFrame(bytes, at, to)
        if (this.#partial !== null) this.#partials++
      }
    }
  }

  #readPreface(bytes: Buffer, to: number): number {
    let at = 0
    while (this.#prefaceLeft > 0 && at < to) {
      if (bytes[at++] !== PREFACE[PREFACE.length - this.#prefaceLeft]) {
        this.#sink.misframed('preface')
        return to
      }
      this.#prefaceLeft--
    }
    return at
  }

  #readData(bytes: Buffer, at: number, to: number): number {
    const end = Math.min(to, at + this.#dataLeft)
    this.#dataLeft -= end - at
    this.#sink.data(bytes, at, end, this.#dataLeft === 0)
    return end
  }

  /** Returns the position behind what was used. */
  #readFrame(bytes: Buffer, at: number, to: number): number {
    const have = to - at
    if (have < FRAME_HEADER_BYTES) return this.#keep(bytes, at, to, FRAME_HEADER_BYTES)
    const length = this.#lengthOf(bytes, at)
    if (length < 0) return to
    const type = bytes[at + 3] ?? 0
    const flags = bytes[at + 4] ?? 0
    const isPadded = type === FRAME.DATA && (flags & FLAG.PADDED) !== 0 && length > 0
    const needed = FRAME_HEADER_BYTES + (type !== FRAME.DATA ? length : isPadded ? 1 : 0)
    if (have < needed) return this.#keep(bytes, at, to, needed)
    this.#dispatch(bytes, at, length)
    return at + needed
  }

  /** -1: it is too long. */
  #lengthOf(bytes: Buffer, at: number): number {
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    if (length <= MAX_FRAME_BYTES) return length
    const isHttp1 = HTTP1.every((byte, index) => bytes[at + index] === byte)
    this.#sink.misframed(isHttp1 ? 'http1' : 'size')
    return -1
  }

  #keep(bytes: Buffer, at: number, to: number, needed: number): number {
    this.#partial = Buffer.allocUnsafe(needed)
    this.#have = bytes.copy(this.#partial, 0, at, to)
    return to
  }

  /** Adds to a frame that is not complete. */
  #complete(partial: Buffer, bytes: Buffer, at: number, to: number): number {
    const taken = bytes.copy(
      partial,
      this.#have,
      at,
      Math.min(to, at + partial.length - this.#have),
    )
    this.#have += taken
    if (this.#have < partial.length) return to
    this.#partial = null
    // If only its header was complete, it is kept again, with room for all of it.
    this.#readFrame(partial, 0, partial.length)
    return at + taken
  }

  /** The frame that begins there, of DATA its header. */
  #dispatch(bytes: Buffer, at: number, length: number): void {
    this.frames++
    const type = bytes[at + 3] ?? 0
    const flags = bytes[at + 4] ?? 0
    const id = readUint31(bytes, at + 5)
    const from = at + FRAME_HEADER_BYTES
    if (type !== FRAME.DATA) {
      this.#sink.frame(type, flags, id, bytes, from, from + length)
      return
    }
    let content = length
    if ((flags & FLAG.PADDED) !== 0) {
      const padding = length > 0 ? (bytes[from] ?? 0) : 0
      content = length - 1 - padding
      if (content < 0) {
        this.#sink.misframed('padding')
        return
      }
      this.#paddingLeft = padding
    }
    this.#dataLeft = content
    this.#sink.dataBegins(flags, id, length, content)
  }
}
