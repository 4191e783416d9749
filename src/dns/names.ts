/**
 * Where names lead, as one serving thread knows it. Names are resolved on the main thread, once for the whole process; what
 * changes crosses to the threads as data. Asking here is a look into a map: no request causes a look-up.
 */

/** What crosses the seam. */
export interface NameNews {
  readonly name: string
  /** All that may be connected to; empty while there is none. Null: the name is not followed any more. */
  readonly addresses: readonly string[] | null
  /** Why there is no address, or why the last look-up brought none. */
  readonly failure: string | null
}

/** Without addresses and without a failure it has not been resolved yet. */
export interface KnownName {
  readonly addresses: readonly string[]
  readonly failure: string | null
}

export type NameListener = (known: KnownName) => void

const UNKNOWN: KnownName = { addresses: [], failure: null }

export class NameTable {
  readonly #known = new Map<string, KnownName>()
  readonly #listeners = new Map<string, Set<NameListener>>()

  get(name: string): KnownName {
    return this.#known.get(name) ?? UNKNOWN
  }

  hear(news: readonly NameNews[]): void {
    for (const { name, addresses, failure } of news) {
      if (addresses === null) {
        this.#known.delete(name)
        continue
      }
      const known = { addresses, failure }
      this.#known.set(name, known)
      for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(known)
    }
  }

  listen(name: string, listener: NameListener): void {
    const listeners = this.#listeners.get(name)
    if (listeners === undefined) this.#listeners.set(name, new Set([listener]))
    else listeners.add(listener)
  }

  unlisten(name: string, listener: NameListener): void {
    const listeners = this.#listeners.get(name)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#listeners.delete(name)
  }
}
