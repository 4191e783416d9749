import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deadlines, type Expiring } from '../../src/http/connection/deadlines.ts'
import { turn } from '../support/until.ts'

function open(): {
  deadlines: Deadlines
  expired: number[]
  member: (deadlineAt: number) => Expiring
} {
  const deadlines = new Deadlines()
  deadlines.close()
  const expired: number[] = []
  return {
    deadlines,
    expired,
    member(deadlineAt) {
      const one: Expiring = {
        deadlineAt,
        deadlineIndex: -1,
        expire(now) {
          expired.push(now)
          deadlines.remove(one)
        },
        fault(error) {
          throw error
        },
      }
      deadlines.add(one)
      return one
    },
  }
}

test('what is past expires at the next tick', () => {
  const { deadlines, expired, member } = open()
  const start = performance.now()
  member(start + 50)
  member(start + 150)

  deadlines.tick(start + 100)
  const first = expired.length
  deadlines.tick(start + 200)

  assert.equal(first, 1)
  assert.equal(expired.length, 2)
})

test('a tick that comes late lets one pass, so that what has come meanwhile is read first', () => {
  const { deadlines, expired, member } = open()
  const start = performance.now()
  deadlines.tick(start)
  const late = member(start + 100)

  deadlines.tick(start + 5_000)
  const judgedAtOnce = expired.length
  // It had been answered while we stood still.
  late.deadlineAt = Infinity
  member(start + 200)
  deadlines.tick(start + 5_100)

  assert.equal(judgedAtOnce, 0)
  assert.deepEqual(expired, [start + 5_100])
})

test('where every tick is late every second one judges', () => {
  const { deadlines, expired, member } = open()
  const start = performance.now()
  deadlines.tick(start)
  member(start + 1)

  deadlines.tick(start + 1_000)
  deadlines.tick(start + 2_000)

  assert.deepEqual(expired, [start + 2_000])
})

test('of many that are past a turn of the event loop ends a few', async () => {
  const { deadlines, expired, member } = open()
  const start = performance.now()
  for (let count = 0; count < 40; count++) member(start + 1)

  deadlines.tick(start + 100)
  const counts = [expired.length]
  for (; expired.length < 40; counts.push(expired.length)) await turn()

  assert.deepEqual(counts, [16, 32, 40])
  assert.deepEqual(new Set(expired), new Set([start + 100]))
})
