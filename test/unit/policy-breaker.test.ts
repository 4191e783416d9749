import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Breaker, type BreakerState, type BreakerTimes } from '../../src/policy/breaking/breaker.ts'
import { parseCondition } from '../../src/policy/breaking/condition.ts'
import { isCounted } from '../../src/policy/breaking/response-counters.ts'
import { takesRequest } from '../../src/policy/traffic-share.ts'
import { NO_TRAFFIC } from '../../src/scoreboard/layout.ts'

const TIMES: BreakerTimes = {
  condition: 'NetworkErrorRatio() > 0.3',
  requests: 20,
  checkMs: 100,
  fallbackMs: 10_000,
  recoveryMs: 10_000,
}

/** A breaker whose answers are counted, with time that goes by in ticks of 100 ms. */
function openBreaker(times: Partial<BreakerTimes> = {}) {
  const wanted = { ...TIMES, ...times }
  const parsed = parseCondition(wanted.condition)
  assert.ok(parsed.ok)
  const { condition } = parsed
  const breaker = new Breaker(wanted, condition)
  const sums = condition.counters.map(() => 0)
  let now = 1_000
  const lab = {
    breaker,
    now: () => now,
    answers(count: number, status: number): void {
      condition.counters.forEach((counter, at) => {
        if (isCounted(counter, status, 1)) sums[at] = (sums[at] ?? 0) + count
      })
    },
    tick(afterMs = 100): BreakerState | null {
      now += afterMs
      return breaker.tick(now, (measure) => sums[measure] ?? NaN)
    },
    /** Ticks for so long; the states that it came into. */
    pass(durationMs: number): BreakerState[] {
      const end = now + durationMs
      const states: BreakerState[] = []
      while (now < end) {
        const state = lab.tick()
        if (state !== null) states.push(state)
      }
      return states
    },
  }
  lab.tick()
  return lab
}

test('it trips at the first look after the condition has come to hold', () => {
  const { breaker, answers, tick, now } = openBreaker()
  answers(70, 200)
  answers(30, 502)
  assert.equal(tick(), null)
  assert.equal(breaker.trafficShare(now()), 0)
  answers(1, 502)

  assert.equal(tick(), 'tripped')

  assert.equal(breaker.state, 'tripped')
  assert.equal(breaker.since, now())
  assert.equal(breaker.trips, 1)
  assert.equal(breaker.trafficShare(now()), NO_TRAFFIC)
})

test('with fewer answers than it wants it does not trip', () => {
  const { answers, tick } = openBreaker()
  answers(19, 502)
  assert.equal(tick(), null)
  answers(1, 502)

  assert.equal(tick(), 'tripped')
})

test('with no answers it does not trip, whatever holds', () => {
  const { answers, tick } = openBreaker({ condition: 'NetworkErrorRatio() < 0.5', requests: 0 })

  assert.equal(tick(), null)
  answers(1, 200)
  assert.equal(tick(), 'tripped')
})

test('what is older than ten seconds is forgotten', () => {
  const { answers, pass, tick } = openBreaker()
  answers(19, 502)
  assert.deepEqual(pass(10_100), [])
  answers(19, 502)

  assert.equal(tick(), null)
})

test('what was counted before it is nothing of its', () => {
  const parsed = parseCondition(TIMES.condition)
  assert.ok(parsed.ok)
  const breaker = new Breaker(TIMES, parsed.condition)

  assert.equal(
    breaker.tick(0, () => 100),
    null,
  )
  assert.equal(
    breaker.tick(100, () => 100),
    null,
  )
})

test('it goes round: tripped, recovering, standby', () => {
  const { breaker, answers, tick, pass } = openBreaker()
  answers(100, 502)
  tick()

  assert.deepEqual(pass(9_900), [])
  assert.deepEqual(pass(100), ['recovering'])
  answers(100, 200)
  assert.deepEqual(pass(9_900), [])
  assert.deepEqual(pass(100), ['standby'])
  assert.equal(breaker.trips, 1)
})

test('what came back before the recovery does not count in it', () => {
  const { answers, tick, pass } = openBreaker()
  answers(100, 502)
  tick()
  answers(100, 502)

  assert.deepEqual(pass(20_000), ['recovering', 'standby'])
})

test('it trips again when the condition holds for what passed in the recovery', () => {
  const { breaker, answers, tick, pass } = openBreaker()
  answers(100, 502)
  tick()
  pass(11_000)
  answers(19, 502)
  assert.equal(tick(), null)
  answers(1, 502)

  assert.equal(tick(), 'tripped')
  assert.equal(breaker.trips, 2)
})

test('the share of a recovery grows linearly to a half, by the turns that are taken', () => {
  const { breaker, answers, tick, pass, now } = openBreaker()
  answers(100, 502)
  tick()
  pass(10_000)
  assert.equal(breaker.state, 'recovering')
  const began = now()
  let ticket = 2 ** 32 - 5_000

  while (breaker.state === 'recovering') {
    const share = breaker.trafficShare(now())
    const wanted = (now() - began) / 20_000
    let taken = 0
    for (let turn = 0; turn < 100; turn++) if (takesRequest(share, ticket++ | 0)) taken += 1
    assert.ok(Math.abs(taken / 100 - wanted) <= 0.05, `${taken} of 100 at ${wanted}`)
    tick()
  }
})

test('at the begin of a recovery next to nothing passes, not everything', () => {
  const { breaker, answers, tick, pass, now } = openBreaker()
  answers(100, 502)
  tick()
  pass(10_000)

  assert.equal(breaker.trafficShare(now()), 1)
  assert.equal(breaker.trafficShare(now() + 5_000), 250)
  assert.equal(breaker.trafficShare(now() + 60_000), 500)
})

test('it keeps its state when its durations change', () => {
  const { breaker, answers, tick, pass } = openBreaker()
  answers(100, 502)
  tick()
  pass(4_900)

  breaker.update({ ...TIMES, fallbackMs: 5_000, recoveryMs: 1_000 })

  assert.equal(breaker.state, 'tripped')
  assert.deepEqual(pass(100), ['recovering'])
  assert.deepEqual(pass(1_000), ['standby'])
})

test('another volume counts for what the window has already', () => {
  const { breaker, answers, tick } = openBreaker({ requests: 1_000 })
  answers(100, 502)
  assert.equal(tick(), null)

  breaker.update({ ...TIMES, requests: 100 })

  assert.equal(tick(), 'tripped')
})

test('it looks no more often than it is told', () => {
  const { answers, tick } = openBreaker({ checkMs: 1_000 })
  tick(1_000)
  answers(100, 502)

  const states = Array.from({ length: 10 }, () => tick())

  assert.deepEqual(
    states.slice(0, 8),
    Array.from({ length: 8 }, () => null),
  )
  assert.ok(states.includes('tripped'))
})

test('ticks that are a little early are not lost', () => {
  const { answers, tick } = openBreaker()
  answers(100, 502)

  assert.equal(tick(99), 'tripped')
})

test('after a leap of time it recovers from its begin', () => {
  const { breaker, answers, tick, now } = openBreaker()
  answers(100, 502)
  tick()

  assert.equal(tick(3_600_000), 'recovering')
  assert.equal(breaker.trafficShare(now()), 1)
})

test('a leap in a recovery ends it only when the condition does not hold', () => {
  const { answers, tick } = openBreaker()
  answers(100, 502)
  tick()
  tick(10_000)
  answers(100, 502)

  assert.equal(tick(3_600_000), 'tripped')
})

test('without a time for its recovery it is in standby at the next tick', () => {
  const { breaker, answers, tick, pass, now } = openBreaker({ recoveryMs: 0 })
  answers(100, 502)
  tick()
  pass(10_000)

  assert.equal(breaker.trafficShare(now()), 1)
  assert.equal(tick(), 'standby')
})

test('whatever happens, tripped lets nothing through and lasts as long as it is told', () => {
  const step = fc.record({
    afterMs: fc.oneof(fc.constant(100), fc.integer({ min: 1, max: 30_000 })),
    good: fc.nat(50),
    bad: fc.nat(50),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { breaker, answers, tick, now } = openBreaker()
      let before = breaker.state
      for (const { afterMs, good, bad } of steps) {
        const since = breaker.since
        answers(good, 200)
        answers(bad, 504)
        const came = tick(afterMs)
        const share = breaker.trafficShare(now())
        if (came !== null) {
          assert.notEqual(came, before)
          assert.ok(before !== 'tripped' || (came === 'recovering' && now() - since >= 10_000))
          assert.ok(came !== 'standby' || (before === 'recovering' && now() - since >= 10_000))
        }
        assert.equal(share === NO_TRAFFIC, breaker.state === 'tripped')
        assert.equal(share === 0, breaker.state === 'standby')
        before = breaker.state
      }
    }),
  )
})

test('every share of the turns is taken evenly, from any ticket on', () => {
  const ticket = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  fc.assert(
    fc.property(ticket, fc.integer({ min: 1, max: 999 }), (first, share) => {
      let taken = 0
      for (let turn = 1; turn <= 400; turn++) {
        if (takesRequest(share, (first + turn) | 0)) taken += 1
        assert.ok(Math.abs(taken - (turn * share) / 1000) <= 4, `${taken} of ${turn}`)
      }
    }),
  )
})

test('all turns are taken, or none', () => {
  for (const ticket of [0, 1, 2 ** 31 - 1, -(2 ** 31), -1]) {
    assert.ok(takesRequest(0, ticket))
    assert.ok(!takesRequest(NO_TRAFFIC, ticket))
  }
})
