/**
 * Fields as they were encoded lately, by their text. Heads in a row often have the same fields (one kind of resource within one second),
 * or those of a few clients in turn. Their block is copied while the encoder's table stays as it is.
 */

/** A longer text is encoded each time, since idle connections hold it. */
const MOST_CHARACTERS = 1024

export interface EncodedText {
  text: string
  /** Null before it has been encoded twice with the same table. */
  block: Uint8Array | null
  /** Of the table. */
  version: number
}

export class EncodedTexts {
  readonly #most: number
  readonly #entries: EncodedText[] = []
  #next = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Null: it is too long. */
  of(text: string): EncodedText | null {
    const entries = this.#entries
    for (const entry of entries) if (entry.text === text) return entry
    if (text.length > MOST_CHARACTERS) return null
    const entry = (entries[this.#next] ??= { text, block: null, version: -1 })
    this.#next = (this.#next + 1) % this.#most
    entry.text = text
    entry.block = null
    entry.version = -1
    return entry
  }
}
