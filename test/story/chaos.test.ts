/**
 * Faults under steady load, with real processes: the short form of `npm run chaos`. What is counted is held to the bars;
 * times, on a machine that does other work besides, to generous ones. The figures are printed as diagnostics.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Lab } from '../../bench/chaos/arena.ts'
import { judgeBreaker, runBreaker, worstShare } from '../../bench/chaos/breaker.ts'
import type { Check } from '../../bench/chaos/check.ts'
import { judgeFault, runFault, type FaultResult } from '../../bench/chaos/one-of-four.ts'
import { SHORT, type Plan } from '../../bench/chaos/plan.ts'
import { barTable } from '../../bench/chaos/report.ts'
import { judgeStorm, runStorm } from '../../bench/chaos/storm.ts'
import { endAll } from '../../bench/processes.ts'
import { makeFolder } from '../support/program.ts'

process.on('exit', endAll)

test('no idempotent request fails when a server is killed, and it gets requests again when it is back', async (t) => {
  const result = await runFault(lab(t, { ...SHORT, afterMs: 2_500 }), 'kill')
  tell(t, judgeFault(result))

  assert.equal(failedIdempotent(result), 0)
  assert.equal(result.doubledPosts, 0)
  assert.notEqual(result.inMs, null)
})

test('a server that hangs costs its clients a time limit, and is then left out', async (t) => {
  const result = await runFault(lab(t), 'hang')
  tell(t, judgeFault(result))

  // On a quiet machine it is one; on a busy one the decision may come after a client's next request.
  assert.ok(result.timeoutsOfAClient <= 2, `${result.timeoutsOfAClient} time limits of a client`)
  assert.ok((result.lastTimeoutMs ?? 0) < 2_000, `waited for it after ${result.lastTimeoutMs} ms`)
  assert.equal(result.doubledPosts, 0)
})

test('a server that answers half of its requests with 500 is ejected', async (t) => {
  const result = await runFault(lab(t), 'fail')
  tell(t, judgeFault(result))

  assert.match(result.out?.why ?? 'never out', /^ejected/)
  assert.ok(result.noticed.share5xx < 0.01, `${result.noticed.share5xx} of the responses are 5xx`)
})

test('a response that is cut short never looks whole', async (t) => {
  const result = await runFault(lab(t), 'truncate')
  tell(t, judgeFault(result))

  assert.equal(result.during.outcomes['wrong'] ?? 0, 0)
  assert.equal(result.after.outcomes['wrong'] ?? 0, 0)
  assert.equal(result.doubledPosts, 0)
})

test('retries stay within their budget when all servers fail', async (t) => {
  const result = await runStorm(lab(t), 'errors')
  tell(t, judgeStorm(result))

  // A fifth of the requests, and the 15 retries that a pool has saved when the fault begins. A deposit sees 50 ms of requests or
  // more, and those before the fault, too: a twentieth of the requests is allowed for that.
  const { requests, attempts } = result.during
  const retries = attempts - requests
  assert.ok(retries <= 15 + 0.25 * requests, `${retries} retries of ${requests} requests`)
  assert.ok(retries > 0, 'there are retries at all')
})

test('a breaker trips for every connection and recovers along its curve', async (t) => {
  const result = await runBreaker(lab(t))
  tell(t, judgeBreaker(result))

  assert.ok(result.lastPassedMs < 1_000, `passed on ${result.lastPassedMs} ms after the condition`)
  assert.ok(worstShare(result) < 12, `${worstShare(result)} points off the curve`)
})

function lab(t: TestContext, plan: Plan = SHORT): Lab {
  return { plan, folder: makeFolder(t), say: (line) => t.diagnostic(line) }
}

function tell(t: TestContext, checks: readonly Check[]): void {
  for (const line of barTable(checks, true).split('\n')) t.diagnostic(line)
}

function failedIdempotent({ before, during, after }: FaultResult): number {
  return [before, during, after].reduce((sum, phase) => sum + phase.failedIdempotent, 0)
}
