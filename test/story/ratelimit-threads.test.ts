// Issue: the bars "rate limit 1,000/s, 4 workers" and "limiter fed 1,000,000 distinct keys".
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { TABLE_CELLS_PER_KEY, TABLE_KEYS } from '../../src/scoreboard/layout.ts'
import type { Owner } from '../support/daemon.ts'
import { type KeyWork, NOW } from '../support/key-work.ts'
import type { RateWork } from '../support/rate-worker.ts'

const SECONDS = 4
const BURST = 200
const THREADS = 4
const KEYS = 5_000

test('four threads at 100,000 requests a second let 1,000 of each through', async (t) => {
  const passed = await hammer(t, {
    options: { requests: 1000, burst: BURST, headers: false },
    stepUs: 10,
    endUs: SECONDS * 1e6,
  })

  const [first = 0, ...steady] = passed
  for (const second of steady) assert.ok(second >= 990 && second <= 1010, `1,000: ${steady.join()}`)
  assert.ok(first >= 990 + BURST && first <= 1010 + BURST, `${first} in the first second`)
  const total = passed.reduce((sum, one) => sum + one, 0)
  // Exact, but for requests whose thread was held up.
  assert.ok(total <= SECONDS * 1000 + BURST, `${total} in all`)
})

test('threads that bring the same keys at the same moment end with one entry for each', async (t) => {
  const table = openTable()
  const gate = new SharedArrayBuffer(4)
  const data: KeyWork = { table, gate, keys: KEYS }
  const workers = startWorkers(t, 'key-worker.ts', data)
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  Atomics.store(new Int32Array(gate), 0, 1)
  Atomics.notify(new Int32Array(gate), 0)
  await Promise.all(workers.map((worker) => once(worker, 'exit')))

  const cells = new BigInt64Array(table)
  const tags: bigint[] = []
  let taken = 0n
  for (let at = 0; at < cells.length; at += TABLE_CELLS_PER_KEY) {
    if (cells[at] === 0n) continue
    tags.push(cells[at] ?? 0n)
    taken += ((cells[at + 1] ?? 0n) - NOW) / 1000n
  }
  assert.equal(new Set(tags).size, KEYS)
  assert.equal(tags.length, KEYS)
  // What is taken in the very moment in which an entry is given up may be lost.
  const most = BigInt(KEYS * THREADS)
  assert.ok(taken <= most && taken >= most - 20n, `${taken} of ${most}`)
})

test('a million distinct keys add less than 32 MB', async () => {
  const program = fileURLToPath(new URL('../support/flood-of-keys.ts', import.meta.url))

  const { stdout } = await promisify(execFile)(process.execPath, [program])

  const { grown, passed } = JSON.parse(stdout) as { grown: number; passed: number }
  assert.ok(grown < 32 * 2 ** 20, `${(grown / 2 ** 20).toFixed(1)} MB`)
  assert.equal(passed, 1_000_000)
})

/** How many passed in each second, over four threads. */
async function hammer(
  t: Owner,
  work: Pick<RateWork, 'options' | 'stepUs' | 'endUs'>,
): Promise<number[]> {
  const clock = new SharedArrayBuffer(8)
  const data: RateWork = { ...work, table: openTable(), clock }
  const workers = startWorkers(t, 'rate-worker.ts', data)
  const said = await Promise.all(
    workers.map(async (worker) => {
      const [passed] = (await once(worker, 'message')) as [number[]]
      return passed
    }),
  )
  return Array.from({ length: Math.ceil(work.endUs / 1e6) }, (_, second) =>
    said.reduce((sum, passed) => sum + (passed[second] ?? 0), 0),
  )
}

function startWorkers(owner: Owner, program: string, workerData: object): Worker[] {
  const url = new URL(`../support/${program}`, import.meta.url)
  const workers = Array.from({ length: THREADS }, () => new Worker(url, { workerData }))
  owner.after(() => Promise.all(workers.map((worker) => worker.terminate())))
  return workers
}

function openTable(): SharedArrayBuffer {
  return new SharedArrayBuffer(TABLE_KEYS * TABLE_CELLS_PER_KEY * 8)
}
