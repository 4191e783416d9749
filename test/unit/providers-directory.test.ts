import assert from 'node:assert/strict'
import { existsSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createDirectory, isDeclaring, MAX_FILES } from '../../src/providers/directory/directory.ts'
import type { Directory } from '../../src/providers/directory/directory.ts'

const one = '{"frontends": {"one": {"route": "Host(\\"one\\")", "backend": "b"}}}'

/** Ten thousand links take seconds on a disk. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

async function open(
  t: TestContext,
  parent: string = tmpdir(),
): Promise<{ path: string; files: Directory }> {
  const path = await mkdtemp(join(parent, 'sluice-files-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return { path, files: createDirectory({ name: 'conf', directory: path, env: {} }) }
}

test('takes files by their endings, but no hidden ones and no backups', () => {
  const ours = ['a.yaml', 'a.yml', 'a.json', 'a.b.json']
  const others = ['.a.yaml', '..data', 'a.yaml~', '.a.yaml.swp', 'a.yaml.tmp', 'a.toml', 'yaml']

  assert.deepEqual([...ours, ...others].filter(isDeclaring), ours)
})

test('looks at a file again only when it was heard of or looks otherwise', async (t) => {
  const { path, files } = await open(t)
  await writeFile(join(path, 'a.json'), one)

  assert.equal(await files.refresh(null, false), true)
  assert.equal(await files.refresh(null, false), false)
  const before = files.merge()
  await writeFile(join(path, 'a.json'), `${one}\n`)
  assert.equal(await files.refresh(new Set(), false), false)
  assert.equal(await files.refresh(new Set(['a.json']), false), true)
  assert.notEqual(files.merge().revision, before.revision)
})

test('a file that is too large, a pipe or unreadable stops only itself', async (t) => {
  const { path, files } = await open(t)
  await writeFile(join(path, 'a.json'), one)
  await writeFile(join(path, 'large.yaml'), '')
  await truncate(join(path, 'large.yaml'), 64 * 1024 ** 2 + 1)
  await symlink('/dev/zero', join(path, 'endless.yaml'))
  await writeFile(join(path, 'latin.yaml'), Buffer.from([0xff, 0xfe]))

  await files.refresh(null, true)
  const { objects, problems } = files.merge()

  assert.deepEqual(
    objects.map(({ id }) => id),
    ['one'],
  )
  assert.deepEqual(
    problems.map(({ source, key, message }) => [source, key, message]),
    [
      ['conf', join(path, 'large.yaml'), 'cannot be read: it is larger than 67108864 bytes'],
      ['conf', join(path, 'latin.yaml'), 'is not UTF-8 text'],
    ],
  )
})

test('more files than are taken are refused as a whole, so that none is left out by chance', async (t) => {
  const { path, files } = await open(t, MEMORY)
  const names = Array.from({ length: MAX_FILES + 1 }, (_, at) => join(path, `f${at}.json`))
  for (const name of names) symlinkSync('nowhere', name)

  await assert.rejects(files.refresh(null, false), { message: /holds more than 10000 files/ })
})

test('reports a limited number of problems', async (t) => {
  const { path, files } = await open(t)
  const frontends = Object.fromEntries(Array.from({ length: 1500 }, (_, at) => [`f${at}`, {}]))
  await writeFile(join(path, 'a.json'), JSON.stringify({ frontends }))
  await writeFile(join(path, 'b.json'), JSON.stringify({ frontends }))

  await files.refresh(null, false)
  const { objects, problems } = files.merge()

  assert.equal(objects.length, 1500)
  assert.equal(problems.length, 1001)
  assert.equal(problems.at(-1)?.message, 'and 500 more problems')
})
