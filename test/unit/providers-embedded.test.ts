/** What is the embedded store's own, beside the contract of all registries: its file, whoever writes it, and what may befall it. */
import assert from 'node:assert/strict'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import {
  createEmbeddedProvider,
  openEmbeddedKeyStore,
} from '../../src/providers/embedded/embedded-provider.ts'
import { createSluiceLayout } from '../../src/providers/layouts/native/layout.ts'
import { createStore } from '../../src/providers/registry/object-store.ts'
import { SourceRefused } from '../../src/providers/provider.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { watchRegistry } from '../contract/registry-watch.ts'
import type { RegistryWatch } from '../contract/registry-watch.ts'
import { openStorePath, storeSource } from '../support/embedded.ts'

const key = (id: string): string => `backends/${id}/backend`

async function openKeys(t: TestContext, path: string): Promise<KeyStore> {
  const keys = await openEmbeddedKeyStore(path)
  t.after(() => keys.close())
  return keys
}

function watch(t: TestContext, path: string): RegistryWatch {
  return watchRegistry(t, createEmbeddedProvider(storeSource(path), createSluiceLayout()))
}

/** Runs SQL in the file as another program would. */
function runSql(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

test('neither reading nor deleting makes the file; a put does, for its owner alone', async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)
  const seen = watch(t, path)
  assert.equal((await seen.next()).listed, 'first')
  assert.equal(await keys.get(key('a')), null)
  assert.deepEqual(await keys.list(), [])
  assert.equal(await keys.delete(key('a'), {}), false)
  assert.equal(existsSync(dirname(path)), false)

  await keys.put(key('a'), '{}', {})
  const appeared = await seen.next()

  assert.equal(appeared.listed, 'appeared')
  assert.deepEqual([...seen.objects().keys()], ['backend a'])
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700)
  for (const name of readdirSync(dirname(path))) {
    assert.equal(statSync(`${dirname(path)}/${name}`).mode & 0o777, 0o600, name)
  }
})

test('is one file again when its writer has closed it', async (t) => {
  const path = openStorePath(t)
  const keys = await openEmbeddedKeyStore(path)
  await keys.put(key('a'), '{}', {})
  await keys.close()

  assert.deepEqual(readdirSync(dirname(path)), ['store.db'])
})

test('a copy of the file, put in its place while both sides run, is listed, and written from then on', async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)
  await keys.put(key('a'), '{}', {})
  await keys.close()
  copyFileSync(path, `${path}.backup`)
  await keys.put(key('b'), '{}', {})
  const seen = watch(t, path)
  await seen.next()
  await keys.close()

  renameSync(`${path}.backup`, path)
  const replaced = await seen.next()
  await keys.put(key('c'), '{}', {})
  await seen.until((objects) => objects.has('backend c'), 'what was put afterwards')

  assert.equal(replaced.listed, 'replaced')
  assert.deepEqual([...seen.objects().keys()], ['backend a', 'backend c'])
})

test('a log that a dead writer left beside a store that was moved away is not played into the new one', async (t) => {
  const path = openStorePath(t)
  const old = await openEmbeddedKeyStore(path)
  for (let number = 0; number < 50; number++) await old.put(key(`old${number}`), '{}', {})
  for (const suffix of ['-wal', '-shm']) copyFileSync(path + suffix, `${path}${suffix}.kept`)
  await old.close()
  rmSync(path)
  for (const suffix of ['-wal', '-shm']) renameSync(`${path}${suffix}.kept`, path + suffix)

  const keys = await openKeys(t, path)
  await keys.put(key('new'), '{}', {})

  assert.deepEqual(
    (await keys.list()).map((one) => one.path),
    [key('new')],
  )
})

test('a file that is removed is listed as that, and written anew', async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)
  await keys.put(key('a'), '{}', {})
  const seen = watch(t, path)
  await seen.next()

  rmSync(dirname(path), { recursive: true })
  const removed = await seen.next()
  await keys.put(key('b'), '{}', {})
  const appeared = await seen.next()

  assert.equal(removed.listed, 'removed')
  assert.equal(appeared.listed, 'appeared')
  assert.deepEqual([...seen.objects().keys()], ['backend b'])
})

test('a reader that is further behind than deletes are remembered lists again', async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)
  await keys.put(key('a'), '{}', {})
  await keys.put(key('b'), '{}', {})
  await keys.close()
  const seen = watch(t, path)
  await seen.next()

  runSql(
    path,
    `BEGIN; DELETE FROM keys WHERE path = '${key('a')}'; UPDATE store SET revision = 20000, floor = 10000; COMMIT`,
  )

  assert.equal((await seen.next()).listed, 'behind')
  assert.deepEqual([...seen.objects().keys()], ['backend b'])
})

test('tombstones are kept for a while, and not for ever', async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)
  await keys.put(key('a'), '{}', {})
  await keys.delete(key('a'), {})
  await keys.put(key('b'), '{}', {})
  await keys.close()
  const count = (): number => {
    const database = new DatabaseSync(path)
    const row = database.prepare('SELECT count(*) AS count FROM keys').get()
    database.close()
    return Number(row?.['count'])
  }
  assert.equal(count(), 2)

  // The next revision is the 40th multiple of 256 and more than 10,000 above the tombstone's.
  runSql(path, 'UPDATE store SET revision = 10239')
  await keys.put(key('c'), '{}', {})
  await keys.close()

  assert.equal(count(), 2)
})

const damages: Readonly<Record<string, (path: string) => void>> = {
  'garbage in its place': (path) => writeFileSync(path, 'garbage '.repeat(4_000)),
  'an empty file in its place': (path) => truncateSync(path),
  'garbage behind its first page': (path) => {
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill('x', 4_096))
  },
  'half of it cut off': (path) => truncateSync(path, statSync(path).size >> 1),
}
for (const [what, damage] of Object.entries(damages)) {
  test(`${what} throws at the reader and at the writer, and is never an empty list`, async (t) => {
    const path = openStorePath(t)
    const keys = await openKeys(t, path)
    for (let i = 0; i < 200; i++) await keys.put(key(`b${i}`), JSON.stringify({ i }), {})
    await keys.close()
    const running = watch(t, path)
    await running.next()

    damage(path)

    assert.ok((await running.lost(5_000)) < 5_000)
    assert.equal(running.objects().size, 200)
    await assert.rejects(watch(t, path).next(), /cannot (?:use|read) the store .*(?:damaged|empty)/)
    await assert.rejects(keys.list(), /cannot (?:use|read) the store .*(?:damaged|empty)/)
  })
}

test("another program's database and a newer store are refused, and left as they are", async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)
  for (const sql of [
    'CREATE TABLE keys (path, value)',
    `PRAGMA application_id = ${0x536c7563}; PRAGMA user_version = 2; CREATE TABLE store (a)`,
  ]) {
    rmSync(dirname(path), { recursive: true, force: true })
    mkdirSync(dirname(path))
    runSql(path, sql)
    const before = readFileSync(path)

    await assert.rejects(keys.put(key('a'), '{}', {}), SourceRefused)
    await assert.rejects(watch(t, path).next(), SourceRefused)

    assert.deepEqual(readFileSync(path), before)
    assert.deepEqual(readdirSync(dirname(path)), ['store.db'])
  }
})

test('a key that has expired is not there for any writer', async (t) => {
  const path = openStorePath(t)
  let now = 1_000_000
  const keys = await openEmbeddedKeyStore(path, { now: () => now })
  t.after(() => keys.close())
  await keys.put(key('a'), '{}', { ttlMs: 1_000 })

  now += 999
  const before = await keys.get(key('a'))
  now += 1

  assert.equal(before?.ttlMs, 1)
  assert.equal(await keys.get(key('a')), null)
  assert.deepEqual(await keys.list(), [])
  assert.equal(await keys.delete(key('a'), {}), false)
  assert.equal(await keys.put(key('a'), '{}', { expected: null }), '2')
})

test('a value that is too long, and a time to live of nothing, are not written', async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)

  await assert.rejects(keys.put(key('a'), 'x'.repeat((1 << 20) + 1), {}), /at most 1048576/)
  await assert.rejects(keys.put(key('a'), '{}', { ttlMs: 0 }), /time to live/)

  assert.equal(existsSync(path), false)
})

test('a store over keys takes only what its readers can read, and shows what they cannot', async (t) => {
  const path = openStorePath(t)
  const keys = await openKeys(t, path)
  const store = createStore(keys, createSluiceLayout())
  await keys.put(key('garbled'), '{', {})

  const revision = await store.put('server', 'b/s', 'http://10.0.0.1:80', { ttlMs: 60_000 })
  await assert.rejects(store.put('backend', 'b', 'text'), /cannot put backend b: must be a map/)
  await assert.rejects(store.put('backend', 'b', undefined), /it has no value/)
  await assert.rejects(store.put('server', 'b', {}), /has no key for server "b"/)

  const found = await store.get('server', 'b/s')
  assert.equal(found?.revision, revision)
  assert.equal(found.value, 'http://10.0.0.1:80')
  assert.ok((found.ttlMs ?? 0) > 50_000)
  assert.match((await store.get('backend', 'garbled'))?.fault ?? '', /JSON/)
  assert.deepEqual(
    (await store.list()).map(({ kind, id }) => `${kind} ${id}`),
    ['server b/s', 'backend garbled'],
  )
  assert.equal(await store.delete('server', 'b/s'), true)
  assert.equal(await store.get('server', 'b/s'), null)
})

test('a folder that cannot be made is told as that', async (t) => {
  const path = openStorePath(t)
  mkdirSync(dirname(path))
  writeFileSync(`${dirname(path)}/file`, '')
  const keys = await openKeys(t, `${dirname(path)}/file/store.db`)

  await assert.rejects(keys.put(key('a'), '{}', {}), /cannot use the store .*file\/store\.db/)
})
