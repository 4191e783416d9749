/** The dynamic table of an encoder (RFC 7541 sections 2.3.2 and 4): whole lines of text, found by one look-up. */
import { writeInteger } from './primitives.ts'
import { MOST_ENTRIES, STATIC_ENTRIES, TABLE_BYTES } from './static-table.ts'

const MASK = MOST_ENTRIES - 1
const RESIZE = 0x20
/** How many lines are remembered after their first sight. */
const SIGHTS = 128
/** A power of two: places in a head, in which lines are looked for first. */
const PLACES = 16

export class EncodingTable {
  /** A line, to how many were inserted before it. */
  readonly #lines = new Map<string, number>()
  readonly #ring: string[] = []
  readonly #sizes = new Uint16Array(MOST_ENTRIES)
  /** Hashes of lines that were seen once. A collision makes a line enter early, or late, and does no harm. */
  readonly #sights = new Int32Array(SIGHTS)
  /** By place, the entry that was there last. */
  readonly #places = new Uint32Array(PLACES)
  #chance = 1
  #inserted = 0
  #evicted = 0
  #resized = 0
  #bytes = 0
  #maxBytes = TABLE_BYTES
  /** The smallest size since the last block, and whether the peer has to learn of a change (section 4.2). */
  #smallest = TABLE_BYTES
  #isChanged = false

  /** It changes whenever a line would be encoded otherwise. */
  get version(): number {
    return this.#inserted + this.#evicted + this.#resized
  }

  /**
   * The index of a line that was at this place of the head before, too; 0: another was there. Most heads have the same lines at the
   * same places, and to compare two texts costs less than to hash a new one.
   */
  indexAt(place: number, line: string): number {
    const before = this.#places[place & (PLACES - 1)] ?? 0
    if (before < this.#evicted || this.#ring[before & MASK] !== line) return 0
    return STATIC_ENTRIES + this.#inserted - before
  }

  /** The index of a line; 0: it is not there. */
  indexOf(line: string, place: number): number {
    const before = this.#lines.get(line)
    if (before === undefined) return 0
    this.#places[place & (PLACES - 1)] = before
    return STATIC_ENTRIES + this.#inserted - before
  }

  /** Whether a line is worth its place: it was seen before, and leaves room for others. */
  wants(line: string, size: number): boolean {
    if (size > this.#maxBytes >> 2) return false
    const hash = hashOf(line)
    const first = hash & (SIGHTS - 1)
    const second = (hash >>> 16) & (SIGHTS - 1)
    if (this.#sights[first] === hash || this.#sights[second] === hash) return true
    // With one place a line, two lines of the same head could displace each other forever.
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) | 0
    this.#sights[this.#chance < 0 ? first : second] = hash
    return false
  }

  insert(line: string, size: number): void {
    while (this.#bytes + size > this.#maxBytes) this.#evict()
    // A copy: a slice would keep the whole head in memory.
    const key = Buffer.from(line, 'latin1').toString('latin1')
    const at = this.#inserted & MASK
    this.#ring[at] = key
    this.#sizes[at] = size
    this.#lines.set(key, this.#inserted++)
    this.#bytes += size
  }

  /** The most that the peer takes. */
  resize(bytes: number): void {
    const most = Math.min(bytes, TABLE_BYTES)
    if (most === this.#maxBytes && !this.#isChanged) return
    this.#maxBytes = most
    this.#resized++
    this.#smallest = Math.min(this.#smallest, most)
    this.#isChanged = true
    while (this.#bytes > most) this.#evict()
  }

  /** What a block begins with after a change. Returns the position behind it. */
  writeResize(out: Uint8Array, at: number): number {
    if (!this.#isChanged) return at
    if (this.#smallest < this.#maxBytes) at = writeInteger(out, at, RESIZE, 0x1f, this.#smallest)
    at = writeInteger(out, at, RESIZE, 0x1f, this.#maxBytes)
    this.#isChanged = false
    this.#smallest = this.#maxBytes
    return at
  }

  #evict(): void {
    const oldest = this.#evicted++ & MASK
    this.#bytes -= this.#sizes[oldest] ?? 0
    const key = this.#ring[oldest]
    if (key !== undefined) this.#lines.delete(key)
    this.#ring[oldest] = ''
  }
}

/** Never 0. */
function hashOf(line: string): number {
  let hash = 17
  for (let at = 0; at < line.length; at++) hash = (Math.imul(hash, 31) + line.charCodeAt(at)) | 0
  return hash === 0 ? 1 : hash
}
