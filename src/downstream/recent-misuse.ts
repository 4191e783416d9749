/**
 * Addresses whose HTTP/2 connections were cut off for misuse lately. Their next connections get less: otherwise each of them could do as
 * much again before it is cut off.
 */
import { readIp } from '../model/ip.ts'

/** As long as a full budget takes to fill, and some. */
const REMEMBERED_MS = 10_000
/** Of a flood from many addresses, the latest. */
const MOST_ADDRESSES = 4_096
/** A client of IPv6 has a network of its own. */
const GROUPS_OF_NETWORK = 4

export class RecentMisuse {
  /** Until when, by address, the oldest first. */
  readonly #until = new Map<string, number>()
  readonly #groups = new Uint16Array(8)

  /** `now`: by the coarse clock, here and below. */
  note(address: string, now: number): void {
    const key = this.#keyOf(address)
    this.#until.delete(key)
    this.#until.set(key, now + REMEMBERED_MS)
    if (this.#until.size <= MOST_ADDRESSES) return
    const oldest = this.#until.keys().next()
    if (oldest.done !== true) this.#until.delete(oldest.value)
  }

  has(address: string, now: number): boolean {
    if (this.#until.size === 0) return false
    const key = this.#keyOf(address)
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (until > now) return true
    this.#until.delete(key)
    return false
  }

  #keyOf(address: string): string {
    if (!address.includes(':') || !readIp(address, this.#groups)) return address
    return this.#groups.subarray(0, GROUPS_OF_NETWORK).join(':')
  }
}
