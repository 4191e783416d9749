/**
 * The long fuzz, by command: `npm run fuzz -- --count 1000000 --seed 1`. Half of the cases are requests, half answers; for
 * every ten of them there is a table of hostile objects besides (`--tables` alone runs these only). `--heads` compares the
 * walk over heads with its oracle instead: a million take half a minute. `--frames` sends sequences of HTTP/2 frames instead, half of them as
 * a client and half as a server.
 * Ends with 1 and the seed that shows it on the first disagreement or uncaught error; `--seed N --count 1` shows it again.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { parseArgs } from 'node:util'
import { compareHeads } from './head-oracle.ts'
import { runTables } from './judge-tables.ts'
import { runFuzz, startFrames } from './run.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '4' },
    tables: { type: 'boolean', default: false },
    heads: { type: 'boolean', default: false },
    frames: { type: 'boolean', default: false },
  },
})
const [count, first, lanes] = [values.count, values.seed, values.lanes].map(Number)
assert.ok(count !== undefined && first !== undefined && lanes !== undefined)

/** A gateway keeps its records; a fresh one now and then keeps the memory flat. */
const STRETCH = 5_000

const explained = new Map<string, number>()
const began = performance.now()

for (let at = 0; at < count; at += STRETCH) {
  const size = Math.min(STRETCH, count - at)
  let hasPassed = false
  await test(`seeds ${first + at} to ${first + at + size - 1}`, async (t: TestContext) => {
    if (values.heads) {
      compareHeads(first + at, size)
      hasPassed = true
      return
    }
    if (!values.tables) {
      const startLane = values.frames ? startFrames : undefined
      const met = await runFuzz(t, { first: first + at, count: size, lanes }, startLane)
      for (const [name, times] of met) explained.set(name, (explained.get(name) ?? 0) + times)
    }
    const tables = values.tables ? size : Math.ceil(size / 10)
    if (!values.frames) await runTables(first + at, tables)
    hasPassed = true
  })
  // The runner reports the failure, with its seed, and ends the process with 1.
  if (!hasPassed) break
  const seconds = (performance.now() - began) / 1_000
  process.stderr.write(
    `${at + size} of ${count} cases, ${Math.round((at + size) / seconds)} a second, ` +
      `explained: ${JSON.stringify(Object.fromEntries(explained))}\n`,
  )
}
