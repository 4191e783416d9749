/**
 * What a stream sends, within the windows of the peer (RFC 9113 section 6.9) and the bounds of the socket. Data that they hold back
 * is kept in pieces, as many as came before the source stopped.
 */
import { clock } from '../http/connection/clock.ts'
import { MAX_FRAME_BYTES } from './frames.ts'
import { bufferFor, giveBack } from './output.ts'
import type { Http2Stream } from './stream.ts'

/** Turns of streams that wait for the connection. */
const QUANTUM_BYTES = 4 * MAX_FRAME_BYTES
/** So much must go out for a wait to count as over. */
const PROGRESS_BYTES = 1024

interface Piece {
  readonly data: Buffer | string
  from: number
  readonly to: number
}

/** A larger piece is kept in a buffer of the free lists: what is allocated for each response costs more than sending it. */
const MOST_ALLOCATED_BYTES = 4 * 1024

export class HeldOutput {
  /** What the stream's own window lets out; below 0 after the peer has made it smaller. */
  window = 0
  /** END_STREAM has been sent. */
  isEnded = false
  readonly #stream: Http2Stream
  #pieces: Piece[] | null = null
  #ends = false
  #trailers = ''
  /** `writable` is due. */
  #isAwaited = false
  /** In the queue of the link: it has data or an awaited `writable`, and waits for the connection. */
  isQueued = false
  /** By the coarse clock, since when data waits without progress; Infinity: none does. */
  waitsSince: number = Infinity
  #progress = 0

  constructor(stream: Http2Stream) {
    this.#stream = stream
  }

  get isWaiting(): boolean {
    return this.#pieces !== null || this.#isAwaited
  }

  get hasData(): boolean {
    return this.#pieces !== null
  }

  /** The peer has made its window larger, or smaller. */
  widen(bytes: number): void {
    this.window += bytes
    if (this.#pieces !== null && this.window > 0) this.#stream.link.queue(this.#stream)
  }

  send(data: Buffer | string, ends: boolean): boolean {
    const { link } = this.#stream
    if (this.#pieces === null) {
      const from = this.#write(data, 0, data.length, Infinity, ends)
      if (from < 0) {
        link.sentEnd(this.#stream)
        return true
      }
      if (from === data.length && !ends) {
        if (!link.blocked) return true
        this.#isAwaited = true
        link.queue(this.#stream)
        link.outputWaits()
        return false
      }
      this.#keep(data, from)
      this.waitsSince = clock.now
      this.#progress = 0
      link.outputWaits()
      if (this.window > 0) link.queue(this.#stream)
    } else if (data.length > 0) this.#keep(data, 0)
    this.#ends = ends
    this.#isAwaited = !ends
    return false
  }

  endWith(trailers: string): void {
    if (this.#pieces === null) {
      this.#stream.writeTrailers(trailers)
      this.#stream.link.sentEnd(this.#stream)
    } else this.#trailers = trailers
  }

  /** The window or the connection lets more out. */
  proceed(): void {
    const { link } = this.#stream
    let budget = QUANTUM_BYTES
    while (this.#pieces !== null) {
      const piece = this.#pieces[0]
      if (piece === undefined) break
      const isLast = this.#pieces.length === 1
      const before = piece.from
      const from = this.#write(piece.data, before, piece.to, budget, this.#ends && isLast)
      // The connection broke in between, and its pieces were given back.
      if (this.#stream.isReset) return
      this.#noteProgress((from < 0 ? piece.to : from) - before)
      if (from < 0) {
        this.clear()
        link.sentEnd(this.#stream)
        return
      }
      budget -= from - before
      piece.from = from
      if (from < piece.to || (this.#ends && isLast)) {
        if (this.window > 0) link.queue(this.#stream)
        return
      }
      release(piece)
      if (isLast) this.#pieces = null
      else this.#pieces.shift()
    }
    this.waitsSince = Infinity
    this.#allOut()
  }

  #allOut(): void {
    const { link } = this.#stream
    if (this.#trailers !== '') {
      this.endWith(this.#trailers)
    } else if (link.blocked) link.queue(this.#stream)
    else if (this.#isAwaited) {
      this.#isAwaited = false
      try {
        this.#stream.writable()
      } catch (error) {
        this.#stream.caught(error)
      }
    }
  }

  clear(): void {
    if (this.#pieces !== null) for (const piece of this.#pieces) release(piece)
    this.#pieces = null
    this.#isAwaited = false
    this.#trailers = ''
    this.waitsSince = Infinity
  }

  #keep(data: Buffer | string, from: number): void {
    this.#pieces ??= []
    if (typeof data === 'string') {
      this.#pieces.push({ data: data.slice(from), from: 0, to: data.length - from })
      return
    }
    const length = data.length - from
    const isLarge = length > MOST_ALLOCATED_BYTES
    const piece = isLarge ? bufferFor(length) : Buffer.allocUnsafeSlow(length)
    data.copy(piece, 0, from)
    this.#pieces.push({ data: piece, from: 0, to: length })
  }

  #noteProgress(bytes: number): void {
    this.#progress += bytes
    if (this.#progress < PROGRESS_BYTES) return
    this.#progress = 0
    this.waitsSince = clock.now
  }

  /** Writes what the windows, the socket and `most` take. Returns where it stopped; -1: all of it is out, and the stream's end. */
  #write(data: Buffer | string, from: number, to: number, most: number, ends: boolean): number {
    const { link, id } = this.#stream
    const { output } = link
    let left = Math.min(most, this.window, link.sendWindow)
    while (from < to) {
      if (left <= 0 || output.isBlocked) return from
      const size = Math.min(to - from, left, MAX_FRAME_BYTES)
      const isLast = ends && from + size === to
      output.data(id, data, from, from + size, isLast)
      link.sentData(size, size < to - from)
      this.window -= size
      left -= size
      from += size
      if (isLast) return -1
    }
    if (!ends) return from
    output.data(id, data, to, to, true)
    return -1
  }
}

function release({ data }: Piece): void {
  if (typeof data !== 'string') giveBack(data)
}
