/** One of several threads that bring the same keys to one table in the same order: each takes one token of every key. */
import { workerData, parentPort } from 'node:worker_threads'
import { KeyTable } from '../../src/policy/limiting/key-table.ts'
import { takeToken, toRate } from '../../src/policy/limiting/token-bucket.ts'
import { type KeyWork, NOW, RATE } from './key-work.ts'

const { table, gate, keys } = workerData as KeyWork
const rate = toRate(RATE)
if (typeof rate === 'string') throw new Error(rate)
const known = new KeyTable(new BigInt64Array(table), 4711)
parentPort?.postMessage('ready')
Atomics.wait(new Int32Array(gate), 0, 0)
for (let at = 0; at < keys; at++)
  takeToken(known.cells, known.findOrTake(`key ${at}`, 0, NOW), NOW, rate)
