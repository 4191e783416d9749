import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckHistory } from '../../src/agent/checks/check-history.ts'
import { TransitionLimit } from '../../src/agent/watch/transition-limit.ts'

/** The state after each result: + passes, - fails. */
function states(results: string, rise: number, fall: number): string {
  const history = new CheckHistory({ rise, fall })
  return [...results]
    .map((one) => {
      history.record(one === '+')
      return history.state
    })
    .join(' ')
}

test('the first result fills the history', () => {
  assert.equal(new CheckHistory({ rise: 3, fall: 3 }).state, 'unknown')
  assert.equal(states('+', 3, 3), 'up')
  assert.equal(states('-', 3, 3), 'down')
})

test('a check goes down after `fall` failures in a row, and up after `rise` successes in a row', () => {
  assert.equal(states('+--+---', 2, 3), 'up up up up up up down')
  assert.equal(states('-+-++', 2, 1), 'down down down down up')
  assert.equal(states('+-+', 1, 1), 'up down up')
})

test('after a first failure it takes `rise` successes, as in nerve', () => {
  assert.equal(states('-+++', 3, 2), 'down down down up')
})

test('a limit of transitions begins with its first tokens and gets new ones at its rate', () => {
  const limit = new TransitionLimit({ rate: 0.5, burst: 2, initial: 2 }, 0)

  const taken = [0, 0, 0, 1_999, 2_000, 2_001, 60_000, 60_000, 60_000].map((now) => limit.take(now))

  assert.deepEqual(taken, [true, true, false, false, true, false, true, true, false])
})

test('a refused transition knows when there is a token', () => {
  const limit = new TransitionLimit({ rate: 0.5, burst: 1, initial: 1 }, 0)

  assert.equal(limit.take(0), true)
  assert.equal(limit.take(500), false)

  assert.equal(limit.waitMs(), 1_500)
  assert.equal(limit.take(2_000), true)
})

test('a rate of 0 gives no token back, and waits for a limited time before it looks again', () => {
  const limit = new TransitionLimit({ rate: 0, burst: 1, initial: 1 }, 0)

  assert.deepEqual([limit.take(0), limit.take(1e9)], [true, false])
  assert.equal(limit.waitMs(), 3_600_000)
})
