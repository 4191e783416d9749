/**
 * The addresses of one server: in which order a new connection tries them, and which connections have to go because their
 * address is no longer one of them. Of a server that is named by an address, or is a unix socket, there is the one, and nothing ever changes.
 */
import { isIP } from 'node:net'
import type { KnownName, NameTable } from '../../dns/names.ts'
import { isSocketPath } from '../../model/server-url.ts'

/** An address that could not be connected to is tried after the others for so long. */
const AVOIDED_MS = 10_000

export class Addresses {
  readonly #host: string
  /** Null: the server is named by its address. */
  readonly #names: NameTable | null
  readonly #onChange: () => void
  #all: readonly string[]
  #turn = 0
  /** When it could not be connected to, of the clock that `order` is given. */
  readonly #failedAt = new Map<string, number>()
  readonly #hear = ({ addresses }: KnownName): void => {
    // Of a name that fails the last good ones stay.
    if (addresses.length === 0 || addresses === this.#all) return
    this.#all = addresses
    for (const address of this.#failedAt.keys()) {
      if (!addresses.includes(address)) this.#failedAt.delete(address)
    }
    this.#onChange()
  }

  constructor(host: string, names: NameTable, onChange: () => void) {
    this.#host = host
    this.#onChange = onChange
    this.#names = isIP(host) === 0 && !isSocketPath(host) ? names : null
    this.#all = this.#names === null ? [host] : names.get(host).addresses
    this.#names?.listen(host, this.#hear)
  }

  /** The address, where there is one and no other; else null. */
  get only(): string | null {
    return this.#all.length === 1 ? (this.#all[0] ?? null) : null
  }

  /** Why there is none. */
  get failure(): string | null {
    return this.#names?.get(this.#host).failure ?? null
  }

  has(address: string): boolean {
    return this.#all.includes(address)
  }

  /**
   * For one connection: another address first each time, IPv6 and IPv4 by turns (RFC 8305 section 4), and those that failed
   * lately last. Empty: the name has not been resolved.
   */
  order(now: number): readonly string[] {
    const turn = this.#turn++
    const v6 = turned(this.#all.filter(isV6), turn)
    const v4 = turned(
      this.#all.filter((address) => !isV6(address)),
      turn,
    )
    const mixed = v6.length > 0 ? interleave(v6, v4) : v4
    const isAvoided = (address: string): boolean =>
      now - (this.#failedAt.get(address) ?? -Infinity) < AVOIDED_MS
    return this.#failedAt.size === 0
      ? mixed
      : [...mixed.filter((one) => !isAvoided(one)), ...mixed.filter(isAvoided)]
  }

  failed(address: string, now: number): void {
    this.#failedAt.set(address, now)
  }

  connected(address: string): void {
    this.#failedAt.delete(address)
  }

  /** Calls back with the next news of the name. Answers how to call that off. */
  wait(heard: (known: KnownName) => void): () => void {
    const names = this.#names
    names?.listen(this.#host, heard)
    return () => names?.unlisten(this.#host, heard)
  }

  close(): void {
    this.#names?.unlisten(this.#host, this.#hear)
  }
}

function isV6(address: string): boolean {
  return address.includes(':')
}

function turned(addresses: readonly string[], turn: number): readonly string[] {
  const start = addresses.length === 0 ? 0 : turn % addresses.length
  return [...addresses.slice(start), ...addresses.slice(0, start)]
}

function interleave(first: readonly string[], second: readonly string[]): readonly string[] {
  const mixed: string[] = []
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    mixed.push(...first.slice(at, at + 1), ...second.slice(at, at + 1))
  }
  return mixed
}
