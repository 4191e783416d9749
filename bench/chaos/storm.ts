/** All four servers fail and every request may be retried: how many attempts that makes upstream. */
import { GUARDED, RETRY, onArena, runPhases } from './arena.ts'
import type { Lab } from './arena.ts'
import type { Check } from './check.ts'
import { doubledPosts } from './figures.ts'
import type { Phase } from './figures.ts'
import type { Behaviour } from './server.ts'

type How = 'errors' | 'reset'

export interface StormResult {
  readonly how: How
  readonly before: Phase
  readonly during: Phase
  readonly after: Phase
  readonly attemptsPerRequest: number
  /** The same with the second before the fault, whose savings are spent in it. */
  readonly withSavings: number
  readonly doubledPosts: number
}

const PREDICATE = 'RequestMethod() == "GET" && ResponseCode() >= 500 && Attempts() < 5'
const STORMS: Readonly<Record<How, { behaviour: Behaviour; retry: object }>> = {
  errors: { behaviour: { kind: 'fail', share: 1 }, retry: { attempts: 5, when: PREDICATE } },
  reset: { behaviour: { kind: 'reset' }, retry: { attempts: 5 } },
}

const MOST_ATTEMPTS = 1.2

export function runStorm(lab: Lab, how: How): Promise<StormResult> {
  const { behaviour, retry } = STORMS[how]
  const backend = { ...GUARDED, retry: { ...RETRY, ...retry } }
  return onArena(lab, { name: `storm-${how}`, backend }, async (arena) => {
    const all = (next: Behaviour): Promise<unknown> =>
      Promise.all(arena.servers.map((server) => server.follow(next)))
    const run = await runPhases(
      arena,
      lab.plan,
      {},
      {
        faultMs: lab.plan.shortFaultMs,
        begin: () => all(behaviour),
        end: () => all({ kind: 'ok' }),
      },
    )
    const during = run.phase(run.fault)
    const longer = run.phase({ ...run.fault, fromMs: run.fault.fromMs - 1_000 })
    return {
      how,
      before: run.phase(run.quiet),
      during,
      after: run.phase(run.after),
      attemptsPerRequest: during.attempts / during.requests,
      withSavings: longer.attempts / longer.requests,
      doubledPosts: doubledPosts(run.load.samples, run.arrivals),
    }
  })
}

export function judgeStorm(result: StormResult): Check[] {
  const { how, during, attemptsPerRequest, withSavings, doubledPosts } = result
  const of = `all four ${how === 'reset' ? 'reset every request' : 'return 500'}, five attempts allowed`
  return [
    {
      of,
      bar: `attempts upstream <= ${MOST_ATTEMPTS} x requests`,
      found:
        `${attemptsPerRequest.toFixed(3)} x (${during.attempts} for ${during.requests}); ` +
        `with the second before, whose savings are spent, ${withSavings.toFixed(3)} x`,
      isMet: attemptsPerRequest <= MOST_ATTEMPTS,
    },
    {
      of,
      bar: 'no POST at servers twice',
      found: `${doubledPosts}`,
      isMet: doubledPosts === 0,
    },
  ]
}
