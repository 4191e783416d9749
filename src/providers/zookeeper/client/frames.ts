/**
 * Splits the bytes of a connection into frames. Memory is bounded: a frame that is longer than MAX_FRAME_BYTES is skipped as
 * it arrives, and only its beginning is passed on, so that one enormous znode does not end the connection.
 */
import { REPLY_HEAD_BYTES } from './protocol.ts'

/**
 * Room for a znode of jute.maxbuffer's default, 1 MiB, with a large margin, because the names of all children of a znode come
 * in one frame: 16 MiB are some 400,000 of nerve's.
 */
export const MAX_FRAME_BYTES: number = 16 << 20
/** Longer than this, it is no frame but some other protocol: "HTTP" as a length is 1.2 GB. */
export const MAX_SKIPPED_BYTES: number = 256 << 20

export interface FrameListener {
  onFrame(frame: Buffer): void
  /** `head`: its first bytes. Called once all of it has arrived. */
  onLongFrame(head: Buffer, length: number): void
}

export class FrameFault extends Error {
  override readonly name = 'FrameFault'
}

export class FrameReader {
  readonly #listener: FrameListener
  #parts: Buffer[] = []
  /** In `parts`, and how many are needed for the next step. */
  #size = 0
  #needed = 4
  /** Of the long frame in progress. */
  #head: Buffer | null = null
  #length = 0
  #toSkip = 0

  constructor(listener: FrameListener) {
    this.#listener = listener
  }

  /** Whether a frame of more than 64 KiB is arriving. */
  get isInLongFrame(): boolean {
    return this.#toSkip > 0 || this.#needed > 65_536
  }

  /** Throws FrameFault for a length that no frame has. */
  push(bytes: Buffer): void {
    const piece = this.#toSkip > 0 ? this.#skip(bytes) : bytes
    if (piece.length === 0) return
    this.#parts.push(piece)
    this.#size += piece.length
    if (this.#size < this.#needed) return
    const whole = this.#parts.length === 1 ? piece : Buffer.concat(this.#parts)
    this.#parts = []
    this.#size = 0
    this.#split(whole)
  }

  #split(bytes: Buffer): void {
    let at = 0
    for (;;) {
      const left = bytes.length - at
      this.#needed = 4
      if (left < 4) break
      const length = bytes.readInt32BE(at)
      if (length < 0 || length > MAX_SKIPPED_BYTES) {
        throw new FrameFault(`it announces a message of ${length} bytes, so it is not ZooKeeper`)
      }
      const isLong = length > MAX_FRAME_BYTES
      this.#needed = 4 + (isLong ? REPLY_HEAD_BYTES : length)
      if (left < this.#needed) break
      at += 4
      if (isLong) {
        this.#head = Buffer.from(bytes.subarray(at, at + REPLY_HEAD_BYTES))
        this.#length = this.#toSkip = length
        this.#needed = 4
        return this.push(bytes.subarray(at))
      }
      this.#listener.onFrame(bytes.subarray(at, at + length))
      at += length
    }
    if (at < bytes.length) {
      this.#parts = [bytes.subarray(at)]
      this.#size = bytes.length - at
    }
  }

  /** Returns the bytes after the long frame. */
  #skip(bytes: Buffer): Buffer {
    const skipped = Math.min(bytes.length, this.#toSkip)
    this.#toSkip -= skipped
    if (this.#toSkip === 0 && this.#head !== null) {
      const head = this.#head
      this.#head = null
      this.#listener.onLongFrame(head, this.#length)
    }
    return bytes.subarray(skipped)
  }
}
