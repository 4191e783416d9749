/**
 * The last block of a decoder. Peers repeat themselves: a client that indexes all fields sends the same few bytes with each request,
 * and nginx the same literals with each response. What such a block brings is in the decoder's fields already.
 *
 * A block is the same only if its bytes mean the same: it does not refer to the dynamic table, or does not change it.
 */
import type { Field } from './field-kinds.ts'

/** Also idle connections keep their last block. */
const MOST_BYTES = 512
const MOST_INSERTED = 16

export class LastBlock {
  #bytes = new Uint8Array(0)
  /** -1: there is none that could be repeated. */
  #length = -1
  /** Of the block before: a peer that repeats nothing costs no copies. */
  #lengthBefore = -1
  #isTrailers = false
  #refers = false
  #isOdd = false
  /** What it has inserted into the dynamic table. */
  readonly inserted: Field[] = []

  // While a block is decoded.

  begin(isTrailers: boolean): void {
    this.#length = -1
    this.#isTrailers = isTrailers
    this.#refers = false
    this.#isOdd = false
    if (this.inserted.length > 0) this.inserted.length = 0
  }

  /** To an entry of the dynamic table. */
  refers(): void {
    this.#refers = true
  }

  /** The size of the dynamic table. */
  resizes(): void {
    this.#isOdd = true
  }

  inserts(field: Field): void {
    if (this.inserted.length < MOST_INSERTED) this.inserted.push(field)
    else this.#isOdd = true
  }

  /** It is in order. */
  keep(bytes: Uint8Array, from: number, to: number): void {
    const length = to - from
    const isLikely = length === this.#lengthBefore && length <= MOST_BYTES
    this.#lengthBefore = length
    if (!isLikely || this.#isOdd || (this.#refers && this.inserted.length > 0)) return
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length)
    for (let at = 0; at < length; at++) this.#bytes[at] = bytes[from + at] ?? 0
    this.#length = length
  }

  isRepeatedBy(bytes: Uint8Array, from: number, to: number, isTrailers: boolean): boolean {
    if (to - from !== this.#length || isTrailers !== this.#isTrailers) return false
    const own = this.#bytes
    for (let at = from; at < to; at++) if (bytes[at] !== own[at - from]) return false
    return true
  }
}
