/**
 * Small pieces of one body that follow each other in a read, passed on as one. A frame of a byte costs ten bytes on the wire, and passing
 * it on cost some 3 us: four clients that sent their bodies so held a thread for seconds.
 */
import type { Http2Stream } from './stream.ts'

/** Larger pieces are passed on where they are. */
export const MOST_GATHERED_BYTES = 512
/** Below what a taker may hold on to (JOIN_BYTES). */
const MOST_TOGETHER_BYTES = 15 * 1024
const NOTHING = Buffer.alloc(0)

export class GatheredData {
  #stream: Http2Stream | null = null
  /** Of the read buffer, where the first piece was. */
  #bytes: Buffer = NOTHING
  #from = 0
  #to = 0

  /** 0: there is none. */
  get streamId(): number {
    return this.#stream?.id ?? 0
  }

  /** The pieces come in the order of their places in the buffer; what is between them is not needed any more. */
  add(stream: Http2Stream, bytes: Buffer, from: number, to: number): void {
    const size = to - from
    const isNext = this.#stream === stream && this.#bytes === bytes && this.#to <= from
    if (isNext && this.#to + size - this.#from <= MOST_TOGETHER_BYTES) {
      bytes.copyWithin(this.#to, from, to)
      this.#to += size
      return
    }
    this.pass(false)
    this.#stream = stream
    this.#bytes = bytes
    this.#from = from
    this.#to = to
  }

  /** `ended`: the body ends with it. Before anything else of the read has an effect. */
  pass(ended: boolean): void {
    const stream = this.#stream
    if (stream === null) return
    this.#stream = null
    const bytes = this.#bytes
    this.#bytes = NOTHING
    if (stream.isReset) stream.link.credit(this.#to - this.#from)
    else {
      if (ended) stream.incoming.isComplete = true
      stream.incoming.take(bytes, this.#from, this.#to, ended)
    }
  }
}
