import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ewmaAt, recordLatency } from '../../src/policy/ewma.ts'
import { Scoreboard, type Slot } from '../../src/scoreboard/scoreboard.ts'

const MS = 1_000

function openSlot(): Slot {
  const scoreboard = new Scoreboard(1, 0)
  return scoreboard.slot(scoreboard.allocate())
}

function assertNear(actual: number, expected: number, bound: number): void {
  assert.ok(Math.abs(actual - expected) <= bound, `${actual} is not within ${bound} of ${expected}`)
}

test('there is no measurement before the first answer', () => {
  assert.equal(ewmaAt(openSlot(), 5_000), 0)
})

test('a slower answer counts at once and in full', () => {
  const slot = openSlot()

  recordLatency(slot, 5 * MS, 1_000)
  recordLatency(slot, 900 * MS, 1_000)

  assert.equal(ewmaAt(slot, 1_000), 900 * MS)
})

test('faster answers take it back with a time constant of 10 s, however many they are', () => {
  for (const everyMs of [1, 40, 250, 2_000]) {
    const slot = openSlot()
    recordLatency(slot, 1_000 * MS, 0)

    for (let now = everyMs; now <= 10_000; now += everyMs) recordLatency(slot, 10 * MS, now)

    // Of the 990 ms above the samples, 1 / e is left.
    assertNear(ewmaAt(slot, 10_000), 10 * MS + 990 * MS * Math.exp(-1), 12 * MS)
  }
})

test('it comes down to the samples and stays there', () => {
  const slot = openSlot()
  recordLatency(slot, 80, 0)

  for (let now = 0; now < 120_000; now += 1.7) recordLatency(slot, 50, now)

  assertNear(ewmaAt(slot, 120_000), 50, 1)
})

test('silence takes it back, too', () => {
  const slot = openSlot()

  recordLatency(slot, 1_000 * MS, 0)

  assertNear(ewmaAt(slot, 10_000), 1_000 * MS * Math.exp(-1), 1)
  assertNear(ewmaAt(slot, 46_052), 10 * MS, 1)
})

test('the clock wraps without a trace', () => {
  const wrap = 2 ** 31
  const slot = openSlot()

  recordLatency(slot, 1_000 * MS, wrap - 5_000)
  const across = ewmaAt(slot, wrap + 5_000)
  recordLatency(slot, 10 * MS, wrap + 5_000)

  assertNear(across, 1_000 * MS * Math.exp(-1), 1)
  assertNear(ewmaAt(slot, wrap + 5_000), 10 * MS + 990 * MS * Math.exp(-1), 1)
})

test('a thread whose clock was read a little earlier changes nothing', () => {
  const slot = openSlot()

  recordLatency(slot, 100 * MS, 2_000)
  recordLatency(slot, 10 * MS, 1_998)

  assert.equal(ewmaAt(slot, 1_997), 100 * MS)
})

test('samples beyond any measure are held within the cell', () => {
  for (const [sample, kept] of [
    [Infinity, 2 ** 31 - 1],
    [1e12, 2 ** 31 - 1],
    [0, 1],
    [-5, 1],
    [NaN, 1],
    [0.2, 1],
  ] as const) {
    const slot = openSlot()

    recordLatency(slot, sample, 0)

    assert.equal(ewmaAt(slot, 0), kept)
  }
})
