/**
 * The addresses of one server: the order in which a new connection tries them, and which connections must close because their
 * address was removed. A server given by an IP address or a unix socket has one address that never changes.
 */
import { isIP } from 'node:net'
import type { KnownName, NameTable } from '../../dns/names.ts'
import { isSocketPath } from '../../model/server-url.ts'

/** For so long, an address that could not be connected to is tried after the others. */
const AVOIDED_MS = 10_000

export class Addresses {
  readonly #host: string
  /** Null if the server is given by its address. */
  readonly #names: NameTable | null
  readonly #onChange: () => void
  #all: readonly string[]
  #turn = 0
  /** When connecting to an address failed last, by the clock of `order`. */
  readonly #failedAt = new Map<string, number>()
  readonly #onResolved = ({ addresses }: KnownName): void => {
    // If the name does not resolve, the last addresses stay.
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
    this.#names?.listen(host, this.#onResolved)
  }

  /** The address if there is exactly one, else null. */
  get only(): string | null {
    return this.#all.length === 1 ? (this.#all[0] ?? null) : null
  }

  /** Why there are none. */
  get failure(): string | null {
    return this.#names?.get(this.#host).failure ?? null
  }

  has(address: string): boolean {
    return this.#all.includes(address)
  }

  /**
   * For one connection: each time it begins with another address, IPv6 and IPv4 alternate (RFC 8305 section 4), and recently
   * failed addresses come last. Empty: the name has not been resolved.
   */
  order(now: number): readonly string[] {
    const turn = this.#turn++
    const v6 = rotated(this.#all.filter(isV6), turn)
    const v4 = rotated(
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

  /** Calls `heard` with every change of the name. Returns how to stop that. */
  wait(heard: (known: KnownName) => void): () => void {
    const names = this.#names
    names?.listen(this.#host, heard)
    return () => names?.unlisten(this.#host, heard)
  }

  close(): void {
    this.#names?.unlisten(this.#host, this.#onResolved)
  }
}

function isV6(address: string): boolean {
  return address.includes(':')
}

function rotated(addresses: readonly string[], turn: number): readonly string[] {
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
