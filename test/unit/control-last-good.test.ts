import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createLastGoodSaver } from '../../src/control/sources/last-good-saver.ts'
import type { LastGoodSaver } from '../../src/control/sources/last-good-saver.ts'
import { openLastGoodFile } from '../../src/control/sources/last-good.ts'
import type { LastGoodFile, SaveResult } from '../../src/control/sources/last-good.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { declared, frontends } from '../support/source-objects.ts'
import { eventually, turn } from '../support/until.ts'

function openFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-last-good-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** One saved file, its path and a fresh reader of it. */
async function openSaved(
  t: TestContext,
  objects: readonly DeclaredObject[] = frontends(3),
): Promise<{ path: string; lastGood: LastGoodFile }> {
  const folder = join(openFolder(t), 'state')
  const lastGood = openLastGoodFile({ folder, source: 'etcd', now: () => 1234 })
  const answer = await lastGood.save(objects, 'r7')
  assert.deepEqual(answer, { saved: true, at: 1234 })
  const [file = ''] = readdirSync(folder)
  return { path: join(folder, file), lastGood }
}

test('has nothing before the first save', (t) => {
  const lastGood = openLastGoodFile({ folder: join(openFolder(t), 'none'), source: 'etcd' })

  assert.deepEqual(lastGood.load(), { state: 'none' })
})

test('gives back what was saved, with its revision and time', async (t) => {
  const objects: DeclaredObject[] = [
    {
      ...declared('backend', 'b', { servers: { s: 'http://10.0.0.1' } }),
      revision: '5',
      line: 3,
      column: 1,
    },
    { ...declared('frontend', '__proto__', undefined), fault: 'is not JSON', remarks: ['a', 'b'] },
    {
      ...declared('frontend', 'shut', undefined),
      fault: 'is not JSON',
      closed: { values: [{ route: 'Host("a")' }], after: 'value' },
    },
    { ...declared('host', 'ä\n"\u2028\ud800', [null, 1, 'PEM']), secrets: ['PEM'] },
    {
      ...declared('backend', 'c', { weight: '3' }),
      references: [{ path: ['weight'], whole: true }],
    },
  ]
  const { lastGood } = await openSaved(t, objects)

  assert.deepEqual(lastGood.load(), { state: 'good', objects, revision: 'r7', savedAt: 1234 })
})

test('gives back nothing where nothing was declared', async (t) => {
  const { lastGood } = await openSaved(t, [])

  assert.deepEqual(lastGood.load(), { state: 'good', objects: [], revision: 'r7', savedAt: 1234 })
})

test('saves files that only their owner can read', async (t) => {
  const { path } = await openSaved(t)

  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700)
})

test('never uses a file in part: names what is wrong with it, and moves it aside', async (t) => {
  const { path, lastGood } = await openSaved(t)
  const whole = readFileSync(path)
  const text = whole.toString()
  const other = openLastGoodFile({ folder: dirname(path), source: 'redis' })
  await other.save([], '1')
  const foreign = readFileSync(
    join(dirname(path), readdirSync(dirname(path)).find((file) => file.startsWith('redis')) ?? ''),
  )
  const broken: readonly (readonly [Buffer | string, RegExp])[] = [
    ['', /cut off/],
    ['\n', /cut off/],
    [whole.subarray(0, 1), /cut off/],
    [whole.subarray(0, whole.length >> 1), /cut off/],
    [whole.subarray(0, -1), /cut off/],
    [text.replace('"f2"', '"f9"'), /checksum is wrong/],
    [text.replace(/\{"kind".*\n/, ''), /checksum is wrong/],
    [text.replace('"version":1', '"version":2'), /version 2, this program reads version 1/],
    [foreign, /another source, "redis"/],
    [Buffer.alloc(10_000), /cut off/],
  ]

  for (const [content, reason] of broken) {
    writeFileSync(path, content)

    const loaded = lastGood.load()

    assert.equal(loaded.state, 'unusable')
    assert.match(loaded.state === 'unusable' ? loaded.reason : '', reason)
    assert.equal(existsSync(path), false)
    assert.deepEqual(readFileSync(`${path}.bad`), Buffer.from(content))
    assert.deepEqual(lastGood.load(), { state: 'none' })
  }
})

test('notices any single byte that is another one', async (t) => {
  const { path, lastGood } = await openSaved(t)
  const whole = readFileSync(path)

  for (let at = 0; at < whole.length; at++) {
    const flipped = Buffer.from(whole)
    flipped[at] = (whole[at] ?? 0) ^ 1
    writeFileSync(path, flipped)

    assert.equal(lastGood.load().state, 'unusable', `byte ${at}`)
  }
})

test('keeps one object that has no text for its name and reason only', async (t) => {
  let deep: unknown = []
  for (let depth = 0; depth < 100_000; depth++) deep = [deep]
  const { lastGood } = await openSaved(t, [declared('frontend', 'deep', deep), ...frontends(1)])

  const loaded = lastGood.load()

  assert.ok(loaded.state === 'good')
  assert.deepEqual(
    loaded.objects.map(({ id }) => id),
    ['deep', 'f1'],
  )
  assert.match(loaded.objects[0]?.fault ?? '', /could not be kept on disk: Maximum call stack/)
})

test('has a file for each source, whatever its name, inside its folder', async (t) => {
  const folder = openFolder(t)
  const names = [
    'etcd',
    'ETCD',
    '',
    '.',
    '..',
    '../../etc',
    'a/b',
    'a-b',
    'x'.repeat(5000),
    'ü\0\n',
  ]

  for (const source of names) await openLastGoodFile({ folder, source }).save([], source)

  assert.equal(readdirSync(folder).length, names.length)
  for (const source of names) {
    const loaded = openLastGoodFile({ folder, source }).load()
    assert.equal(loaded.state === 'good' && loaded.revision, source)
  }
})

test('writes only the last of several that wait, and answers all of them', async (t) => {
  let writes = 0
  const lastGood = openLastGoodFile({
    folder: openFolder(t),
    source: 'etcd',
    now: () => ++writes,
  })

  const answers = await Promise.all(
    ['r1', 'r2', 'r3', 'r4'].map((revision) => lastGood.save(frontends(2), revision)),
  )

  const times = answers.map((answer) => answer.saved && answer.at)
  const loaded = lastGood.load()
  assert.deepEqual(times, [1, 2, 2, 2])
  assert.equal(loaded.state === 'good' && loaded.revision, 'r4')
})

test('saves what there was when it was asked, whatever changes while it writes', async (t) => {
  const lastGood = openLastGoodFile({ folder: openFolder(t), source: 'etcd' })
  const objects = new Map(frontends(5000).map((object) => [object.id, object]))

  const saving = lastGood.save(objects.values(), 'r1')
  await turn()
  objects.clear()
  await saving

  const loaded = lastGood.load()
  assert.equal(loaded.state === 'good' && loaded.objects.length, 5000)
})

test('answers with a reason where it cannot write, and leaves nothing behind', async (t) => {
  const folder = openFolder(t)
  writeFileSync(join(folder, 'file'), '')
  const below = openLastGoodFile({ folder: join(folder, 'file', 'state'), source: 'etcd' })
  const { path, lastGood } = await openSaved(t)
  rmSync(path)
  mkdirSync(join(path, 'in-the-way'), { recursive: true })

  const answers = [await below.save([], '1'), await lastGood.save([], '1')]

  const reasons = answers.map((answer) => (answer.saved ? '' : answer.reason))
  assert.match(reasons[0] ?? '', /^cannot save .*ENOTDIR/)
  assert.match(reasons[1] ?? '', /^cannot save .*(EISDIR|ENOTEMPTY|EEXIST)/)
  assert.equal(readdirSync(dirname(path)).length, 1)
  assert.match(JSON.stringify(lastGood.load()), /cannot be read: EISDIR/)
})

test('removes what a process left beside that died long ago, and nothing that is young', async (t) => {
  const { path, lastGood } = await openSaved(t)
  for (const name of ['old', 'young']) writeFileSync(`${path}.${name}.tmp`, '')
  utimesSync(`${path}.old.tmp`, 0, 0)
  utimesSync(`${path}.young.tmp`, 1, 1)

  openLastGoodFile({ folder: dirname(path), source: 'etcd', now: () => 61_000 }).load()

  assert.equal(existsSync(`${path}.old.tmp`), false)
  assert.equal(existsSync(`${path}.young.tmp`), true)
  assert.equal(lastGood.load().state, 'good')
})

interface World {
  readonly saver: LastGoodSaver
  readonly saved: string[]
  readonly log: string[]
  revision: string
  /** What cannot be collected. */
  fault: Error | null
  /** Saves that were begun. */
  asked: number
}

function openSaver(
  t: TestContext,
  answers: readonly SaveResult[] = [],
  saveMs = 1,
  retryMs = 1,
): World {
  const saved: string[] = []
  const log: string[] = []
  const note = (_fields: object, message: string): void => void log.push(message)
  const saver = createLastGoodSaver({
    source: 'etcd',
    lastGood: {
      async save(_objects, revision) {
        world.asked++
        for (let turns = 0; turns < 100; turns++) await turn()
        saved.push(revision)
        return answers[saved.length - 1] ?? { saved: true, at: 0 }
      },
    },
    collect() {
      if (world.fault !== null) throw world.fault
      return { objects: [], revision: world.revision }
    },
    log: { debug: note, info: note, warn: note, error: note },
    saveMs,
    retryMs,
  })
  const world: World = { saver, saved, log, revision: 'r1', fault: null, asked: 0 }
  t.after(() => saver.stop())
  return world
}

test('saves a while after a change, and once for all changes until then', async (t) => {
  const world = openSaver(t)
  world.saver.scheduleSave()
  world.saver.scheduleSave()
  world.revision = 'r2'

  await eventually(() => world.saved.length > 0, 'a save')
  await world.saver.stop()

  assert.deepEqual(world.saved, ['r2'])
})

test('saves again what changes while it saves', async (t) => {
  const world = openSaver(t)
  world.saver.scheduleSave()
  await eventually(() => world.saved.length === 1, 'a save')
  world.revision = 'r2'
  world.saver.scheduleSave()

  await eventually(() => world.saved.length === 2, 'a second save')

  assert.deepEqual(world.saved, ['r1', 'r2'])
})

test('a fault in what is to be saved is logged, ends nothing, and is tried again', async (t) => {
  const world = openSaver(t)
  world.fault = new Error('no memory')
  world.saver.scheduleSave()

  await eventually(() => world.saver.failure() !== null, 'the fault')
  world.fault = null
  await eventually(() => world.saved.length === 1, 'a save')

  assert.match(world.log[0] ?? '', /source "etcd": cannot save it: no memory/)
  assert.deepEqual(world.saved, ['r1'])
})

test('saves once more at the stop what is not saved yet, and else nothing', async (t) => {
  const dirty = openSaver(t, [], 1_000_000)
  const clean = openSaver(t)
  dirty.saver.scheduleSave()

  await dirty.saver.stop()
  await clean.saver.stop()

  assert.deepEqual(dirty.saved, ['r1'])
  assert.deepEqual(clean.saved, [])
})

test('waits at the stop for the save that runs, and then saves what has changed since', async (t) => {
  const world = openSaver(t)
  world.saver.scheduleSave()
  await eventually(() => world.asked === 1, 'a save that runs')
  world.revision = 'r2'
  world.saver.scheduleSave()

  await world.saver.stop()

  assert.deepEqual(world.saved, ['r1', 'r2'])
})

test('tries again what could not be saved, and says so once', async (t) => {
  const full = { saved: false, reason: 'cannot save x: ENOSPC' } as const
  const world = openSaver(t, [full, full])
  world.saver.scheduleSave()

  await eventually(() => world.saved.length === 1, 'a save')
  await eventually(() => world.saver.failure() !== null, 'a failure')
  await eventually(() => world.saved.length === 3 && world.saver.failure() === null, 'a good save')

  assert.deepEqual(world.log, [
    'source "etcd": cannot save x: ENOSPC; a restart would not have it',
    'source "etcd": its last good is saved again',
  ])
})
