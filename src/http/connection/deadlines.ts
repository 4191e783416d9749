/**
 * Time limits without timers. Each member has a `deadlineAt`; setting it is one number write, which a request does several times.
 * A tick every 100 ms checks the members: all of them while they are few, a fifth of them if they are many, so that each is
 * checked at least twice a second, and 100,000 idle connections cost a thread about 2 ms per second.
 *
 * A late tick means that this thread was blocked. What arrived meanwhile is read before the next tick, which then checks instead:
 * a stall of the proxy never counts as a timeout of a peer.
 */
import { readClock } from './clock.ts'
import type { Faultable } from './faults.ts'

export interface Expiring extends Faultable {
  /** By the coarse clock; Infinity for no limit. */
  deadlineAt: number
  /** Owned by Deadlines. */
  deadlineIndex: number
  /** Called after the deadline. Must set a later one or remove itself. */
  expire(now: number): void
}

const TICK_MS = 100
/** A tick that is later than this follows a stall. */
const LATE_MS = 2 * TICK_MS
const ALL_AT_ONCE = 2_000
const SLICES = 5
/** Members that expire in a turn of the event loop: a client that opened hundreds of requests at once has them expire at once. */
const EXPIRED_AT_ONCE = 16

export class Deadlines {
  readonly #members: Expiring[] = []
  readonly #timer: NodeJS.Timeout
  #cursor = 0
  #tickedAt = readClock()
  #letPass = false
  /** Members that the last tick has not checked yet. */
  #unchecked = 0
  readonly #onFault: (error: unknown) => void

  /** `onFault`: for exceptions of a member's own `fault`. */
  constructor(onFault: (error: unknown) => void = rethrow) {
    this.#onFault = onFault
    this.#timer = setInterval(() => this.tick(readClock()), TICK_MS)
    this.#timer.unref()
  }

  add(member: Expiring): void {
    member.deadlineIndex = this.#members.length
    this.#members.push(member)
  }

  remove(member: Expiring): void {
    const index = member.deadlineIndex
    if (index < 0) return
    member.deadlineIndex = -1
    const last = this.#members.pop()
    if (last === undefined || last === member) return
    this.#members[index] = last
    last.deadlineIndex = index
  }

  tick(now: number): void {
    const isLate = now - this.#tickedAt > LATE_MS
    this.#tickedAt = now
    // At least every second tick checks, even if all are late.
    this.#letPass = isLate && !this.#letPass
    if (this.#letPass || this.#unchecked > 0) return
    const count = this.#members.length
    this.#unchecked = count <= ALL_AT_ONCE ? count : Math.ceil(count / SLICES)
    this.#check(now)
  }

  #check(now: number): void {
    let expired = 0
    for (; this.#unchecked > 0 && expired < EXPIRED_AT_ONCE; this.#unchecked--) {
      if (this.#cursor >= this.#members.length) this.#cursor = 0
      const member = this.#members[this.#cursor++]
      if (member === undefined || member.deadlineAt > now) continue
      this.#expire(member, now)
      expired++
    }
    if (this.#unchecked > 0) setImmediate(() => this.#check(now))
  }

  /** A member that throws is not checked again; the others are. */
  #expire(member: Expiring, now: number): void {
    try {
      member.expire(now)
    } catch (error) {
      member.deadlineAt = Infinity
      this.fault(member, error)
    }
  }

  /** Ends the member that threw, and isolates an exception of that, too. */
  fault(of: Faultable, error: unknown): void {
    try {
      of.fault(error)
    } catch (second) {
      this.#onFault(second)
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#unchecked = 0
  }
}

function rethrow(error: unknown): never {
  throw error
}
