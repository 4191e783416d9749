// A short run of the seeded fuzz; `npm run fuzz` makes the long one. What is judged is in test/fuzz/judge-*.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runFuzz } from '../fuzz/run.ts'

test('4,000 mutated requests and responses disagree with the oracle nowhere', async (t) => {
  const explained = await runFuzz(t, { first: 1, count: 4_000, lanes: 4 })

  for (const [name, times] of explained) assert.ok(times < 400, `${name}: ${times} times`)
})
