import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { spawnWorkers } from '../../src/process/workers.ts'
import { eventually, turn } from '../support/until.ts'

const WAITS = entryOf(`
  import { parentPort } from 'node:worker_threads'
  parentPort.once('message', (first) => parentPort.postMessage('received ' + first))
`)
const FAILS = entryOf(`throw new Error('cannot load')`)

test('a worker that was spawned ahead is taken once, and receives what was sent before it had loaded', async (t) => {
  const spawned = noteWorkers(t)
  const workers = spawnWorkers(1, WAITS)
  await turn()
  assert.equal(spawned.length, 1)

  const first = workers.take()
  first.postMessage('start')
  const second = workers.take()

  assert.deepEqual(await once(first, 'message'), ['received start'])
  assert.deepEqual([first, second], spawned)
})

test('a worker that cannot load its code is not handed out', async (t) => {
  const spawned = noteWorkers(t)
  const workers = spawnWorkers(1, FAILS)
  await eventually(() => spawned[0]?.threadId === -1, 'it has ended')

  const worker = workers.take()

  assert.notEqual(worker, spawned[0])
  const [error] = (await once(worker, 'error')) as [Error]
  assert.equal(error.message, 'cannot load')
})

test('workers that were not taken are ended', async (t) => {
  const spawned = noteWorkers(t)
  const workers = spawnWorkers(2, WAITS)
  const taken = workers.take()

  await workers.discard()

  assert.deepEqual(
    spawned.map(({ threadId }) => threadId === -1),
    [false, true],
  )
  assert.equal(taken, spawned[0])
})

function entryOf(code: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`)
}

/** The workers of this process from now on, in order. They end with the test. */
function noteWorkers(t: TestContext): readonly Worker[] {
  const spawned: Worker[] = []
  const note = (worker: Worker): void => void spawned.push(worker)
  process.on('worker', note)
  t.after(async () => {
    process.off('worker', note)
    await Promise.all(spawned.map((worker) => worker.terminate()))
  })
  return spawned
}
