/** ZooKeeper's serialization, jute: big-endian numbers, and buffers and strings with an int for their length. */

export class JuteWriter {
  /** With room for the frame's length. */
  #buffer: Buffer = Buffer.allocUnsafe(256)
  #at = 4

  int(value: number): this {
    this.#at = this.#room(4).writeInt32BE(value, this.#at)
    return this
  }

  long(value: bigint): this {
    this.#at = this.#room(8).writeBigInt64BE(value, this.#at)
    return this
  }

  bool(value: boolean): this {
    this.#at = this.#room(1).writeUInt8(value ? 1 : 0, this.#at)
    return this
  }

  bytes(value: Buffer): this {
    this.int(value.length)
    value.copy(this.#room(value.length), this.#at)
    this.#at += value.length
    return this
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value))
  }

  /** The whole frame. */
  frame(): Buffer {
    this.#buffer.writeInt32BE(this.#at - 4, 0)
    return this.#buffer.subarray(0, this.#at)
  }

  #room(bytes: number): Buffer {
    if (this.#at + bytes > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#at + bytes))
      this.#buffer.copy(larger, 0, 0, this.#at)
      this.#buffer = larger
    }
    return this.#buffer
  }
}

/** The frame is shorter than what it should hold, or a length in it is negative. */
export class JuteFault extends Error {
  override readonly name = 'JuteFault'
}

/** Throws JuteFault instead of reading past the end. */
export class JuteReader {
  readonly #frame: Buffer
  #at = 0

  constructor(frame: Buffer) {
    this.#frame = frame
  }

  /** Bytes that are not read yet. */
  get left(): number {
    return this.#frame.length - this.#at
  }

  int(): number {
    return this.#frame.readInt32BE(this.#take(4))
  }

  long(): bigint {
    return this.#frame.readBigInt64BE(this.#take(8))
  }

  bool(): boolean {
    return this.#frame.readUInt8(this.#take(1)) !== 0
  }

  /** A view into the frame. A length of -1 stands for null, which has no bytes. */
  bytes(): Buffer {
    const length = this.int()
    if (length === -1) return this.#frame.subarray(0, 0)
    if (length < 0) throw new JuteFault(`a length is ${length}`)
    const start = this.#take(length)
    return this.#frame.subarray(start, start + length)
  }

  text(): string {
    return this.bytes().toString('utf8')
  }

  /** `read` is called for each element. */
  list<T>(read: () => T): T[] {
    const count = this.int()
    if (count === -1) return []
    // Each element has at least its length.
    if (count < 0 || count > this.left / 4) throw new JuteFault(`a list has ${count} elements`)
    return Array.from({ length: count }, read)
  }

  skip(bytes: number): void {
    this.#take(bytes)
  }

  /** Where the bytes start. */
  #take(bytes: number): number {
    const start = this.#at
    if (bytes > this.left) throw new JuteFault(`it ends after ${this.#frame.length} bytes`)
    this.#at = start + bytes
    return start
  }
}
