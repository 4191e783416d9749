/** The rate of success of a server's recent requests: a ring of buckets over the last ten seconds. */

const BUCKET_MS = 100
const BUCKETS = 100

export interface Rate {
  readonly requests: number
  /** The share of successes, 0 to 1. */
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

  /** Over the newest buckets with `least` requests in total, so that a change shows soon; null if all have fewer. */
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

  /** Empties the buckets up to `now`. A time before the newest bucket counts for that bucket. */
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

/** The rate of a server, and the rate that it is compared with. */
export interface Compared<T> {
  readonly of: T
  readonly rate: Rate
  /** The mean of the other servers' rates. */
  readonly others: number
}

/** A smaller deviation is replaced by this: three servers without a failure have none at all. */
const LEAST_DEVIATION = 0.05
const LEAST_DISTANCE = 0.1
const LEAST_OTHERS = 2
/**
 * Fifty requests say little about a rate that is not near 0 or 1, and rates are compared ten times a second, for days. A
 * smaller difference may be chance. In standard errors.
 */
const CHANCE = 5

/** Returns the rates that are far below the others. */
export function outliers<T>(
  rates: readonly { readonly of: T; readonly rate: Rate }[],
  deviations: number,
): Compared<T>[] {
  const count = rates.length - 1
  if (count < LEAST_OTHERS) return []
  const sum = total(rates, ({ share }) => share)
  const squares = total(rates, ({ share }) => share * share)
  const requests = total(rates, (rate) => rate.requests)
  const successes = total(rates, (rate) => rate.requests * rate.share)
  // The rate of each server if all were the same; one success and one failure are added (Laplace's rule of succession).
  const common = (successes + 1) / (requests + 2)
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

/** The standard error of the difference between two measured rates that are both `rate` in truth. */
function standardError(rate: number, requests: number, others: number): number {
  return Math.sqrt(rate * (1 - rate) * (1 / requests + 1 / others))
}

function total(rates: readonly { readonly rate: Rate }[], of: (rate: Rate) => number): number {
  return rates.reduce((sum, { rate }) => sum + of(rate), 0)
}
