/**
 * The references to plain fields that one head after the other of a connection has in a row. While the dynamic table stays as it is
 * the same bytes stand for the same lines, so that from the third head on a client's fields are one text, which needs no look-up,
 * no concatenation, and no walk through pieces when it is sent.
 */
import type { Field } from './field-kinds.ts'

const FEWEST = 3
const MOST = 32

export class IndexedRun {
  /** Of all its fields; '' before it has repeated. */
  lines = ''
  /** Of all its fields (RFC 7541 section 4.1). */
  size = 0
  /** References of one byte each. */
  count = 0
  /** -1 if there is none. */
  first = -1
  #references: Uint8Array | null = null
  #version = -1

  /** Whether it is what stands there, as the table is. */
  isAt(bytes: Uint8Array, at: number, to: number, version: number): boolean {
    const { count } = this
    const references = this.#references
    if (references === null || version !== this.#version || to - at < count) return false
    for (let index = 0; index < count; index++) {
      if (bytes[at + index] !== references[index]) return false
    }
    return true
  }

  /** It has repeated. */
  resolve(entry: (index: number) => Field | undefined): void {
    let lines = ''
    this.size = 0
    for (let index = 0; index < this.count; index++) {
      const field = entry((this.#references?.[index] ?? 0) & 0x7f)
      if (field === undefined) throw new Error('a field that was found is not in the table')
      lines += field.line
      this.size += field.size
    }
    // In one piece.
    this.lines = Buffer.from(lines, 'latin1').toString('latin1')
  }

  /** `count` bytes from `at` on may be the next one, if it has not been there already. */
  note(bytes: Uint8Array, at: number, count: number, version: number): void {
    if (count < FEWEST || count > MOST) return
    if (count === this.count && this.isAt(bytes, at, at + count, version)) return
    this.#references ??= new Uint8Array(MOST)
    for (let index = 0; index < count; index++) this.#references[index] = bytes[at + index] ?? 0
    this.first = bytes[at] ?? -1
    this.count = count
    this.#version = version
    this.lines = ''
  }
}
