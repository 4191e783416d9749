import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import {
  appendFile,
  mkdir,
  mkdtemp,
  open,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createFileProvider } from '../../src/providers/file/file-provider.ts'
import { measureLags } from '../support/lags.ts'
import { routesOf, testProvider, watchProvider } from './provider-suite.ts'
import type { Routes, Watcher } from './provider-suite.ts'

const one = { one: 'Host("one")' }
const two = { one: 'Host("one")', two: 'Host("two")' }

function toYaml(routes: Routes): string {
  const lines = Object.entries(routes).map(
    ([id, route]) => `  ${id}: { route: '${route}', backend: b }\n`,
  )
  return `backends:\n  b: { servers: { s: 'http://127.0.0.1:5001' } }\nfrontends:\n${lines.join('')}`
}

async function openDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-file-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function openFile(t: TestContext): Promise<string> {
  const path = join(await openDirectory(t), 'sluice.yaml')
  await writeFile(path, toYaml(one))
  return path
}

testProvider('the file provider', async (t) => {
  const path = join(await openDirectory(t), 'sluice.yaml')
  return {
    provider: createFileProvider(path),
    write: (routes) => writeFile(path, toYaml(routes)),
    spoil: () => writeFile(path, 'frontends: [}'),
    remove: () => rm(path),
  }
})

const writers: Readonly<Record<string, (path: string, text: string) => Promise<void>>> = {
  'written in place': writeFile,
  async 'renamed over'(path, text) {
    await writeFile(`${path}.tmp`, text)
    await rename(`${path}.tmp`, path)
  },
  async 'moved away as a backup and written anew'(path, text) {
    await rename(path, `${path}~`)
    await writeFile(path, text)
  },
  async 'deleted and made again'(path, text) {
    await rm(path)
    await writeFile(path, text)
  },
  async 'emptied, and written a moment later'(path, text) {
    const file = await open(path, 'w')
    await new Promise((resolve) => setTimeout(resolve, 60))
    await file.writeFile(text)
    await file.close()
  },
  async 'in a directory that is replaced'(path, text) {
    const directory = dirname(path)
    await mkdir(`${directory}.new`)
    await writeFile(join(`${directory}.new`, 'sluice.yaml'), text)
    await rename(directory, `${directory}.old`)
    await rename(`${directory}.new`, directory)
    await rm(`${directory}.old`, { recursive: true })
  },
}

/** Most changes are seen within 100 ms; one may meet a busy machine. */
async function seesEach(
  t: TestContext,
  watcher: Watcher,
  changes: readonly Routes[],
  change: (routes: Routes) => Promise<void>,
): Promise<void> {
  const lags = measureLags(t)
  for (const routes of changes) {
    const seen = await lags.measure(
      () => change(routes),
      () => watcher.next(),
    )
    assert.deepEqual(routesOf(seen), routes)
  }
  lags.assertWithin(100)
}

for (const [manner, write] of Object.entries(writers)) {
  test(`sees a file that is ${manner}, again and again, within 100 ms`, async (t) => {
    const path = await openFile(t)
    const watcher = watchProvider(t, createFileProvider(path))
    await watcher.next()

    await seesEach(t, watcher, [two, one, two, one], (routes) => write(path, toYaml(routes)))
  })
}

test('sees what happens in a directory that came in the place of another', async (t) => {
  const path = join(await openDirectory(t), 'conf', 'sluice.yaml')
  await mkdir(dirname(path))
  await writeFile(path, toYaml(one))
  const watcher = watchProvider(t, createFileProvider(path))
  await watcher.next()

  await seesEach(t, watcher, [two, one, two], async (routes) => {
    await rm(dirname(path), { recursive: true })
    assert.ok(!(await watcher.next()).readable)
    await mkdir(dirname(path))
    await writeFile(path, toYaml(routes))
  })
  await seesEach(t, watcher, [one, two, one], (routes) => writeFile(path, toYaml(routes)))
})

test('sees a mounted config map swap its symlink, again and again', async (t) => {
  const mount = await openDirectory(t)
  let version = 0
  async function swap(routes: Routes): Promise<void> {
    const data = `..version-${version++}`
    await mkdir(join(mount, data))
    await writeFile(join(mount, data, 'sluice.yaml'), toYaml(routes))
    await symlink(data, join(mount, '..data_tmp'))
    await rename(join(mount, '..data_tmp'), join(mount, '..data'))
  }
  await swap(one)
  await symlink('..data/sluice.yaml', join(mount, 'sluice.yaml'))
  const watcher = watchProvider(t, createFileProvider(join(mount, 'sluice.yaml')))
  await watcher.next()

  await seesEach(t, watcher, [two, one, two, one], swap)
})

test('sees a symlink in another directory turn to another file, and that file change', async (t) => {
  const [links, files] = [await openDirectory(t), await openDirectory(t)]
  await writeFile(join(files, 'a.yaml'), toYaml(one))
  await writeFile(join(files, 'b.yaml'), toYaml(two))
  await symlink(join(files, 'a.yaml'), join(links, 'sluice.yaml'))
  const watcher = watchProvider(t, createFileProvider(join(links, 'sluice.yaml')))
  await watcher.next()

  await seesEach(t, watcher, [two, one, two, one], async (routes) => {
    await symlink(join(files, routes === two ? 'b.yaml' : 'a.yaml'), join(links, 'next'))
    await rename(join(links, 'next'), join(links, 'sluice.yaml'))
  })
  await seesEach(t, watcher, [two, one, two], (routes) =>
    writeFile(join(files, 'a.yaml'), toYaml(routes)),
  )
})

test('sees by its poll a change without an event: a directory far up that is replaced', async (t) => {
  const root = await openDirectory(t)
  const path = join(root, 'a', 'b', 'c', 'sluice.yaml')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, toYaml(one))
  const fresh = join(root, 'fresh')
  await mkdir(join(fresh, 'b', 'c'), { recursive: true })
  await writeFile(join(fresh, 'b', 'c', 'sluice.yaml'), toYaml(two))
  const watcher = watchProvider(t, createFileProvider(path))
  await watcher.next()

  await rename(join(root, 'a'), join(root, 'old'))
  await rename(fresh, join(root, 'a'))

  assert.deepEqual(routesOf(await watcher.until(two)), two)
})

test('yields nothing for a file whose content stays the same', async (t) => {
  const path = await openFile(t)
  const watcher = watchProvider(t, createFileProvider(path))
  await watcher.next()

  await writeFile(path, toYaml(one))
  await utimes(path, new Date(), new Date())
  const next = watcher.next()
  await writeFile(`${path}.tmp`, toYaml(two))
  await rename(`${path}.tmp`, path)

  assert.deepEqual(routesOf(await next), two)
})

test('sees the last of many writes in a row', async (t) => {
  const path = await openFile(t)
  const watcher = watchProvider(t, createFileProvider(path))
  await watcher.next()

  for (let count = 0; count < 200; count++) {
    await writeFile(path, toYaml({ [`r${count}`]: 'Host("many")' }))
  }

  assert.ok(await watcher.until({ r199: 'Host("many")' }))
})

test('never shows a part of a file while it is written anew in many pieces', async (t) => {
  const path = await openFile(t)
  const routes = Object.fromEntries(
    Array.from({ length: 1500 }, (_, at): [string, string] => [`r${at}`, `Host("h${at}")`]),
  )
  await writeFile(path, toYaml(routes))
  const watcher = watchProvider(t, createFileProvider(path, { shorterMs: 60_000 }))
  await watcher.next()

  const next = watcher.next()
  const changed = { ...routes, r0: 'Host("changed")' }
  // Not so many that a busy machine takes longer for them than a file is given to become whole.
  const lines = toYaml(changed).match(/.*\n/g) ?? []
  await writeFile(path, '')
  for (let at = 0; at < lines.length; at += 50) {
    await appendFile(path, lines.slice(at, at + 50).join(''))
  }

  assert.deepEqual(routesOf(await next), changed)
})

test('waits for the rest of a file whose writer pauses half-way', async (t) => {
  const path = await openFile(t)
  await writeFile(path, toYaml(two))
  const watcher = watchProvider(t, createFileProvider(path, { shorterMs: 2000 }))
  await watcher.next()

  const next = watcher.next()
  const changed = { one: 'Host("changed")', two: 'Host("two")' }
  const lines = toYaml(changed).match(/.*\n/g) ?? []
  await writeFile(path, lines.slice(0, -1).join(''))
  // The writer's pause: longer than writes are waited for otherwise.
  await new Promise((resolve) => setTimeout(resolve, 100))
  await appendFile(path, lines.slice(-1).join(''))

  assert.deepEqual(routesOf(await next), changed)
})

test('reports why, and where, a file cannot be read the first time', async (t) => {
  const directory = await openDirectory(t)
  const cases: readonly [string, string, RegExp][] = [
    ['garbled.yaml', 'frontends:\n  a: [}\n', /garbled\.yaml:2:\d+: is not valid YAML/],
    ['empty.yaml', '', /empty\.yaml: is empty/],
    ['misspelt.yaml', 'fronteds: {}\n', /misspelt\.yaml:1:1: unknown key "fronteds"/],
    ['scalar.yaml', 'frontends: yes\n', /scalar\.yaml:1:1: frontends must be a map/],
  ]

  for (const [name, text, message] of cases) {
    const path = join(directory, name)
    await writeFile(path, text)
    await assert.rejects(watchProvider(t, createFileProvider(path)).next(), { message })
  }
  const missing = join(directory, 'missing.yaml')
  await assert.rejects(watchProvider(t, createFileProvider(missing)).next(), {
    message: /missing\.yaml: cannot be read: there is no such file/,
  })
  assert.ok(!existsSync(missing))
})

test('takes a misspelt section for a mistake, not for the end of its objects', async (t) => {
  const path = await openFile(t)
  const watcher = watchProvider(t, createFileProvider(path))
  await watcher.next()

  await writeFile(path, toYaml(two).replace('frontends:', 'fronteds:'))
  const harmed = await watcher.next()

  assert.ok(!harmed.readable)
  assert.match(harmed.problems[0]?.message ?? '', /unknown key "fronteds"/)
  assert.equal(harmed.problems[0]?.line, 3)
})

test('knows the position of a member of an object until the next declaration', async (t) => {
  const path = await openFile(t)
  const reading = await watchProvider(t, createFileProvider(path)).next()
  assert.ok(reading.readable)
  const object = [...reading.objects].find(({ kind }) => kind === 'frontend')
  assert.ok(object !== undefined)

  const place = reading.locate?.(object, ['backend'])

  assert.deepEqual({ line: object.line, column: object.column }, { line: 4, column: 3 })
  assert.deepEqual(place, { line: 4, column: 32 })
})

test('puts in what the file refers to, sets an object aside that it cannot resolve, and sees a secret change', async (t) => {
  const path = await openFile(t)
  const secret = join(dirname(path), 'secret')
  const text = `frontends:
  good: { route: 'Host("\${NAME}")', respond: { status: 200, body: '\${file:secret}' } }
  bad: { route: 'Host("\${NAME}")', respond: { status: 200, body: '\${file:missing}' } }
`
  await writeFile(secret, 's3cret\n')
  await writeFile(path, text)
  const env = { NAME: 'vote.example' }
  const watcher = watchProvider(t, createFileProvider(path, { env }))
  const first = await watcher.next()
  assert.ok(first.readable)
  const [good, bad] = first.objects

  const route = 'Host("vote.example")'
  assert.deepEqual(good?.value, { route, respond: { status: 200, body: 's3cret' } })
  assert.deepEqual(good?.secrets, ['vote.example', 's3cret'])
  assert.equal(bad?.value, undefined)
  assert.equal(bad?.fault, 'respond.body: cannot read the file "missing": there is no such file')
  assert.deepEqual([bad?.line, bad?.column], [3, 60])
  await writeFile(secret, 'other')
  const second = await watcher.next()
  assert.ok(second.readable)
  assert.deepEqual([...second.objects][0]?.secrets, ['vote.example', 'other'])
  assert.notEqual(second.revision, first.revision)
})

test('a reference to a pipe or to a file without end is refused, not waited for', async (t) => {
  const path = await openFile(t)
  await writeFile(join(dirname(path), 'large'), 'x'.repeat(65_537))
  for (const target of ['/dev/zero', 'large', '.']) {
    await writeFile(path, `frontends:\n  f: { route: '\${file:${target}}', backend: b }\n`)

    const reading = await watchProvider(t, createFileProvider(path)).next()

    assert.ok(reading.readable)
    assert.match(
      [...reading.objects][0]?.fault ?? '',
      /it is not a regular file|it is a directory|larger than 64 KiB/,
    )
  }
})
