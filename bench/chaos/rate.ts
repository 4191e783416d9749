/** More requests than a limiter lets through, over four threads that share it. */
import { setTimeout as pause } from 'node:timers/promises'
import { onArena } from './arena.ts'
import type { Lab } from './arena.ts'
import type { Check } from './check.ts'
import { isWithin } from './figures.ts'
import { startLoad } from './load.ts'

export interface RateResult {
  readonly seconds: number
  readonly passedPerSecond: number
  readonly bySecond: readonly number[]
  readonly outcomes: Readonly<Record<string, number>>
  readonly ownStallMs: number
}

const REQUESTS_PER_SECOND = 1_600
export const LIMIT = 1_000
/** High enough that no pause of the load makes the bucket overflow, because tokens that overflow are lost. */
const BURST = 100
const LEAD_MS = 1_000

export function runRate(lab: Lab): Promise<RateResult> {
  const frontend = {
    ratelimit: { requests: LIMIT, period: '1s', burst: BURST, key: 'request.host' },
    respond: { status: 200 },
  }
  const options = { name: 'rate', workers: 4, backend: null, frontend }
  const seconds = lab.plan.rateSeconds
  return onArena(lab, options, async (arena) => {
    const load = startLoad(arena, {
      port: arena.port,
      requestsPerSecond: REQUESTS_PER_SECOND,
      clients: 64,
      postEvery: 0,
      expect: 'any',
    })
    await pause(LEAD_MS + seconds * 1_000 + 1_000)
    const { samples, ownStallMs } = await load.finish()
    // By the time of their responses, which is nearer to the decision than the time when they were due.
    const answered = samples.map(({ atMs, tookMs, outcome }) => ({ atMs: atMs + tookMs, outcome }))
    const fromMs = (samples[0]?.atMs ?? NaN) + LEAD_MS
    const outcomes: Record<string, number> = {}
    for (const { outcome } of answered) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    const bySecond = Array.from({ length: seconds }, (_, i) => {
      const span = { fromMs: fromMs + i * 1_000, toMs: fromMs + (i + 1) * 1_000 }
      return answered.filter((one) => one.outcome === 200 && isWithin(one, span)).length
    })
    return {
      seconds,
      passedPerSecond: bySecond.reduce((sum, count) => sum + count, 0) / seconds,
      bySecond,
      outcomes,
      ownStallMs,
    }
  })
}

export function judgeRate({ seconds, passedPerSecond, bySecond }: RateResult): Check[] {
  return [
    {
      of: `rate limit ${LIMIT}/s, 4 workers, ${REQUESTS_PER_SECOND}/s sent`,
      bar: `${LIMIT}/s +-1 % over ${seconds} s`,
      found: `${passedPerSecond.toFixed(1)}/s (${Math.min(...bySecond)} to ${Math.max(...bySecond)})`,
      isMet: Math.abs(passedPerSecond / LIMIT - 1) <= 0.01,
    },
  ]
}
