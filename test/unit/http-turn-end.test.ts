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
