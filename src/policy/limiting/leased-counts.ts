/**
 * How many requests of each key are in flight over all threads, in the cells of a `KeyTable`. A thread that dies cannot release
 * its counts, so they are leased: a cell has the counts of this lease period and of the previous one, and older ones expire.
 * Every thread renews its counts at least once a period; those of a dead one are gone after two.
 *
 *   value: period (32 bits and more) | begun or renewed in the previous period (16) | in this period (16)
 *
 * It is 0 if nothing is in flight, and grows with the period: a new key takes an entry that counts nothing.
 */
export const LEASE_MS = 30_000

/** The largest count of a cell. */
export const MAX_LEASED = 0xffff

const COUNT_BITS = 32n
/** The bits of a value that are counts. */
export const LEASED_MASK = 0xffff_ffffn
/** Above 1, so that an expired value is below every period that counts. */
const FIRST_PERIOD = 2

/** What a thread has in flight for one key. `before` and `now` are its part of the shared cell, as of `period`. */
export interface Lease {
  readonly at: number
  /** The tag of the key: if the entry has another one, nothing of this lease is in it. */
  readonly tag: bigint
  total: number
  period: number
  before: number
  now: number
}

export class LeasedCounts {
  readonly #cells: BigInt64Array
  readonly #held = new Map<number, Lease>()
  #period = 0
  #bits = 0n

  constructor(cells: BigInt64Array) {
    this.#cells = cells
  }

  get isEmpty(): boolean {
    return this.#held.size === 0
  }

  /** The initial value of a key. */
  fresh(nowMs: number): bigint {
    this.#setPeriod(nowMs)
    return this.#bits
  }

  /** Values below this count nothing. */
  spent(nowMs: number): bigint {
    return this.fresh(nowMs) - (1n << COUNT_BITS)
  }

  /** Counts one more in this cell; null if `most` are in flight. */
  take(at: number, most: number, nowMs: number): Lease | null {
    this.#setPeriod(nowMs)
    if (!this.#add(at, 0, 1, most)) return null
    const tag = this.#tagOf(at)
    let holding = this.#held.get(at)
    if (holding?.tag !== tag) {
      holding = { at, tag, total: 0, period: this.#period, before: 0, now: 0 }
      this.#held.set(at, holding)
    }
    this.#roll(holding)
    holding.total += 1
    holding.now += 1
    return holding
  }

  release(holding: Lease, nowMs: number): void {
    this.#setPeriod(nowMs)
    this.#roll(holding)
    holding.total -= 1
    if (holding.total === 0 && this.#held.get(holding.at) === holding) this.#held.delete(holding.at)
    if (this.#tagOf(holding.at) !== holding.tag) return
    if (holding.now > 0) {
      holding.now -= 1
      this.#add(holding.at, 0, -1, Infinity)
    } else if (holding.before > 0) {
      holding.before -= 1
      this.#add(holding.at, -1, 0, Infinity)
    }
  }

  /** To be called several times within `LEASE_MS` while there are leases. */
  renew(nowMs: number): void {
    this.#setPeriod(nowMs)
    for (const holding of this.#held.values()) {
      this.#roll(holding)
      if (this.#tagOf(holding.at) !== holding.tag) this.#held.delete(holding.at)
      else if (holding.now < holding.total) {
        this.#add(holding.at, -holding.before, holding.total - holding.now, Infinity)
        holding.before = 0
        holding.now = holding.total
      }
    }
  }

  #add(at: number, before: number, now: number, most: number): boolean {
    const cells = this.#cells
    for (;;) {
      const value = Atomics.load(cells, at)
      const period = Number(value >> COUNT_BITS)
      const age = this.#period - period
      const counts = Number(value & LEASED_MASK)
      const lastBefore = counts >>> 16
      const lastNow = counts & 0xffff
      // A later period comes from a thread that read the clock later. It stays, and this period is the previous one in the cell:
      // an earlier period in the cell would make its next reader drop the counts.
      const isAhead = age < 0
      const isBefore = age <= 0 ? lastBefore : age === 1 ? lastNow : 0
      const isNow = age <= 0 ? lastNow : 0
      if (isBefore + isNow >= most) return false
      const nextBefore = bounded(isBefore + (isAhead ? now : before))
      const nextNow = bounded(isNow + (isAhead ? 0 : now))
      const bits = isAhead ? BigInt(period) << COUNT_BITS : this.#bits
      const next = nextBefore + nextNow === 0 ? 0n : bits | BigInt(nextBefore * 65_536 + nextNow)
      if (Atomics.compareExchange(cells, at, value, next) === value) return true
    }
  }

  #roll(holding: Lease): void {
    const age = this.#period - holding.period
    if (age <= 0) return
    holding.before = age === 1 ? holding.now : 0
    holding.now = 0
    holding.period = this.#period
  }

  #tagOf(at: number): bigint {
    return Atomics.load(this.#cells, at - 1)
  }

  #setPeriod(nowMs: number): void {
    const period = FIRST_PERIOD + Math.floor(nowMs / LEASE_MS)
    if (period <= this.#period) return
    this.#period = period
    this.#bits = BigInt(period) << COUNT_BITS
  }
}

/** A count may have expired before its release, if its thread stalled for two periods. */
function bounded(count: number): number {
  return Math.min(Math.max(count, 0), MAX_LEASED)
}
