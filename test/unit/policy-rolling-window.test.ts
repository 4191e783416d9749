import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RollingWindow } from '../../src/policy/breaking/rolling-window.ts'

const TEN_SECONDS = { lengthMs: 10_000, resolutionMs: 100 }

/** A counter and a window over it. */
function openCounter(length = TEN_SECONDS): {
  window: RollingWindow
  at: (now: number, sum: number) => number
} {
  const window = new RollingWindow(1, length)
  const at = (now: number, sum: number): number => {
    window.move(now, () => sum)
    return window.of(0)
  }
  return { window, at }
}

test('what was there before the first look is no growth', () => {
  const { at } = openCounter()

  assert.equal(at(5_000, 1_000), 0)
  assert.equal(at(5_100, 1_003), 3)
})

test('growth leaves the window when its time has passed', () => {
  const { at } = openCounter()
  at(0, 0)
  at(100, 5)
  at(5_000, 7)

  assert.equal(at(10_000, 7), 7)
  assert.equal(at(10_100, 7), 2)
  assert.equal(at(14_900, 7), 2)
  assert.equal(at(15_000, 7), 0)
})

test('a reset begins anew with what grows after it', () => {
  const { window, at } = openCounter()
  at(0, 0)
  at(100, 5)

  window.reset()

  assert.equal(window.of(0), 0)
  assert.equal(at(150, 6), 1)
  assert.equal(at(10_050, 6), 1)
  assert.equal(at(10_100, 6), 0)
})

test('a sum that goes back is no growth, and what grows from there is', () => {
  const { at } = openCounter()
  at(0, 0)
  at(100, 50)

  assert.equal(at(200, 20), 50)
  assert.equal(at(300, 23), 53)
})

test('after a gap of any length what grew in it is there once', () => {
  const { at } = openCounter()
  at(0, 0)
  at(100, 5)

  assert.equal(at(3_600_000, 9), 4)
  assert.equal(at(3_609_900, 9), 4)
  assert.equal(at(3_610_000, 9), 0)
})

test('a clock that goes back takes nothing away', () => {
  const { at } = openCounter()
  at(5_000, 0)
  at(5_100, 2)

  assert.equal(at(1_000, 3), 3)
  assert.equal(at(5_200, 4), 4)
})

test('several counters share a window', () => {
  const window = new RollingWindow(3, TEN_SECONDS)
  window.move(0, (counter) => counter * 10)
  window.move(100, (counter) => counter * 11)

  assert.deepEqual(
    [0, 1, 2].map((counter) => window.of(counter)),
    [0, 1, 2],
  )
})

test('it answers what was seen to grow in the spans of the window', () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 700 }), grows: fc.nat(5) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { at } = openCounter({ lengthMs: 1_000, resolutionMs: 100 })
      const seen: { span: number; grows: number }[] = []
      let [now, sum] = [0, 0]
      at(now, sum)
      for (const { afterMs, grows } of steps) {
        now += afterMs
        sum += grows
        const span = Math.floor(now / 100)
        seen.push({ span, grows })

        const wanted = seen.filter((one) => one.span > span - 10)
        assert.equal(
          at(now, sum),
          wanted.reduce((total, one) => total + one.grows, 0),
        )
      }
    }),
  )
})
