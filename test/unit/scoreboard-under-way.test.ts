import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COUNT, SHARED } from '../../src/scoreboard/layout.ts'
import { count, Scoreboard, ScoreboardView, sharedAdd } from '../../src/scoreboard/scoreboard.ts'

test('what a thread that dies had under way is taken back, of frontends and of servers', () => {
  const scoreboard = new Scoreboard(2, 0)
  const [frontend, server] = [scoreboard.allocate(), scoreboard.allocate()]
  const views = [0, 1].map((thread) => new ScoreboardView(scoreboard.memory(), thread))
  for (const view of views) {
    count(view.slot(frontend), COUNT.underWay, 3)
    count(view.slot(server), COUNT.inFlight, 3)
    sharedAdd(view.slot(server), SHARED.inFlight, 3)
  }
  assert.deepEqual(
    [frontend, server].map((slot) => scoreboard.underWay(slot)),
    [6, 6],
  )

  scoreboard.forgetThread(1)

  assert.deepEqual(
    [frontend, server].map((slot) => scoreboard.underWay(slot)),
    [3, 3],
  )
})
