/**
 * The addresses of names in one serving thread. The main thread resolves names once for the whole process and posts changes
 * to the threads. Here an address is found in a map: no request causes a lookup.
 */

/** A message from the main thread. */
export interface NameChange {
  readonly name: string
  /** The allowed addresses; empty while there are none. Null: the name is not followed any more. */
  readonly addresses: readonly string[] | null
  /** Why there is no address, or why the last lookup failed. */
  readonly failure: string | null
}

/** Without addresses and without a failure: not resolved yet. */
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

  apply(changes: readonly NameChange[]): void {
    for (const { name, addresses, failure } of changes) {
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
