/**
 * What a stream receives: its window, the body's length, and data that arrives while the taker is paused, which is kept up to one
 * window. The peer gets credit only for what was taken.
 */
import { JOIN_BYTES } from '../http/connection/socket-reads.ts'
import type { Http2Stream } from './stream.ts'

const NOTHING = Buffer.alloc(0)

export class HeldInput {
  /** What the peer may still send. */
  window = 0
  /** END_STREAM has arrived, and all of the frame that carries it. */
  isComplete = false
  /** The final head has arrived. */
  hasHead = false
  isPaused = false
  /** Of Content-Length, what is still to come; -1: it is not known. */
  lengthLeft = -1
  readonly #stream: Http2Stream
  #pieces: Buffer[] | null = null
  #trailers = ''
  /** Passed on, and not credited to the peer yet: since the taker is paused, or because it is little. */
  #passed = 0
  #taken = 0
  /** Data is being passed on. */
  #isPassing = false

  constructor(stream: Http2Stream) {
    this.#stream = stream
  }

  /** Content of a frame; `ended`: the last one. It is lent. */
  take(bytes: Buffer, from: number, to: number, ended: boolean): void {
    const chunk = bytes.subarray(from, to)
    if (this.isPaused || this.#pieces !== null) {
      this.#pieces ??= []
      if (to > from) this.#pieces.push(Buffer.from(chunk))
    } else this.#pass(chunk, ended)
  }

  trailers(fields: string): void {
    this.#trailers = fields
    if (!this.isPaused && this.#pieces === null) this.#end()
  }

  resume(): void {
    this.isPaused = false
    this.#credit()
    if (this.#isPassing) return
    while (this.#pieces !== null && !this.isPaused && !this.#stream.isReset) {
      const chunk = this.#pieces.shift()
      const isLast = this.#pieces.length === 0
      if (isLast) this.#pieces = null
      const isWhole = isLast && this.isComplete && this.#trailers === ''
      if (chunk !== undefined || isWhole) this.#pass(chunk ?? NOTHING, isWhole)
    }
    if (this.isComplete && !this.isPaused && this.#pieces === null) this.#end()
  }

  /** What the connection is not credited with yet, of a stream that is closed. */
  takeRest(): number {
    let rest = this.#passed
    if (this.#pieces !== null) for (const piece of this.#pieces) rest += piece.length
    this.#passed = 0
    this.#pieces = null
    return rest
  }

  #pass(chunk: Buffer, ended: boolean): void {
    const stream = this.#stream
    this.#passed += chunk.length
    if (ended) stream.remoteEnded = true
    this.#isPassing = true
    let takes = true
    try {
      takes = stream.dataReceived(chunk, ended)
      if (chunk.length >= JOIN_BYTES && stream.takerHoldsData) stream.link.leaveBuffer()
    } catch (error) {
      stream.caught(error)
    }
    this.#isPassing = false
    if (!takes) this.isPaused = true
    else if (!this.isPaused) this.#credit()
    if (ended) stream.link.receivedEnd(stream)
    // It was resumed meanwhile.
    else if (!this.isPaused && this.#pieces !== null) this.resume()
  }

  /** The end, if it has not been passed on with data. */
  #end(): void {
    const stream = this.#stream
    if (stream.remoteEnded || stream.isReset) return
    if (this.#trailers === '') {
      this.#pass(NOTHING, true)
      return
    }
    stream.remoteEnded = true
    try {
      stream.trailersReceived(this.#trailers)
    } catch (error) {
      stream.caught(error)
    }
    stream.link.receivedEnd(stream)
  }

  /** Padding is taken at once. */
  padded(bytes: number): void {
    this.#taken += bytes
  }

  #credit(): void {
    const { link } = this.#stream
    const bytes = this.#passed
    if (bytes === 0) return
    this.#passed = 0
    link.credit(bytes)
    this.#taken += bytes
    if (this.isComplete || this.#taken < link.options.settings.streamWindow >> 1) return
    this.window += this.#taken
    link.output.windowUpdate(this.#stream.id, this.#taken)
    this.#taken = 0
  }
}
