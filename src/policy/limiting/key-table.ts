/**
 * State of keys that clients choose, in memory that never grows: a set-associative table of [tag, value] that all threads
 * share. The tag of a key is its seeded hash, which selects a set of eight entries.
 *
 * A new key takes the entry with the smallest value of its set. So a smaller value must mean that less is lost with it. A flood
 * of distinct keys can make the table forget, but cannot make it grow.
 *
 * Hot path: an existing entry is found by plain reads of numbers, 8 ns for a set; with BigInts and atomics it takes 75. A tag
 * that changes during the read is at worst not recognized, and then searched again with atomics.
 */
import { TABLE_CELLS_PER_KEY, TABLE_KEYS } from '../../scoreboard/layout.ts'
import { hashKey } from './key-hash.ts'

const WAYS = 8
const SETS = TABLE_KEYS / WAYS
const CELLS_PER_SET = WAYS * TABLE_CELLS_PER_KEY
const NO_TAG = 0n
/** Above every value. */
const NEVER = 2n ** 63n

/** Returned if a key has no entry, because all entries of its set are kept. */
export const NO_CELL = -1

export class KeyTable {
  /** Each value follows its tag. */
  readonly cells: BigInt64Array
  /** The same memory: two Int32 a cell. */
  readonly #halves: Int32Array
  readonly #seed: number
  readonly #counting: bigint
  readonly #sought = new Int32Array(2)
  readonly #tag: BigInt64Array

  /** `counting`: the bits of a value that are added if two entries of one key are merged. */
  constructor(cells: BigInt64Array, seed: number, counting = -1n) {
    this.cells = cells
    this.#counting = counting
    this.#halves = new Int32Array(cells.buffer, cells.byteOffset, cells.length * 2)
    this.#seed = seed
    this.#tag = new BigInt64Array(this.#sought.buffer)
  }

  /**
   * Returns the cell of the key's value; a new key starts with `fresh`. `salt` distinguishes several entries of one key.
   * Another key may take the entry at any time: what is written afterwards counts for that key. An entry with a value of `kept`
   * or more is never taken; returns NO_CELL if all of the set are such.
   */
  findOrTake(key: string, salt: number, fresh: bigint, kept: bigint = NEVER): number {
    hashKey(key, this.#seed ^ salt, this.#sought)
    const one = this.#sought[0] ?? 0
    const two = this.#sought[1] ?? 0
    const first = (one & (SETS - 1)) * CELLS_PER_SET
    const halves = this.#halves
    for (let at = first; at < first + CELLS_PER_SET; at += TABLE_CELLS_PER_KEY) {
      if (halves[at * 2] === one && halves[at * 2 + 1] === two) return at + 1
    }
    return this.#take(first, this.#tag[0] ?? NO_TAG, fresh, kept)
  }

  #take(first: number, tag: bigint, fresh: bigint, kept: bigint): number {
    const { cells } = this
    for (;;) {
      let taken = first
      let takenTag = NO_TAG
      let smallest: bigint | null = null
      for (let at = first; at < first + CELLS_PER_SET; at += TABLE_CELLS_PER_KEY) {
        const present = Atomics.load(cells, at)
        if (present === tag) return at + 1
        const value = Atomics.load(cells, at + 1)
        if (smallest !== null && value >= smallest) continue
        taken = at
        takenTag = present
        smallest = value
      }
      if (smallest !== null && smallest >= kept) return NO_CELL
      if (Atomics.compareExchange(cells, taken, takenTag, tag) !== takenTag) continue
      // What another thread counted here meanwhile was for the new key.
      Atomics.compareExchange(cells, taken + 1, smallest ?? 0n, fresh)
      return this.#settle(first, tag, fresh, kept)
    }
  }

  /**
   * Another thread may have taken another entry for the same key at the same moment, and at least one of the two threads sees
   * both here: the first entry stays, and the count of the other is added to it.
   */
  #settle(first: number, tag: bigint, fresh: bigint, kept: bigint): number {
    const { cells } = this
    let stays = -1
    for (let at = first; at < first + CELLS_PER_SET; at += TABLE_CELLS_PER_KEY) {
      if (Atomics.load(cells, at) !== tag) continue
      if (stays < 0) stays = at
      else if (Atomics.compareExchange(cells, at, tag, NO_TAG) === tag) {
        const value = Atomics.exchange(cells, at + 1, 0n)
        const counted = (value & this.#counting) - (fresh & this.#counting)
        if (counted > 0n) Atomics.add(cells, stays + 1, counted)
      }
    }
    // Another key has already taken it: search again.
    return stays < 0 ? this.#take(first, tag, fresh, kept) : stays + 1
  }
}
