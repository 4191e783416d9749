/**
 * The limit of concurrent requests of a backend, found from its latency: Netflix's Gradient2. While the recent latency is near
 * its long-term average (within `tolerance`), the limit grows by about its square root. If it is higher, requests queue
 * somewhere behind this program, and the limit falls with the ratio of the two, by at most a half at a time.
 *
 * The weakness of that algorithm: under load without pauses, the average learns the queue as normal and the limit creeps up
 * without end (simulated: from 84 to 1000 in 150 s). So the average learns only from samples in which the limit held nothing
 * back. If it does hold requests back, it is halved for `DIP_SAMPLES` samples out of `DIP_AFTER`, and the average learns from
 * those, as TCP BBR probes its round trip. The limit settles near 1.5 times what the servers handle at once.
 */

export interface GradientSpec {
  readonly initial: number
  readonly min: number
  readonly max: number
  /** The limit falls when the latency is above so many times its average. */
  readonly tolerance: number
  /** The weight of a new limit against the present one, above 0 to 1. */
  readonly smoothing: number
}

/** The long-term average is the plain mean of its first samples, then moves by a share of the difference. */
const WARM_SAMPLES = 10
const LONG_SHARE = 1 / 300
/** If the average is above so many times a sample, a slow period has ended, and the average falls faster. */
const RELEASED = 2
const RELEASE = 0.95
/** The limit grows by at least this, which may also queue. */
const LEAST_QUEUE = 4
const LEAST_GRADIENT = 0.5
/** Below this share of the limit in use, latency says nothing about the limit. */
const USED = 0.5
/** From this share on, the limit holds requests back. */
const BINDING = 0.9
const DIP_AFTER = 150
const DIP_SAMPLES = 3
const DIP_SHARE = 0.7

export class Gradient2 {
  #spec: GradientSpec
  /** The limit that was found; `limit` may be lower. */
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

  /** Takes one sample: the mean latency in a window, and the maximum in flight. */
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
    // The first sample includes requests from before the dip.
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

/** The totals that the threads have counted, and the requests in flight now. */
export interface AdaptiveSums {
  readonly responses: number
  readonly headMs: number
  readonly inFlight: number
}

/** A sample window: at least this long, with at least so many responses. */
const WINDOW_MS = 100
const WINDOW_RESPONSES = 10

/** Makes samples for `Gradient2` from totals. */
export class AdaptiveLimit {
  readonly #gradient: Gradient2
  #begunAt = NaN
  #responses = 0
  #headMs = 0
  #mostInFlight = 0

  constructor(spec: GradientSpec) {
    this.#gradient = new Gradient2(spec)
  }

  /** Takes the totals at every tick and returns the limit; `now` in ms. */
  tick(now: number, { responses, headMs, inFlight }: AdaptiveSums): number {
    // Totals fall if the column of a thread was cleared, or another object has the slot.
    if (Number.isNaN(this.#begunAt) || responses < this.#responses || headMs < this.#headMs) {
      this.#begin(now, responses, headMs)
      return this.#gradient.limit
    }
    this.#mostInFlight = Math.max(this.#mostInFlight, inFlight)
    const elapsedMs = now - this.#begunAt
    const newResponses = responses - this.#responses
    if (elapsedMs < WINDOW_MS || newResponses < WINDOW_RESPONSES) return this.#gradient.limit
    const spentMs = headMs - this.#headMs
    // Little's law gives the average in flight, which may be above what was seen at the ticks.
    this.#gradient.update(spentMs / newResponses, Math.max(this.#mostInFlight, spentMs / elapsedMs))
    this.#begin(now, responses, headMs)
    return this.#gradient.limit
  }

  #begin(now: number, responses: number, headMs: number): void {
    this.#begunAt = now
    this.#responses = responses
    this.#headMs = headMs
    this.#mostInFlight = 0
  }
}
