/** The measures of the last minutes, with the spans that they are of. */
import { addDurations, type Measure, quantileMs } from './measure.ts'

interface Span {
  /** ms. */
  readonly from: number
  readonly to: number
  readonly measure: Measure
}

/** With a measure every 2 s that is more than the longest window. */
const MAX_SPANS = 4096

export class MeasureWindow {
  #spans: Span[] = []

  /** Spans come in their order, and do not overlap. What ended more than `keepMs` before `to` is dropped. */
  add(from: number, to: number, measure: Measure, keepMs: number): void {
    if (to <= from) return
    this.#spans.push({ from, to, measure })
    const first = this.#spans.findIndex((span) => span.to > to - keepMs)
    const surplus = Math.max(first, this.#spans.length - MAX_SPANS)
    if (surplus > 0) this.#spans = this.#spans.slice(surplus)
  }

  /** Weighted by time, over the part of `[from, to]` that was measured; null: none of it was. */
  mean(of: (measure: Measure) => number, from: number, to: number): number | null {
    let integral = 0
    let measured = 0
    for (const span of this.#spans) {
      const ms = Math.min(span.to, to) - Math.max(span.from, from)
      if (ms <= 0) continue
      integral += of(span.measure) * ms
      measured += ms
    }
    return measured === 0 ? null : integral / measured
  }

  /** A quantile of the durations of exchanges that ended in spans within `[from, to]`, and how many there were. */
  durations(quantile: number, from: number, to: number): { ms: number | null; count: number } {
    const within = this.#spans.filter((span) => span.from >= from && span.to <= to)
    const durations = addDurations(within.map(({ measure }) => measure.durations))
    const count = durations.reduce((sum, one) => sum + one, 0)
    return { ms: quantileMs(durations, quantile), count }
  }
}
