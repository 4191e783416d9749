import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  returnToken,
  type Rate,
  type RateSpec,
  type TokenDecision,
  takeToken,
  toNs,
  toRate,
} from '../../src/policy/limiting/token-bucket.ts'

test('a bucket begins full and gives a burst, then one for each interval', () => {
  const take = openBucket({ requests: 10, periodMs: 1000, burst: 3 })

  assert.deepEqual(take(5), { ok: true, remaining: 2, retryAfterMs: 0, resetMs: 100 })
  assert.deepEqual(take(5), { ok: true, remaining: 1, retryAfterMs: 0, resetMs: 200 })
  assert.deepEqual(take(5), { ok: true, remaining: 0, retryAfterMs: 0, resetMs: 300 })
  assert.deepEqual(take(5), { ok: false, remaining: 0, retryAfterMs: 100, resetMs: 300 })
  assert.deepEqual(take(65), { ok: false, remaining: 0, retryAfterMs: 40, resetMs: 240 })
  assert.equal(take(104.999).ok, false)
  assert.deepEqual(take(105), { ok: true, remaining: 0, retryAfterMs: 0, resetMs: 300 })
})

test('an idle bucket fills up to its burst and not beyond', () => {
  const take = openBucket({ requests: 1, periodMs: 1000, burst: 2 })
  take(0)
  take(0)

  const answers = [1, 2, 3].map(() => take(3_600_000).ok)

  assert.deepEqual(answers, [true, true, false])
})

test('a token that is given back is there again', () => {
  const cells = new BigInt64Array(1)
  const rate = rateOf({ requests: 1, periodMs: 60_000, burst: 1 })
  takeToken(cells, 0, 0n, rate)

  returnToken(cells, 0, rate)

  assert.equal(takeToken(cells, 0, toNs(1), rate).ok, true)
  assert.equal(takeToken(cells, 0, toNs(1), rate).ok, false)
})

const specs = fc
  .record({
    requests: fc.integer({ min: 1, max: 5_000 }),
    periodMs: fc.integer({ min: 1, max: 120_000 }),
    burst: fc.integer({ min: 1, max: 50 }),
  })
  .filter((spec) => typeof toRate(spec) !== 'string')

/** Pauses between requests, in hundredths of what one token takes. */
const pauses = fc.array(fc.integer({ min: 0, max: 250 }), { minLength: 1, maxLength: 300 })

test('no window lets more through than its burst and what comes back in it', () => {
  fc.assert(
    fc.property(specs, pauses, (spec, waits) => {
      const { intervalNs } = rateOf(spec)
      const passed = passedTimes(spec, waits)

      for (let from = 0; from < passed.length; from++) {
        for (let to = from; to < passed.length; to++) {
          const window = (passed[to] ?? 0n) - (passed[from] ?? 0n)
          const most = BigInt(spec.burst) + window / intervalNs
          assert.ok(BigInt(to - from + 1) <= most, `${to - from + 1} in ${window} ns`)
        }
      }
    }),
  )
})

test('it decides as a bucket does that counts fractions of tokens', () => {
  fc.assert(
    fc.property(specs, pauses, (spec, waits) => {
      const rate = rateOf(spec)
      const cells = new BigInt64Array(1)
      // Tokens in parts of an interval: a whole one is intervalNs.
      let tokens = rate.capacityNs
      let now = 0n
      for (const wait of waits) {
        const pause = (rate.intervalNs * BigInt(wait)) / 100n
        now += pause
        tokens = tokens + pause > rate.capacityNs ? rate.capacityNs : tokens + pause
        const isThere = tokens >= rate.intervalNs
        if (isThere) tokens -= rate.intervalNs

        const taken = takeToken(cells, 0, now, rate)

        assert.equal(taken.ok, isThere)
        assert.equal(taken.remaining, Number(tokens / rate.intervalNs))
      }
    }),
  )
})

test('who comes back when told to is let in', () => {
  fc.assert(
    fc.property(specs, (spec) => {
      const take = openBucket(spec)
      for (let at = 0; at < spec.burst; at++) take(0)
      const { retryAfterMs } = take(0)

      assert.equal(take(Math.ceil(retryAfterMs)).ok, true)
    }),
  )
})

test('at 1,000 a second, a hundred seconds of demand let 100,000 through beyond the burst', () => {
  const take = openBucket({ requests: 1000, periodMs: 1000, burst: 200 })
  let passed = 0
  for (let at = 0; at <= 300_000; at++) if (take(at / 3).ok) passed++

  assert.equal(passed, 100_200)
})

for (const [what, spec] of [
  ['no requests', { requests: 0 }],
  ['less than none', { requests: -5 }],
  ['a part of one', { requests: 0.5 }],
  ['no number', { requests: NaN }],
  ['more than any', { requests: Infinity }],
  ['a burst of 0', { burst: 0 }],
  ['a negative burst', { burst: -1 }],
  ['a burst that is no number', { burst: NaN }],
  ['no period', { periodMs: 0 }],
  ['a period that is no number', { periodMs: NaN }],
  ['a period of years', { periodMs: 1e12 }],
  ['more than can be told apart', { requests: 1_000_001 }],
  ['a burst that is never back', { requests: 1, periodMs: 1e9, burst: 1e9 }],
] as const) {
  test(`${what} is not a rate`, () => {
    const declared: RateSpec = { ...{ requests: 10, periodMs: 1000, burst: 10 }, ...spec }

    assert.equal(typeof toRate(declared), 'string')
  })
}

function rateOf(spec: RateSpec): Rate {
  const rate = toRate(spec)
  if (typeof rate === 'string') throw new Error(rate)
  return rate
}

function openBucket(spec: RateSpec): (nowMs: number) => TokenDecision {
  const cells = new BigInt64Array(1)
  const rate = rateOf(spec)
  return (nowMs) => takeToken(cells, 0, toNs(nowMs), rate)
}

function passedTimes(spec: RateSpec, waits: readonly number[]): bigint[] {
  const rate = rateOf(spec)
  const cells = new BigInt64Array(1)
  const passed: bigint[] = []
  let now = 0n
  for (const wait of waits) {
    now += (rate.intervalNs * BigInt(wait)) / 100n
    if (takeToken(cells, 0, now, rate).ok) passed.push(now)
  }
  return passed
}
