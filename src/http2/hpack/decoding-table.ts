/** The dynamic table of a decoder (RFC 7541 sections 2.3.2 and 4): a ring of fields, the newest has index 0. */
import type { Field } from './field-kinds.ts'
import { MOST_ENTRIES, TABLE_BYTES } from './static-table.ts'

const MASK = MOST_ENTRIES - 1

export class DecodingTable {
  readonly #ring: (Field | undefined)[] = []
  /** How many fields were ever inserted: where the next one goes. */
  #inserted = 0
  #count = 0
  #bytes = 0
  #maxBytes = TABLE_BYTES
  /** It changes whenever an index stands for another field, or for none. */
  version = 0

  get(index: number): Field | undefined {
    return index < this.#count ? this.#ring[(this.#inserted - 1 - index) & MASK] : undefined
  }

  insert(field: Field): void {
    this.version++
    while (this.#count > 0 && this.#bytes + field.size > this.#maxBytes) this.#evict()
    // Section 4.4: a field that is larger than the table leaves it empty.
    if (field.size > this.#maxBytes) return
    this.#ring[this.#inserted & MASK] = field
    this.#inserted = (this.#inserted + 1) | 0
    this.#count++
    this.#bytes += field.size
  }

  /** False: more than this side allows. */
  resize(bytes: number): boolean {
    if (bytes > TABLE_BYTES) return false
    this.version++
    this.#maxBytes = bytes
    while (this.#bytes > bytes) this.#evict()
    return true
  }

  #evict(): void {
    const oldest = (this.#inserted - this.#count) & MASK
    this.#bytes -= this.#ring[oldest]?.size ?? 0
    this.#ring[oldest] = undefined
    this.#count--
  }
}
