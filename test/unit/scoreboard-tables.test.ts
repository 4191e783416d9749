import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scoreboard, ScoreboardView } from '../../src/scoreboard/scoreboard.ts'

test('threads share a table, also those that come later', () => {
  const scoreboard = new Scoreboard(2, 0)
  const early = new ScoreboardView(scoreboard.memory(), 0)
  const held = scoreboard.size
  const table = scoreboard.allocateTable()

  early.add(scoreboard.addedSince(held))
  const late = new ScoreboardView(scoreboard.memory(), 1)

  early.table(table)[7] = 9n
  assert.equal(late.table(table)[7], 9n)
})

test('a table that is given back is nobody else, and threads let go of it when they are told', () => {
  const scoreboard = new Scoreboard(1, 0)
  const kept = scoreboard.allocateTable()
  const gone = scoreboard.allocateTable()
  const view = new ScoreboardView(scoreboard.memory(), 0)
  const held = scoreboard.size
  view.table(gone)[0] = 1n

  scoreboard.releaseTable(gone)
  const next = scoreboard.allocateTable()
  view.add(scoreboard.addedSince(held))

  assert.notEqual(next, gone)
  assert.equal(view.table(next)[0], 0n)
  assert.ok(view.table(kept))
  assert.throws(() => view.table(gone), /is not here/)
})

test('what nothing writes to costs no memory, however many come and go', () => {
  const scoreboard = new Scoreboard(1, 0)
  const before = process.memoryUsage().rss

  for (let round = 0; round < 20; round++) {
    const tables = Array.from({ length: 200 }, () => scoreboard.allocateTable())
    for (const table of tables) scoreboard.releaseTable(table)
  }

  const grown = (process.memoryUsage().rss - before) / 2 ** 20
  assert.ok(grown < 60, `${grown} MiB for 4,000 tables of 1 MiB`)
})
