import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turnEnd } from 'node:timers/promises'
import { writeAtTurnEnd } from '../../src/http/connection/turn-end.ts'

/** Writers that note their number when they are flushed. */
function writers(count: number): {
  flushed: number[]
  all: Parameters<typeof writeAtTurnEnd>[0][]
} {
  const flushed: number[] = []
  const all = Array.from({ length: count }, (_, number) => ({
    flush: () => void flushed.push(number),
    caught: (error: unknown) => assert.fail(String(error)),
  }))
  return { flushed, all }
}

test('what is written in a turn waits for its end, in order', async () => {
  const { flushed, all } = writers(3)

  for (const writer of all) writeAtTurnEnd(writer)
  await Promise.resolve()
  const before = [...flushed]
  await turnEnd()

  assert.deepEqual(before, [])
  assert.deepEqual(flushed, [0, 1, 2])
})

test('a long turn does not hold back more than a few writers', async () => {
  const { flushed, all } = writers(100)

  for (const writer of all) writeAtTurnEnd(writer)
  const before = flushed.length
  await turnEnd()

  assert.equal(before, 96)
  assert.equal(flushed.length, 100)
})

test('an exception of one writer is its own', async () => {
  const { flushed, all } = writers(1)
  const caught: unknown[] = []
  const fault = new Error('broken')
  const broken = {
    flush: () => {
      throw fault
    },
    caught: (error: unknown) => void caught.push(error),
  }

  for (const writer of [broken, ...all]) writeAtTurnEnd(writer)
  await turnEnd()

  assert.deepEqual(caught, [fault])
  assert.deepEqual(flushed, [0])
})

test('what a writer writes while it is flushed is flushed, too', async () => {
  const { flushed, all } = writers(1)
  const second = all[0]
  const first = {
    flush: () => {
      if (second !== undefined) writeAtTurnEnd(second)
    },
    caught: (error: unknown) => assert.fail(String(error)),
  }

  writeAtTurnEnd(first)
  await turnEnd()

  assert.deepEqual(flushed, [0])
})

test('what is written after a flush within a flush is flushed, too', async () => {
  const { flushed, all } = writers(33)
  const [before, last] = [all.slice(0, 32), all[32]]
  const first = before[0]
  assert.ok(first !== undefined && last !== undefined)
  // The first one of 32, whose flush writes two more: one that ends the wait of all, and one that comes after it.
  let isFlushed = false
  const writing = {
    flush: () => {
      if (isFlushed) return
      isFlushed = true
      writeAtTurnEnd(first)
      writeAtTurnEnd(last)
    },
    caught: (error: unknown) => assert.fail(String(error)),
  }

  for (const writer of [writing, ...before.slice(1)]) writeAtTurnEnd(writer)
  await turnEnd()
  await turnEnd()

  assert.ok(flushed.includes(32), 'the last one is not lost')
  assert.equal(new Set(flushed).size, 33)
})
