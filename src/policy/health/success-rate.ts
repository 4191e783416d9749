/** How many of a server's latest requests went well: a ring of buckets over the last seconds. */

const BUCKET_MS = 100
const BUCKETS = 100

export interface Rate {
  readonly requests: number
  /** Of them that went well, 0 to 1. */
  readonly share: number
}

export class SuccessRate {
  readonly #requests = new Uint32Array(BUCKETS)
  readonly #bad = new Uint32Array(BUCKETS)
  /** Number of the newest bucket since time 0. */
  #newest = 0

  add(now: number, requests: number, bad: number): void {
    const index = this.#moveTo(now)
    this.#requests[index] = (this.#requests[index] ?? 0) + requests
    this.#bad[index] = (this.#bad[index] ?? 0) + bad
  }

  /** Of the newest buckets that hold `least` requests together, so that a change shows soon; null when all hold fewer. */
  newest(now: number, least: number): Rate | null {
    this.#moveTo(now)
    let requests = 0
    let bad = 0
    for (let age = 0; age < BUCKETS; age++) {
      const index = (this.#newest - age + BUCKETS) % BUCKETS
      requests += this.#requests[index] ?? 0
      bad += this.#bad[index] ?? 0
      if (requests >= least && requests > 0) return { requests, share: 1 - bad / requests }
    }
    return null
  }

  clear(): void {
    this.#requests.fill(0)
    this.#bad.fill(0)
  }

  /** Empties the buckets that time has passed over. A time before the newest bucket counts as its own. */
  #moveTo(now: number): number {
    const number = Math.floor(now / BUCKET_MS)
    if (number - this.#newest >= BUCKETS) {
      this.clear()
      this.#newest = number
    }
    while (this.#newest < number) {
      this.#newest++
      this.#requests[this.#newest % BUCKETS] = 0
      this.#bad[this.#newest % BUCKETS] = 0
    }
    return this.#newest % BUCKETS
  }
}

/** A server's rate with what it is compared by. */
export interface Compared<T> {
  readonly of: T
  readonly rate: Rate
  /** The mean of the other servers' rates. */
  readonly others: number
}

/** A deviation below this is no measure: three servers without a fault have none at all. */
const LEAST_DEVIATION = 0.05
const LEAST_DISTANCE = 0.1
const LEAST_OTHERS = 2
/**
 * Fifty requests say little of a rate that is not near 0 or 1, and they are looked at ten times a second, for days: what
 * chance alone could do is no difference. In standard errors.
 */
const CHANCE = 5

/** Those that are far below the others. */
export function outliers<T>(
  rates: readonly { readonly of: T; readonly rate: Rate }[],
  deviations: number,
): Compared<T>[] {
  const count = rates.length - 1
  if (count < LEAST_OTHERS) return []
  const sum = total(rates, ({ share }) => share)
  const squares = total(rates, ({ share }) => share * share)
  const requests = total(rates, (rate) => rate.requests)
  const went = total(rates, (rate) => rate.requests * rate.share)
  // If all were the same, this would be the rate of each. One good and one bad more, as nothing is certain.
  const common = (went + 1) / (requests + 2)
  return rates.flatMap(({ of, rate }) => {
    const others = (sum - rate.share) / count
    const deviation = Math.sqrt(Math.max(0, (squares - rate.share ** 2) / count - others ** 2))
    const distance = Math.max(
      deviations * Math.max(deviation, LEAST_DEVIATION),
      LEAST_DISTANCE,
      CHANCE * standardError(common, rate.requests, requests - rate.requests),
    )
    return rate.share < others - distance ? [{ of, rate, others }] : []
  })
}

/** Of the difference between two rates, over so many requests each, that are `rate` in truth. */
function standardError(rate: number, requests: number, others: number): number {
  return Math.sqrt(rate * (1 - rate) * (1 / requests + 1 / others))
}

function total(rates: readonly { readonly rate: Rate }[], of: (rate: Rate) => number): number {
  return rates.reduce((sum, { rate }) => sum + of(rate), 0)
}
