/**
 * What a peer may spend on frames that cost work and advance no request: an account that fills up again with time. Two kinds of
 * frames are charged.
 *
 * - Resets, errors that the peer provokes (MadeYouReset, CVE-2025-8671) and heads that are too large, by what they take: nothing pays
 *   for them but time.
 * - Chatter: PING, SETTINGS, PRIORITY, unknown frames, empty DATA, small WINDOW_UPDATEs. DATA in either direction pays for it
 *   first, because gRPC peers send PINGs and small credits for as long as messages pass.
 */
import { readClock } from '../http/connection/clock.ts'

export interface BudgetLimits {
  readonly burst: number
  readonly perSecond: number
}

export const COST: {
  readonly RESET: 1
  readonly PROVOKED_ERROR: 5
  readonly HEAD_TOO_LARGE: 1
  readonly CHATTER: 1
} = { RESET: 1, PROVOKED_ERROR: 5, HEAD_TOO_LARGE: 1, CHATTER: 1 }

/** Steps of the decoder: so many are free for each field that a head may have, and so many more cost one. */
const FREE_STEPS = 4
const STEPS_OF_COST = 100

/** Of a head that took much before it was refused: thousands of references, or of changes of the table's size. */
export function costOfHead(steps: number, fields: number): number {
  const excess = steps - FREE_STEPS * fields
  return excess > 0 ? Math.ceil(excess / STEPS_OF_COST) : 0
}

/** A frame of DATA pays for a WINDOW_UPDATE of its stream, one of the connection and a PING. */
const EARNED_BY_DATA = 3
const MOST_EARNED = 1_000

export class Budget {
  readonly #limits: BudgetLimits
  #left: number
  #filledAt: number
  #earned = 0

  constructor(limits: BudgetLimits) {
    this.#limits = limits
    this.#left = limits.burst
    this.#filledAt = readClock()
  }

  /** False: the account is empty, the peer is cut off. */
  charge(cost: number): boolean {
    this.#left -= cost
    if (this.#left >= 0) return true
    const now = readClock()
    const { burst, perSecond } = this.#limits
    this.#left = Math.min(burst, this.#left + ((now - this.#filledAt) * perSecond) / 1000)
    this.#filledAt = now
    return this.#left >= 0
  }

  chatter(cost: number = COST.CHATTER): boolean {
    if (this.#earned >= cost) {
      this.#earned -= cost
      return true
    }
    return this.charge(cost)
  }

  /** A frame of DATA with content has passed. */
  earn(): void {
    if (this.#earned < MOST_EARNED) this.#earned += EARNED_BY_DATA
  }
}
