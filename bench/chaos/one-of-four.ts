/** One of four servers fails in some way under steady load, and recovers. */
import { DELAY_MS, GUARDED, HEALTH_INTERVAL_MS, TRY_MS, onArena, runPhases } from './arena.ts'
import type { Lab } from './arena.ts'
import { ms, percent } from './check.ts'
import type { Check } from './check.ts'
import { backBelowMs, doubledPosts, isWithin, timeline } from './figures.ts'
import type { Phase } from './figures.ts'
import type { Sample } from './load.ts'
import type { Plan } from './plan.ts'
import type { Behaviour, ChaosServer } from './server.ts'

export interface FaultResult {
  readonly fault: FaultName
  readonly before: Phase
  readonly during: Phase
  /** Of the fault, from 2 s on: what is left of it once it is noticed. */
  readonly noticed: Phase
  readonly after: Phase
  /** From its beginning until p99 is below twice that of before, null: not before its end. */
  readonly p99BackMs: number | null
  /** From its beginning until Sluice says that the server is out, and why. */
  readonly out: { readonly ms: number; readonly why: string } | null
  /** From the server's recovery to the first request that it gets. */
  readonly inMs: number | null
  /** The most requests of one client that took as long as a try may, and all of them. */
  readonly timeoutsOfAClient: number
  readonly timeouts: number
  /** From its beginning until the last of them was due; null: there was none. */
  readonly lastTimeoutMs: number | null
  readonly doubledPosts: number
  readonly timeline: ReturnType<typeof timeline>
  readonly notes: readonly string[]
  readonly ownStallMs: number
}

export type FaultName =
  | 'kill'
  | 'restart'
  | 'hang'
  | 'fail'
  | 'reset'
  | 'truncate'
  | 'garbage'
  | 'refuse'
  | 'close-on-accept'

interface Kind {
  readonly what: string
  readonly begin: (server: ChaosServer) => unknown
  readonly end: (server: ChaosServer) => unknown
  readonly faultMs: (plan: Plan) => number
  readonly bars: (result: FaultResult) => readonly Bar[]
}

type Bar = Omit<Check, 'of'>

const OK: Behaviour = { kind: 'ok' }
/** One interval until the next probe, and its consecutive successes. */
const BACK_WITHIN_MS = HEALTH_INTERVAL_MS * 3
const RESTART_MS = 1_000

export const FAULTS: Readonly<Record<FaultName, Kind>> = {
  kill: killed('one of four killed (SIGKILL), then back', ({ shortFaultMs }) => shortFaultMs),
  // Back about when its probes have found out: nothing that they do not know of keeps it out.
  restart: killed('one of four killed and back within about a second', () => RESTART_MS),
  hang: {
    what: 'one of four hangs (SIGSTOP)',
    begin: (server) => server.hang(),
    end: (server) => server.resume(),
    faultMs: (plan) => plan.faultMs,
    bars: (result) => [
      {
        bar: 'p99 back below 2 x quiet within 3 s',
        found: ms(result.p99BackMs),
        isMet: result.p99BackMs !== null && result.p99BackMs < 3_000,
      },
      {
        bar: 'at most one per-try timeout a client',
        found: `${result.timeoutsOfAClient} (${result.timeouts} in all, longest response ${ms(result.during.maxMs)})`,
        isMet: result.timeoutsOfAClient <= 1 && result.during.maxMs < 2 * TRY_MS,
      },
    ],
  },
  fail: {
    what: 'one of four returns 500 for 50 %',
    begin: (server) => server.follow({ kind: 'fail', share: 0.5 }),
    end: (server) => server.follow(OK),
    faultMs: (plan) => plan.faultMs,
    bars: (result) => [
      {
        bar: 'ejected within 2 s',
        found: result.out === null ? 'never' : `${ms(result.out.ms)} (${result.out.why})`,
        isMet: result.out !== null && result.out.ms < 2_000,
      },
      {
        bar: 'share of 5xx seen by clients then < 1 %',
        found: percent(result.noticed.share5xx),
        isMet: result.noticed.share5xx < 0.01,
      },
    ],
  },
  reset: wire('one of four resets every request', { kind: 'reset' }, noneFailed),
  truncate: wire('one of four cuts its responses short', { kind: 'truncate' }, onlyCut),
  garbage: wire('one of four sends garbage', { kind: 'garbage' }, noneWrong),
  refuse: wire('one of four refuses connections', { kind: 'refuse' }, noneFailed),
  'close-on-accept': wire(
    'one of four closes connections it accepts',
    { kind: 'close-on-accept' },
    noneFailed,
  ),
}

function killed(what: string, faultMs: Kind['faultMs']): Kind {
  return {
    what,
    begin: (server) => server.kill(),
    end: (server) => server.restart(),
    faultMs,
    bars: (result) => [
      noneFailed(result),
      {
        bar: `back in rotation within ${ms(BACK_WITHIN_MS)} (interval + rise)`,
        found: ms(result.inMs),
        isMet: result.inMs !== null && result.inMs <= BACK_WITHIN_MS,
      },
    ],
  }
}

function wire(what: string, behaviour: Behaviour, bar: (result: FaultResult) => Bar): Kind {
  return {
    what,
    begin: (server) => server.follow(behaviour),
    end: (server) => server.follow(OK),
    faultMs: (plan) => plan.shortFaultMs,
    bars: (result) => [bar(result)],
  }
}

export function runFault(lab: Lab, fault: FaultName): Promise<FaultResult> {
  const { begin, end, faultMs } = FAULTS[fault]
  const { plan } = lab
  return onArena(lab, { name: fault, backend: GUARDED }, async (arena) => {
    const [bad] = arena.servers
    if (bad === undefined) throw new Error('there is no server')
    const run = await runPhases(
      arena,
      plan,
      {},
      {
        faultMs: faultMs(plan),
        begin: () => begin(bad),
        end: () => end(bad),
      },
    )
    const { samples, notes, ownStallMs } = run.load
    const before = run.phase(run.quiet)
    const late = samples.filter((one) => isWithin(one, run.fault) && one.tookMs >= TRY_MS)
    const last = late.at(-1)
    const back = bad.arrivals.find(({ atMs }) => atMs >= run.after.fromMs)
    const noticedMs = Math.min(run.fault.fromMs + 2_000, run.fault.toMs)
    return {
      fault,
      before,
      during: run.phase(run.fault),
      noticed: run.phase({ ...run.fault, fromMs: noticedMs }),
      after: run.phase(run.after),
      p99BackMs: backBelowMs(samples, run.fault, 2 * Math.max(before.p99Ms, DELAY_MS)),
      out: arena.states.outAfter(bad, run.fault),
      inMs: back === undefined ? null : back.atMs - run.after.fromMs,
      timeoutsOfAClient: mostOfAClient(late),
      timeouts: late.length,
      lastTimeoutMs: last === undefined ? null : last.atMs - run.fault.fromMs,
      doubledPosts: doubledPosts(samples, run.arrivals),
      timeline: timeline(samples, { fromMs: run.quiet.fromMs, toMs: run.after.toMs }),
      notes,
      ownStallMs,
    }
  })
}

export function judgeFault(result: FaultResult): Check[] {
  const { what, bars } = FAULTS[result.fault]
  const always: Bar = {
    bar: 'no POST at servers twice',
    found: `${result.doubledPosts}`,
    isMet: result.doubledPosts === 0,
  }
  return [...bars(result), always].map((bar) => ({ of: what, ...bar }))
}

function mostOfAClient(samples: readonly Sample[]): number {
  const counts = new Map<number, number>()
  for (const { client } of samples) counts.set(client, (counts.get(client) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}

function noneFailed({ before, during, after }: FaultResult): Bar {
  const failed = [before, during, after].map((phase) => phase.failedIdempotent)
  return {
    bar: '0 failed idempotent requests',
    found: `${failed.join(' / ')} ${outcomes(during)}`,
    isMet: failed.every((count) => count === 0),
  }
}

/** A client that gets half a response sees that it is cut, and a response that looks whole is right. */
function onlyCut({ during, after }: FaultResult): Bar {
  const wrong = [during, after].reduce((sum, { outcomes: by }) => sum + (by['wrong'] ?? 0), 0)
  return {
    bar: 'every cut response is visibly cut: 0 look whole',
    found: `${wrong} ${outcomes(during)}`,
    isMet: wrong === 0,
  }
}

function noneWrong({ during, after }: FaultResult): Bar {
  const wrong = [during, after].reduce(
    (sum, { outcomes: by }) => sum + (by['wrong'] ?? 0) + (by['garbled'] ?? 0),
    0,
  )
  return {
    bar: '0 wrong or garbled responses reach a client',
    found: `${wrong} ${outcomes(during)}`,
    isMet: wrong === 0,
  }
}

function outcomes({ outcomes: by }: Phase): string {
  const parts = Object.entries(by).map(([outcome, count]) => `${outcome}: ${count}`)
  return `(during: ${parts.join(', ')})`
}
