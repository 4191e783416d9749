/**
 * How many requests a backend may have at a time, found by watching its latency: Netflix's Gradient2. As long as the latency
 * of late is near its long-term average (within `tolerance`), the limit grows by about its square root; when it is longer,
 * requests queue somewhere behind us, and the limit falls with the ratio of the two, at most to a half at a time.
 *
 * The weakness of such a measure: under load that never pauses, the average learns the queue as normal and the limit creeps
 * up without end (simulated: from 84 to 1000 in 150 s). So the average learns only from samples in which the limit holds
 * nothing back; when it does, it is halved for `DIP_SAMPLES` samples out of `DIP_AFTER`, and the average learns from what is
 * seen then, as TCP BBR probes its round trip. So the limit settles near 1.5 times what the servers do at once.
 */

export interface GradientSpec {
  readonly initial: number
  readonly min: number
  readonly max: number
  /** Latency may be so many times its average before the limit falls. */
  readonly tolerance: number
  /** The share of a new limit that is taken over at a time, above 0 to 1. */
  readonly smoothing: number
}

/** The long-term average is the plain mean of its first samples, then moves by a share of the difference. */
const WARM_SAMPLES = 10
const LONG_SHARE = 1 / 300
/** The average is this far above: what was slow is over, and it is to learn that sooner than by its own pace. */
const RELEASED = 2
const RELEASE = 0.95
/** The limit's own room to grow, and to queue in. */
const LEAST_QUEUE = 4
const LEAST_GRADIENT = 0.5
/** Below this share in use, latency says nothing about the limit. */
const USED = 0.5
/** From this share on, the limit is what holds requests back. */
const BINDING = 0.9
const DIP_AFTER = 150
const DIP_SAMPLES = 3
const DIP_SHARE = 0.7

export class Gradient2 {
  #spec: GradientSpec
  /** As it is found; `limit` is what of it is allowed. */
  #found: number
  #longMs = 0
  #samples = 0
  #binding = 0
  #dipLeft = 0
  #dipMs = 0

  constructor(spec: GradientSpec) {
    this.#spec = spec
    this.#found = spec.initial
  }

  /** A whole number, from `min` to `max`. */
  get limit(): number {
    const allowed = this.#dipLeft > 0 ? this.#found / 2 : this.#found
    return Math.max(this.#spec.min, Math.floor(allowed))
  }

  /** One sample: the mean latency in a window, and the most that were in flight in it. */
  update(rttMs: number, inFlight: number): void {
    if (!(rttMs > 0)) return
    if (this.#dipLeft > 0) {
      this.#dip(rttMs)
      return
    }
    const isBinding = inFlight >= this.#found * BINDING
    this.#learn(rttMs, isBinding)
    this.#binding = Math.max(0, this.#binding + (isBinding ? 1 : -1))
    if (inFlight < this.#found * USED) return
    const { min, max, tolerance, smoothing } = this.#spec
    const gradient = clamp((tolerance * this.#longMs) / rttMs, LEAST_GRADIENT, 1)
    const wanted = this.#found * gradient + Math.max(LEAST_QUEUE, Math.sqrt(this.#found))
    this.#found = clamp(this.#found * (1 - smoothing) + wanted * smoothing, min, max)
    if (this.#binding < DIP_AFTER) return
    this.#binding = 0
    this.#dipLeft = DIP_SAMPLES
    this.#dipMs = 0
  }

  #learn(rttMs: number, isBinding: boolean): void {
    if (this.#samples < WARM_SAMPLES) this.#move(rttMs, 1 / ++this.#samples)
    else if (!isBinding || rttMs < this.#longMs) this.#move(rttMs, LONG_SHARE)
    if (this.#longMs > rttMs * RELEASED) this.#longMs *= RELEASE
  }

  #dip(rttMs: number): void {
    // The first sample still holds requests that came before the dip.
    if (this.#dipLeft < DIP_SAMPLES) this.#dipMs += rttMs / (DIP_SAMPLES - 1)
    this.#dipLeft -= 1
    if (this.#dipLeft === 0) this.#move(this.#dipMs, DIP_SHARE)
  }

  #move(rttMs: number, share: number): void {
    this.#longMs += (rttMs - this.#longMs) * share
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}

/** What the threads have counted of a backend since ever, and what is in flight now. */
export interface AdaptiveSums {
  readonly answered: number
  readonly headMs: number
  readonly inFlight: number
}

/** A sample window: at least this long, with at least so many answers. */
const WINDOW_MS = 100
const WINDOW_ANSWERS = 10

/** Makes samples for `Gradient2` of sums that only grow. */
export class AdaptiveLimit {
  readonly #gradient: Gradient2
  #begunAt = NaN
  #answered = 0
  #headMs = 0
  #mostInFlight = 0

  constructor(spec: GradientSpec) {
    this.#gradient = new Gradient2(spec)
  }

  /** The limit as of now, to be asked at every tick; `now` in ms. */
  tick(now: number, { answered, headMs, inFlight }: AdaptiveSums): number {
    // Sums that went back are another's: a thread's column was cleared, or the slot given anew.
    if (Number.isNaN(this.#begunAt) || answered < this.#answered || headMs < this.#headMs) {
      this.#begin(now, answered, headMs)
      return this.#gradient.limit
    }
    this.#mostInFlight = Math.max(this.#mostInFlight, inFlight)
    const elapsedMs = now - this.#begunAt
    const answers = answered - this.#answered
    if (elapsedMs < WINDOW_MS || answers < WINDOW_ANSWERS) return this.#gradient.limit
    const spentMs = headMs - this.#headMs
    // Little's law: what was in flight on average, where the moments of the ticks missed it.
    this.#gradient.update(spentMs / answers, Math.max(this.#mostInFlight, spentMs / elapsedMs))
    this.#begin(now, answered, headMs)
    return this.#gradient.limit
  }

  #begin(now: number, answered: number, headMs: number): void {
    this.#begunAt = now
    this.#answered = answered
    this.#headMs = headMs
    this.#mostInFlight = 0
  }
}
