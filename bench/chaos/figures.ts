/** What the samples of a load say: pure functions over them. */
import { percentile } from '../figures.ts'
import type { Sample } from './load.ts'
import type { Arrival } from './server.ts'

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

export interface Phase {
  readonly requests: number
  /** Anything but a whole and right 200. */
  readonly failedIdempotent: number
  readonly failedOther: number
  /** How often each outcome was. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Of all requests, 0 to 1. */
  readonly share5xx: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Requests that came to servers for these, each as often as it came. */
  readonly attempts: number
}

export function phaseOf(
  samples: readonly Sample[],
  arrivals: readonly Arrival[],
  span: Span,
): Phase {
  const within = samples.filter((sample) => isWithin(sample, span))
  const took = within.map(({ tookMs }) => tookMs)
  const failed = within.filter(({ outcome }) => outcome !== 200)
  const outcomes: Record<string, number> = {}
  for (const { outcome } of within) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  const numbers = new Set(within.map(({ number }) => number))
  return {
    requests: within.length,
    failedIdempotent: failed.filter(({ post }) => !post).length,
    failedOther: failed.filter(({ post }) => post).length,
    outcomes,
    share5xx: failed.filter(({ outcome }) => Number(outcome) >= 500).length / within.length,
    p50Ms: percentile(took, 0.5),
    p99Ms: percentile(took, 0.99),
    maxMs: percentile(took, 1),
    attempts: arrivals.filter(({ number }) => numbers.has(number)).length,
  }
}

/**
 * How long after the beginning of the span p99 is below the limit again, looked at over a second each from every tenth of
 * one on; null: not within the span.
 */
export function backBelowMs(
  samples: readonly Sample[],
  span: Span,
  limitMs: number,
): number | null {
  for (let fromMs = span.fromMs; fromMs + 1_000 <= span.toMs; fromMs += 100) {
    const second = { fromMs, toMs: fromMs + 1_000 }
    const took = samples.filter((one) => isWithin(one, second)).map(({ tookMs }) => tookMs)
    if (percentile(took, 0.99) < limitMs) return fromMs - span.fromMs
  }
  return null
}

/** Of each tenth of a second, to be drawn: requests, failures, p50 and p99. */
export function timeline(
  samples: readonly Sample[],
  span: Span,
): readonly (readonly [requests: number, failed: number, p50Ms: number, p99Ms: number])[] {
  const tenths: Sample[][] = []
  for (const sample of samples) {
    if (!isWithin(sample, span)) continue
    const tenth = Math.floor((sample.atMs - span.fromMs) / 100)
    ;(tenths[tenth] ??= []).push(sample)
  }
  return Array.from(tenths, (ones = []) => {
    const took = ones.map(({ tookMs }) => tookMs)
    const failed = ones.filter(({ outcome }) => outcome !== 200).length
    return [ones.length, failed, round(percentile(took, 0.5)), round(percentile(took, 0.99))]
  })
}

/** POSTs that came to servers more than once: each may have been processed twice. */
export function doubledPosts(samples: readonly Sample[], arrivals: readonly Arrival[]): number {
  const posts = new Set(samples.filter(({ post }) => post).map(({ number }) => number))
  const seen = new Set<number>()
  const doubled = new Set<number>()
  for (const { number } of arrivals) {
    if (!posts.has(number)) continue
    if (seen.has(number)) doubled.add(number)
    seen.add(number)
  }
  return doubled.size
}

export function isWithin({ atMs }: { readonly atMs: number }, { fromMs, toMs }: Span): boolean {
  return atMs >= fromMs && atMs < toMs
}

export function round(value: number): number {
  return Math.round(value * 100) / 100
}
