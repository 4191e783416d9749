/**
 * All servers return 500 until the breaker of the frontend trips; then they are well again, and it recovers. When the
 * condition held is worked out from the responses themselves: all of them lie within the breaker's window.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { HEALTH, onArena } from './arena.ts'
import type { Lab } from './arena.ts'
import { ms } from './check.ts'
import type { Check } from './check.ts'
import { clockMs } from './clock.ts'
import { isWithin } from './figures.ts'
import { startLoad } from './load.ts'
import type { Sample } from './load.ts'
import type { Plan } from './plan.ts'

export interface BreakerResult {
  /** From the moment at which the condition held to the last request that was passed on after it. */
  readonly lastPassedMs: number
  /** From the same moment, of each connection that was in use before it: when its first fallback response was there. */
  readonly firstFallbackMs: readonly number[]
  readonly connections: number
  readonly trippedMs: number
  /** Of the requests in each tenth of the recovery, the share that was passed on, 0 to 1. */
  readonly shares: readonly number[]
  readonly expected: readonly number[]
  readonly outcomes: Readonly<Record<string, number>>
}

const REQUESTS_PER_SECOND = 600
/** Each sends a request every 40 ms, which is the precision of the times of the fallback. */
const CLIENTS = 24
const RATIO = 0.3
const LEAST = 100
const FALLBACK = 418

export function runBreaker(lab: Lab): Promise<BreakerResult> {
  const { breakerMs } = lab.plan
  const backend = { health: HEALTH, ejection: { failures: 0 }, retry: { attempts: 1 } }
  const frontend = {
    breaker: {
      condition: `ResponseCodeRatio(500, 600, 0, 600) > ${RATIO}`,
      requests: LEAST,
      tripped: `${breakerMs.tripped}ms`,
      recovery: `${breakerMs.recovery}ms`,
      fallback: { respond: { status: FALLBACK } },
    },
  }
  return onArena(lab, { name: 'breaker', backend, frontend }, async (arena) => {
    const load = startLoad(arena, {
      port: arena.port,
      requestsPerSecond: REQUESTS_PER_SECOND,
      clients: CLIENTS,
      postEvery: 0,
    })
    await pause(breakerMs.good)
    const begun = clockMs()
    await Promise.all(arena.servers.map((one) => one.follow({ kind: 'fail', share: 1 })))
    // The condition holds when the bad ones are 0.3 of all, so after 3/7 of the good time; then it stays tripped.
    await pause((breakerMs.good * RATIO) / (1 - RATIO) + breakerMs.tripped / 2)
    await Promise.all(arena.servers.map((one) => one.follow({ kind: 'ok' })))
    await pause(breakerMs.tripped / 2 + breakerMs.recovery + 700)
    const { samples } = await load.finish()
    return resultOf(samples, begun, breakerMs)
  })
}

function resultOf(
  samples: readonly Sample[],
  begun: number,
  { tripped, recovery }: Plan['breakerMs'],
): BreakerResult {
  const conditionMs = whenItHeld(samples)
  const fallbacks = samples.filter(({ outcome }) => outcome === FALLBACK)
  if (fallbacks.length === 0) throw new Error('the condition held, and the breaker never tripped')
  const first = Math.min(...fallbacks.map(({ atMs }) => atMs))
  // By then everybody has seen the fallback; what is passed on later belongs to the recovery.
  const tripping = { fromMs: conditionMs, toMs: first + tripped / 2 }
  const passed = samples.filter((one) => one.outcome !== FALLBACK && isWithin(one, tripping))
  const asking = new Set(
    samples.filter(({ atMs }) => atMs < conditionMs).map(({ client }) => client),
  )
  const firstOf = new Map<number, number>()
  for (const { client, atMs, tookMs } of fallbacks) {
    if (!asking.has(client) || !isWithin({ atMs }, tripping) || firstOf.has(client)) continue
    firstOf.set(client, atMs + tookMs)
  }
  // The last fallback response is the recovery's end, to a few ms: half of the requests are passed on there, then all.
  const endMs = Math.max(...fallbacks.map(({ atMs }) => atMs))
  const beginMs = endMs - recovery
  const tenth = recovery / 10
  const tenths = Array.from({ length: 10 }, (_, i) => {
    const span = { fromMs: beginMs + i * tenth, toMs: beginMs + (i + 1) * tenth }
    const within = samples.filter((one) => isWithin(one, span))
    return within.filter(({ outcome }) => outcome !== FALLBACK).length / within.length
  })
  const outcomes: Record<string, number> = {}
  for (const { outcome, atMs } of samples) {
    if (atMs >= begun) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  return {
    lastPassedMs: Math.max(0, ...passed.map(({ atMs }) => atMs - conditionMs)),
    connections: asking.size,
    firstFallbackMs: [...firstOf.values()].map((atMs) => atMs - conditionMs),
    trippedMs: beginMs - first,
    shares: tenths,
    expected: Array.from({ length: 10 }, (_, i) => ((i + 0.5) / 10) * 0.5),
    outcomes,
  }
}

function whenItHeld(samples: readonly Sample[]): number {
  const ended = samples
    .map(({ atMs, tookMs, outcome }) => ({ atMs: atMs + tookMs, outcome }))
    .sort((a, b) => a.atMs - b.atMs)
  let bad = 0
  for (const [i, { atMs, outcome }] of ended.entries()) {
    if (Number(outcome) >= 500) bad++
    if (i + 1 >= LEAST && bad / (i + 1) > RATIO) return atMs
  }
  throw new Error(`the condition never held: ${bad} of ${ended.length} responses were 5xx`)
}

/** By how much the worst tenth is off, in points. */
export function worstShare({ shares, expected }: BreakerResult): number {
  return Math.max(...shares.map((share, i) => Math.abs(share - (expected[i] ?? NaN)) * 100))
}

export function judgeBreaker(result: BreakerResult): Check[] {
  const of = 'breaker, server errors > 30 %'
  const { lastPassedMs, firstFallbackMs, connections, trippedMs, shares } = result
  const everywhereMs = Math.max(...firstFallbackMs)
  return [
    {
      of,
      bar: 'trips within 200 ms of the condition in all workers',
      found: `last request passed on ${ms(lastPassedMs)} after it, ${firstFallbackMs.length} of ${connections} connections have the fallback after ${ms(everywhereMs)}`,
      isMet: lastPassedMs < 200 && firstFallbackMs.length === connections,
    },
    {
      of,
      bar: 'recovers as the curve says, within 5 points',
      found:
        `off by ${worstShare(result).toFixed(1)} points at most ` +
        `(${shares.map((share) => (share * 100).toFixed(0)).join(' ')} %), began ${ms(trippedMs)} after the trip`,
      isMet: worstShare(result) <= 5,
    },
  ]
}
