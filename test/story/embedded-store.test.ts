/** The embedded store among processes: writers that are killed at any byte, writers at once, and how soon a reader knows. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import {
  createEmbeddedProvider,
  openEmbeddedKeyStore,
} from '../../src/providers/embedded/embedded-provider.ts'
import { createSluiceLayout } from '../../src/providers/layouts/native/layout.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { openStorePath, storeSource } from '../support/embedded.ts'
import { pathOf, textOf, WRITER } from '../support/embedded-writer.ts'
import { createWatch } from '../support/until.ts'

const WRITES = 10_000
// A kill takes no more from a disk than from memory: the kernel has what was written. Only syncing is faster there.
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Revision by number. */
type Acknowledged = Map<number, string>

/** Everything that the writer acknowledged, until it ended or was killed after `killAfter` of them. */
async function runWriter(
  t: TestContext,
  words: readonly (string | number)[],
  killAfter = Infinity,
): Promise<Acknowledged> {
  const child = spawn(process.execPath, [WRITER, ...words.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => end(child))
  const closed = once(child, 'close')
  const acknowledged: Acknowledged = new Map()
  for await (const line of createInterface(child.stdout)) {
    const [number, revision = ''] = line.split(' ')
    acknowledged.set(Number(number), revision)
    if (acknowledged.size === killAfter) child.kill('SIGKILL')
  }
  await closed
  return acknowledged
}

function end(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
}

/** Follows the store; the objects by id. */
function follow(t: TestContext, path: string) {
  const stopping = new AbortController()
  const provider = createEmbeddedProvider(storeSource(path), createSluiceLayout())
  const watch = createWatch()
  const objects = new Map<string, DeclaredObject>()
  let lists = 0
  async function run(): Promise<void> {
    for await (const reading of provider.watch(stopping.signal)) {
      assert.ok(reading.readable)
      if (reading.changes === null) {
        lists += 1
        objects.clear()
        for (const object of reading.objects) objects.set(object.id, object)
      } else {
        for (const { id } of reading.changes.deletes) objects.delete(id)
        for (const object of reading.changes.upserts) objects.set(object.id, object)
      }
      watch.changed()
    }
  }
  const done = run()
  t.after(async () => {
    stopping.abort()
    await done
  })
  return { objects, lists: () => lists, until: watch.until, lost: done }
}

test('loses no acknowledged write and keeps none by halves, however often its writer is killed', async (t) => {
  const path = openStorePath(t, MEMORY)
  const reader = follow(t, path)
  const acknowledged: Acknowledged = new Map()
  let kills = 0
  let next = 0
  const began = performance.now()
  while (acknowledged.size < WRITES) {
    const killAfter = 1 + Math.floor(Math.random() * 800)
    const round = await runWriter(t, [path, 'k', next, next + WRITES], killAfter)
    assert.ok(round.size >= killAfter, 'it writes again after it was killed')
    for (const [number, revision] of round) acknowledged.set(number, revision)
    kills += 1
    // One put may have been under way that was never acknowledged.
    next = Math.max(...round.keys()) + 2
  }
  const seconds = (performance.now() - began) / 1000
  t.diagnostic(`${kills} kills, ${acknowledged.size} writes in ${seconds.toFixed(1)} s`)

  const keys = await openEmbeddedKeyStore(path)
  t.after(() => keys.close())
  const found = await keys.list()
  const byPath = new Map(found.map((key) => [key.path, key]))
  for (const [number, revision] of acknowledged) {
    assert.equal(byPath.get(pathOf('k', number))?.revision, revision)
  }
  for (const { text } of found) {
    assert.equal(text, textOf((JSON.parse(text) as { number: number }).number))
  }
  assert.ok(found.length <= acknowledged.size + kills, 'nothing is there that was not written')
  const database = new DatabaseSync(path)
  assert.equal(database.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok')
  database.close()
  await Promise.race([
    reader.until(() => reader.objects.size === found.length, 'the reader has all of them'),
    reader.lost,
  ])
  for (const object of reader.objects.values()) assert.equal(object.fault, undefined)
  assert.ok(reader.lists() <= 3, 'it gets the changes, and does not list again')
})

test('three processes that write at once lose nothing, and no two writes have one revision', async (t) => {
  const path = openStorePath(t)
  const reader = follow(t, path)

  const rounds = await Promise.all(
    ['a', 'b', 'c'].map((prefix) => runWriter(t, [path, prefix, 0, 500])),
  )

  const revisions = rounds.flatMap((round) => [...round.values()])
  assert.equal(revisions.length, 1_500)
  assert.equal(new Set(revisions).size, 1_500)
  await reader.until(() => reader.objects.size === 1_500, 'the reader has all of them')
})

test('a reader knows within milliseconds of the acknowledgement', async (t) => {
  const path = openStorePath(t)
  const reader = follow(t, path)
  const child = spawn(process.execPath, [WRITER, path, 'k', '0', '300'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => end(child))
  const lateMs: number[] = []
  for await (const line of createInterface(child.stdout)) {
    const [number = ''] = line.split(' ')
    const acknowledged = performance.now()
    await reader.until(() => reader.objects.has(`k${number}`), `the reader has ${number}`)
    lateMs.push(performance.now() - acknowledged)
  }

  const [p50 = NaN, p99 = NaN] = [0.5, 0.99].map((share) => percentile(lateMs, share))
  t.diagnostic(`acknowledged -> yielded: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`)
  assert.equal(lateMs.length, 300)
  assert.ok(p50 < 50, `p50 is ${p50} ms: it is rung at, not polled`)
})

function percentile(values: readonly number[], share: number): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]
}
