import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import { createTidy } from '../../src/process/tidy.ts'

const MIB = 1024 ** 2

function heapBytes(): number {
  return getHeapStatistics().total_physical_size
}

/** Grows the heap by some 100 MB that nothing holds any more. */
function leaveGarbage(): void {
  let kept: unknown[] | null = []
  while (heapBytes() < 150 * MIB) for (let n = 0; n < 10_000; n++) kept.push({ n, more: [n] })
  kept = null
}

test('gives back what a large change has left', () => {
  const tidy = createTidy()
  const before = heapBytes()
  leaveGarbage()
  const grown = heapBytes()

  tidy.now()

  assert.ok(grown - before > 64 * MIB)
  assert.ok(heapBytes() - before < 16 * MIB, `${before} ${grown} ${heapBytes()}`)
})

test('leaves a heap alone that has hardly grown', () => {
  const tidy = createTidy()
  const profiler = new GCProfiler()
  profiler.start()

  tidy.now()

  assert.deepEqual(profiler.stop()?.statistics, [])
})

test('collects once what a start has left, however little it is', () => {
  const tidy = createTidy({ afterStart: true })
  const profiler = new GCProfiler()
  profiler.start()

  tidy.now()

  const first = profiler.stop()?.statistics ?? []
  assert.ok(first.length > 0, 'the first time it collects')
  profiler.start()
  tidy.now()
  assert.deepEqual(profiler.stop()?.statistics, [])
})
