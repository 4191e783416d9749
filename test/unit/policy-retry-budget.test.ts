import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { earnRetries, takeRetry } from '../../src/policy/retrying/retry-budget.ts'
import { Scoreboard, type Slot } from '../../src/scoreboard/scoreboard.ts'

const BUDGET = { ratio: 0.2, perSecond: 3 }

function openSlot(): Slot {
  const scoreboard = new Scoreboard(1, 0)
  return scoreboard.slot(scoreboard.allocate())
}

function takeAll(slot: Slot): number {
  let taken = 0
  while (takeRetry(slot)) taken++
  return taken
}

test('without a request yet there are so many retries as five seconds bring', () => {
  const slot = openSlot()

  earnRetries(slot, 0, BUDGET, 5)

  assert.equal(takeAll(slot), 15)
})

test('traffic earns its share, and no more than that of half a second is saved', () => {
  const slot = openSlot()
  let requests = 0

  for (let now = 0; now <= 20_000; now += 100) {
    requests += 50
    earnRetries(slot, requests, BUDGET, now)
  }

  assert.equal(takeAll(slot), 50)
})

test('a long quiet time before a burst of requests saves nothing for it', () => {
  const slot = openSlot()
  earnRetries(slot, 0, BUDGET, 0)

  earnRetries(slot, 10, BUDGET, 3_600_000)

  assert.equal(takeAll(slot), 15)
})

test('two threads that come at the same time make one deposit', () => {
  const slot = openSlot()
  earnRetries(slot, 0, BUDGET, 0)
  takeAll(slot)

  earnRetries(slot, 1000, BUDGET, 500)
  earnRetries(slot, 1000, BUDGET, 500)

  assert.equal(takeAll(slot), 200)
})

test('the clock that wraps goes on', () => {
  const slot = openSlot()
  const wrap = 2 ** 31
  let requests = 0

  for (let now = wrap - 5_000; now < wrap + 5_000; now += 100) {
    requests += 100
    earnRetries(slot, requests, BUDGET, now)
  }

  assert.equal(takeAll(slot), 100)
})

test('never more is taken than a share of all requests and a floor a second, however they come', () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    requests: fc.integer({ min: 0, max: 500 }),
    wanted: fc.integer({ min: 0, max: 500 }),
  })
  const budget = fc.record({
    ratio: fc.double({ min: 0, max: 1, noNaN: true }),
    perSecond: fc.integer({ min: 0, max: 50 }),
  })
  fc.assert(
    fc.property(budget, fc.array(step, { maxLength: 60 }), (spec, steps) => {
      const slot = openSlot()
      let now = 0
      let requests = 0
      let taken = 0
      for (const { afterMs, requests: more, wanted } of steps) {
        now += afterMs
        requests += more
        earnRetries(slot, requests, spec, now)
        for (let i = 0; i < wanted && takeRetry(slot); i++) taken++
        const most = spec.ratio * requests + spec.perSecond * (now / 1000 + 5)
        // Each deposit is rounded to a hundredth.
        assert.ok(taken <= most + 1 + steps.length / 100, `${taken} of ${most}`)
      }
    }),
  )
})
