/**
 * One of four servers becomes a hundred times slower, by two policies.
 *
 * The load is chosen so that the question is fair to both. Each request that waits at the slow server makes 0.4 slow
 * responses a second (25 ms x 100), and 1 % of 600 requests/s are six: p99 is of the others as long as fewer than fifteen wait
 * there. Least-connections gives the slow server as many as the others have at the worst moments (they have five each on
 * average), which is a third of a percent of the requests and what bursts add. With less to do at a time, bursts are
 * all there is: at 60 requests/s even one request that waits there would be nearly p99.
 */
import { GUARDED, onArena, runPhases } from './arena.ts'
import type { Lab } from './arena.ts'
import { ms } from './check.ts'
import type { Check } from './check.ts'
import { backBelowMs, isWithin, timeline } from './figures.ts'
import type { Phase } from './figures.ts'

export interface SlowResult {
  readonly balance: 'peak-ewma' | 'least-connections'
  readonly before: Phase
  readonly during: Phase
  readonly after: Phase
  readonly p99BackMs: number | null
  /** Of the requests during the fault, those that took as long as the slow server does. */
  readonly slowAnswers: number
  readonly timeline: ReturnType<typeof timeline>
  readonly ownStallMs: number
}

const TIMES = 100
const DELAY_MS = 25
const REQUESTS_PER_SECOND = 600
export const SLOW_BARS: Readonly<Record<SlowResult['balance'], number>> = {
  'peak-ewma': 2,
  'least-connections': 4,
}

export function runSlow(lab: Lab, balance: SlowResult['balance']): Promise<SlowResult> {
  // No limit of time and no ejection: what is looked at is the balancer's own work.
  const { timeouts: _timeouts, ejection: _ejection, ...rest } = GUARDED
  const backend = { ...rest, balance, ejection: { failures: 0 } }
  return onArena(lab, { name: balance, backend, delayMs: DELAY_MS }, async (arena) => {
    const [slow] = arena.servers
    if (slow === undefined) throw new Error('there is no server')
    const run = await runPhases(
      arena,
      lab.plan,
      { requestsPerSecond: REQUESTS_PER_SECOND },
      {
        faultMs: lab.plan.faultMs,
        begin: () => slow.follow({ kind: 'slow', times: TIMES }),
        end: () => slow.follow({ kind: 'ok' }),
      },
    )
    const { samples, ownStallMs } = run.load
    const before = run.phase(run.quiet)
    const isSlow = ({ tookMs }: { tookMs: number }): boolean => tookMs >= DELAY_MS * TIMES
    return {
      balance,
      before,
      during: run.phase(run.fault),
      after: run.phase(run.after),
      p99BackMs: backBelowMs(samples, run.fault, SLOW_BARS[balance] * before.p99Ms),
      slowAnswers: samples.filter((one) => isWithin(one, run.fault) && isSlow(one)).length,
      timeline: timeline(samples, { fromMs: run.quiet.fromMs, toMs: run.after.toMs }),
      ownStallMs,
    }
  })
}

export function judgeSlow({ balance, before, during, slowAnswers }: SlowResult): Check[] {
  const times = during.p99Ms / before.p99Ms
  return [
    {
      of: `one of four ${TIMES} x slower, ${balance}`,
      bar: `p99 < ${SLOW_BARS[balance]} x healthy`,
      found: `${times.toFixed(2)} x (${ms(before.p99Ms)} / ${ms(during.p99Ms)}; ${slowAnswers} of ${during.requests} slow)`,
      isMet: times < SLOW_BARS[balance],
    },
  ]
}
