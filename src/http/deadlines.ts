/**
 * Time limits without timers. Whoever can run out of time carries `deadlineAt`; setting it is a number write, which a
 * request does several times. A tick every 100 ms walks the members: all of them while they are few, a fifth at a
 * time when they are many, so that each is looked at twice a second at least and 100,000 idle connections cost a
 * thread some 2 ms a second.
 *
 * A tick that comes late was held up by ourselves. What others sent meanwhile waits in the sockets and is read before the
 * next tick, so that one judges instead: a stall of ours is never a failure of theirs.
 */
import { readClock } from './clock.ts'
import type { Faultable } from './faults.ts'

export interface Expiring extends Faultable {
  /** On the coarse clock; Infinity when nothing is awaited. */
  deadlineAt: number
  /** Kept by Deadlines. */
  deadlineIndex: number
  /** Called once it is past; sets a later deadline or leaves. */
  expire(now: number): void
}

const TICK_MS = 100
/** Later than this is a stall. */
const LATE_MS = 2 * TICK_MS
const ALL_AT_ONCE = 2_000
const SLICES = 5

export class Deadlines {
  readonly #members: Expiring[] = []
  readonly #timer: NodeJS.Timeout
  #cursor = 0
  #tickedAt = readClock()
  #letPass = false
  readonly #onFault: (error: unknown) => void

  /** `onFault`: what not even a member's own `fault` could end. */
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
    // One of two at least judges, also where every tick is late.
    this.#letPass = isLate && !this.#letPass
    if (this.#letPass) return
    const count = this.#members.length
    let visits = count <= ALL_AT_ONCE ? count : Math.ceil(count / SLICES)
    for (; visits > 0; visits--) {
      if (this.#cursor >= this.#members.length) this.#cursor = 0
      const member = this.#members[this.#cursor++]
      if (member !== undefined && member.deadlineAt <= now) this.#expire(member, now)
    }
  }

  /** One that throws is looked at no more, and the others are. */
  #expire(member: Expiring, now: number): void {
    try {
      member.expire(now)
    } catch (error) {
      member.deadlineAt = Infinity
      this.fault(member, error)
    }
  }

  /** Ends what threw, and keeps what that throws from everything else. */
  fault(of: Faultable, error: unknown): void {
    try {
      of.fault(error)
    } catch (second) {
      this.#onFault(second)
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

function rethrow(error: unknown): never {
  throw error
}
