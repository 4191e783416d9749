// What decides by time goes on over any pause: 24.8 days, after which ms no longer fit an Int32, 49.7 days, after which they
// begin again, and years. Nothing but what people read follows the date.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatJson } from '../../src/observe/access-log.ts'
import { recordOf } from '../../src/observe/access-record.ts'
import { ewmaAt, recordLatency } from '../../src/policy/ewma.ts'
import { KeyTable } from '../../src/policy/limiting/key-table.ts'
import { LEASE_MS, LEASED_MASK, LeasedCounts } from '../../src/policy/limiting/leased-counts.ts'
import { takeFromAll, toKeyedRates } from '../../src/policy/limiting/rate-limit.ts'
import { earnRetries, takeRetry } from '../../src/policy/retrying/retry-budget.ts'
import { RollingWindow } from '../../src/policy/breaking/rolling-window.ts'
import { Scoreboard, type Slot } from '../../src/scoreboard/scoreboard.ts'
import { openBoard } from '../support/endpoints.ts'
import { backendOf, serverOf } from '../support/objects.ts'
import { openThreads, requestOf } from '../support/middleware-context.ts'

const DAY_MS = 86_400_000

/** Around each place where 32 bits wrap, and far beyond. */
const JUMPS: readonly number[] = [
  ...[1, 24.8, 24.9, 37, 49.6, 49.7, 49.8, 74.6, 99.5, 365, 3650].map((days) => days * DAY_MS),
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 3 * 2 ** 31],
  ...[2 ** 32 - 30_000, 2 ** 32 - 60_000, 2 ** 32 + 40],
]

/** ms of traffic after a jump in which everything has to be as ever. */
const SOON_MS = 6_000

function openSlot(): Slot {
  const scoreboard = new Scoreboard(1, 0)
  return scoreboard.slot(scoreboard.allocate())
}

for (const jump of JUMPS) {
  const days = `${(jump / DAY_MS).toFixed(5)} days`

  test(`the retry budget earns on after ${days} without traffic`, () => {
    for (const beganAt of [0, 10 * DAY_MS, 40 * DAY_MS]) {
      const slot = openSlot()
      const budget = { ratio: 0.2, perSecond: 3 }
      earnRetries(slot, 0, budget, beganAt)
      while (takeRetry(slot)) continue

      let requests = 0
      for (let at = beganAt + jump; at <= beganAt + jump + SOON_MS; at += 100) {
        requests += 50
        earnRetries(slot, requests, budget, at)
      }

      let retries = 0
      while (takeRetry(slot)) retries++
      assert.ok(retries >= 45 && retries <= 50, `${retries} after ${beganAt} and ${jump}`)
    }
  })

  test(`a slow server's latency is forgotten after ${days}`, () => {
    const slot = openSlot()

    recordLatency(slot, 2_000_000, 1_000)
    const after = ewmaAt(slot, 1_000 + jump + 2 * 60_000)

    // Where 32 bits come round to the same ms it looks recent, and is forgotten from then on.
    assert.ok(after <= 2_000_000 * Math.exp(-6) * 1.01, `${after}`)
  })

  test(`a rate is kept after ${days}`, () => {
    const { compileContexts } = openThreads(1, () => 0)
    const [one] = compileContexts
    const rates = toKeyedRates([{ requests: 10, periodMs: 1000, burst: 10 }])
    assert.ok(one && typeof rates !== 'string')
    const table = new KeyTable(one.table, 1)
    const taken = (at: number): number => {
      let count = 0
      while (takeFromAll(table, 'client', rates, at).ok) count++
      return count
    }

    assert.equal(taken(1_000), 10)
    assert.equal(taken(1_000 + jump), jump < 1_000 ? 0 : 10)
    assert.equal(taken(1_500 + jump), 5)
  })

  test(`a window forgets after ${days}`, () => {
    const window = new RollingWindow(1, { lengthMs: 10_000, resolutionMs: 1000 })
    const at = (now: number, sum: number): number => {
      window.move(now, () => sum)
      return window.of(0)
    }

    at(0, 0)
    assert.equal(at(1_000, 5), 5)
    at(1_000 + jump, 5)
    assert.equal(at(1_000 + jump + 11_000, 6), 1)
  })

  test(`a server that cannot be connected to rests, and no longer than it should, after ${days}`, (t) => {
    const board = openBoard(t)
    const [endpoint] = board.endpoints(backendOf('b', [serverOf('one', 'http://10.0.0.1:80')]))
    assert.ok(endpoint)
    endpoint.connectFailed('CONNECT_REFUSED')
    assert.ok(endpoint.isBackingOff)

    board.now += jump
    assert.equal(endpoint.isBackingOff, false)
    endpoint.connectFailed('CONNECT_REFUSED')
    assert.ok(endpoint.isBackingOff)
    board.now += 60_000
    assert.equal(endpoint.isBackingOff, false)
  })
}

test('leased counts lose nothing where threads read the clock apart at the end of a period', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          thread: fc.integer({ min: 0, max: 2 }),
          // How far this reading is behind the latest one.
          behindMs: fc.integer({ min: 0, max: 2_000 }),
          passMs: fc.integer({ min: 0, max: 9_000 }),
          act: fc.constantFrom('take', 'take', 'give'),
        }),
        { maxLength: 60 },
      ),
      fc.constantFrom(...JUMPS),
      (steps, beganAt) => {
        const cells = new BigInt64Array(2)
        cells[0] = 7n
        const threads = [0, 1, 2].map(() => new LeasedCounts(cells))
        const held: { thread: number; holding: ReturnType<LeasedCounts['take']> }[] = []
        let now = Math.ceil(beganAt / LEASE_MS) * LEASE_MS - 1_000
        const inFlight = (): number => {
          const counts = Number((cells[1] ?? 0n) & LEASED_MASK)
          return (counts >>> 16) + (counts & 0xffff)
        }
        for (const { thread, behindMs, passMs, act } of steps) {
          now += passMs
          const leased = threads[thread]
          assert.ok(leased)
          // As their timers do.
          for (const one of threads) one.renew(now - (one === leased ? behindMs : 0))
          if (act === 'take') {
            const holding = leased.take(1, 1_000, now - behindMs)
            assert.ok(holding)
            held.push({ thread, holding })
          } else {
            const at = held.findIndex((one) => one.thread === thread)
            const [given] = at === -1 ? [] : held.splice(at, 1)
            if (given?.holding) leased.release(given.holding, now - behindMs)
          }
          assert.equal(inFlight(), held.length)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('the access log follows a step of the date, and its durations do not', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 0, 1) })
  const exchange = requestOf()
  const ending = { frontend: 'f', backend: 'b', server: 's', attempts: 1 }

  const before = recordOf(exchange, ending, 250)
  t.mock.timers.setTime(Date.UTC(2026, 5, 1, 12))
  const after = recordOf(exchange, ending, 250)

  assert.match(formatJson(before), /^\{"time":"2025-12-31T23:59:59\.750Z","duration_ms":250,/)
  assert.match(formatJson(after), /^\{"time":"2026-06-01T11:59:59\.750Z","duration_ms":250,/)
})
