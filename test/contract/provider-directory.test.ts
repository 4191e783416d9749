import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createDirectoryProvider } from '../../src/providers/directory/directory-provider.ts'
import type { Declaration, Provider } from '../../src/providers/provider.ts'
import { measureLags } from '../support/lags.ts'
import { routesOf, testProvider, watchProvider } from './provider-suite.ts'
import type { Routes, Watcher } from './provider-suite.ts'

const one = { one: 'Host("one")' }
const two = { two: 'Host("two")' }
const other = { one: 'Host("other")' }

function toYaml(routes: Routes): string {
  const lines = Object.entries(routes).map(
    ([id, route]) => `  ${id}: { route: '${route}', backend: b }\n`,
  )
  return `frontends:\n${lines.join('')}`
}

interface Opened {
  readonly directory: string
  readonly provider: Provider
  write(name: string, text: string): Promise<void>
}

async function open(t: TestContext, env: Record<string, string> = {}): Promise<Opened> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-files-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const directory = join(root, 'conf.d')
  await mkdir(directory)
  return {
    directory,
    provider: createDirectoryProvider({ name: 'conf', directory }, { env }),
    write: (name, text) => writeFile(join(directory, name), text),
  }
}

const SEEN_WITHIN_MS = 50

async function next(watcher: Watcher): Promise<Declaration> {
  const reading = await watcher.next()
  assert.ok(reading.readable)
  return reading
}

testProvider('the files provider', async (t) => {
  const { directory, provider, write } = await open(t)
  return {
    provider,
    async write(routes) {
      await mkdir(directory, { recursive: true })
      await write('a.yaml', toYaml(routes))
    },
    spoil: () => write('a.yaml', 'frontends: [}'),
    remove: () => rm(directory, { recursive: true }),
  }
})

test('takes the objects of all files, by their keys and places, and leaves other things alone', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('b.yml', `backends:\n  b: { servers: { s: 'http://127.0.0.1:1' } }\n`)
  await write('a.yaml', toYaml(one))
  await write('c.json', '{"hosts": {"h": {"cert": "c", "key": "k"}}}')
  await write('.hidden.yaml', toYaml(two))
  await write('a.yaml~', toYaml(two))
  await write('README', 'text')
  await mkdir(join(directory, 'folder.yaml'))

  const first = await next(watchProvider(t, provider))

  assert.deepEqual(
    [...first.objects].map(({ kind, id, key, line, column }) => [kind, id, key, line, column]),
    [
      ['frontend', 'one', `${directory}/a.yaml#/frontends/one`, 2, 3],
      ['backend', 'b', `${directory}/b.yml#/backends/b`, 2, 3],
      ['host', 'h', `${directory}/c.json#/hosts/h`, 1, 12],
    ],
  )
  assert.deepEqual(first.problems, [])
  const [frontend] = first.objects
  assert.ok(frontend !== undefined)
  assert.deepEqual(first.locate?.(frontend, ['backend']), { line: 2, column: 32 })
})

test('an empty directory declares nothing, and is not lost', async (t) => {
  const { provider } = await open(t)

  const first = await next(watchProvider(t, provider))

  assert.deepEqual([...first.objects], [])
})

test('sees each file written, replaced, made shorter and deleted', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('a.yaml', toYaml(one))
  const watcher = watchProvider(t, provider)
  await watcher.next()

  for (let round = 0; round < 3; round++) {
    for (const routes of [{ one: 'Host("one")', ...two }, other]) {
      await write('.b.tmp', toYaml({ new: `Host("${round}")` }))
      await rename(join(directory, '.b.tmp'), join(directory, 'b.yaml'))
      await write('a.yaml', toYaml(routes))
      assert.ok(await watcher.until({ ...routes, new: `Host("${round}")` }))
      await rm(join(directory, 'b.yaml'))
      assert.ok(await watcher.until(routes))
    }
  }
})

test('sees a file that is written in place within 50 ms, again and again', async (t) => {
  const { provider, write } = await open(t)
  await write('a.yaml', toYaml(one))
  await write('b.yaml', toYaml(two))
  const watcher = watchProvider(t, provider)
  await watcher.next()
  const lags = measureLags(t)

  for (let round = 0; round < 10; round++) {
    await lags.measure(
      () => write('a.yaml', toYaml({ one: `Host("round${round}")` })),
      () => watcher.until({ one: `Host("round${round}")`, ...two }),
    )
  }

  lags.assertWithin(SEEN_WITHIN_MS)
})

test('a bad file stops only itself: what was read from it last stays, with the reason', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('a.yaml', toYaml(one))
  await write('b.yaml', toYaml({ two: 'Host("before")' }))
  const watcher = watchProvider(t, provider)
  await watcher.next()

  for (const [text, reason] of [
    ['frontends: [}\n', /is not valid YAML/],
    ['', /is empty/],
    ['fronteds: {}\n', /unknown key "fronteds"/],
  ] as const) {
    await write('a.yaml', text)
    await write('b.yaml', toYaml({ two: `Host("${String(reason)}")`.replaceAll('"', '') }))
    let seen = await next(watcher)
    while (!reason.test(seen.problems[0]?.message ?? '')) seen = await next(watcher)

    assert.equal(routesOf(seen)['one'], one.one)
    assert.notEqual(routesOf(seen)['two'], 'Host("before")')
    assert.deepEqual(
      seen.problems.map(({ source, key }) => [source, key.split('#')[0]]),
      [['conf', join(directory, 'a.yaml')]],
    )
  }
  await write('a.yaml', toYaml(other))
  let healed = await next(watcher)
  while (healed.problems.length > 0) healed = await next(watcher)

  assert.equal(routesOf(healed)['one'], other.one)
})

test('what was read from a bad file last stays even if the directory was away in between', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('a.yaml', toYaml(one))
  const before = watchProvider(t, provider)
  await before.next()
  await rename(directory, `${directory}.away`)
  await assert.rejects(before.next(), { message: /conf\.d cannot be read: there is no such dir/ })

  await rename(`${directory}.away`, directory)
  await write('a.yaml', '{')
  const again = await next(watchProvider(t, provider))

  assert.deepEqual(routesOf(again), one)
  assert.match(again.problems[0]?.message ?? '', /is not valid YAML/)
})

test('of two files that declare one object the first by name holds, and a problem names both', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('b.yaml', toYaml({ ...other, ...two }))
  await write('a.yaml', toYaml(one))
  const watcher = watchProvider(t, provider)
  const first = await next(watcher)

  assert.deepEqual(routesOf(first), { ...one, ...two })
  assert.deepEqual(first.problems, [
    {
      kind: 'frontend',
      id: 'one',
      message: `is declared by ${directory}/a.yaml#/frontends/one already, which holds`,
      source: 'conf',
      key: `${directory}/b.yaml#/frontends/one`,
      line: 2,
      column: 3,
    },
  ])
  await rm(join(directory, 'a.yaml'))
  const left = await watcher.until({ ...other, ...two })
  assert.deepEqual(left.problems, [])
})

test('an object that moves from one file to another is never away, and never twice', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('a.yaml', toYaml({ ...one, ...two }))
  const watcher = watchProvider(t, provider)
  await watcher.next()

  await rename(join(directory, 'a.yaml'), join(directory, 'b.yaml'))
  await write('c.yaml', toYaml({ last: 'Host("last")' }))
  const last = { last: 'Host("last")' }
  let seen = await next(watcher)
  while ([...seen.objects].some(({ key }) => key.includes('a.yaml'))) seen = await next(watcher)

  assert.deepEqual(routesOf(seen), { ...one, ...two, ...last })
  assert.deepEqual(seen.problems, [])
})

test('settings in a file of a directory are a problem of theirs alone', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('a.yaml', `workers: 2\n${toYaml(one)}`)

  const first = await next(watchProvider(t, provider))

  assert.deepEqual(routesOf(first), one)
  assert.deepEqual(first.problems, [
    {
      kind: 'settings',
      id: '',
      message: 'workers: settings belong in the main file only; here it has no effect',
      source: 'conf',
      key: `${directory}/a.yaml#/workers`,
      line: 1,
      column: 1,
    },
  ])
})

test('sees a mounted config map swap its symlink, again and again', async (t) => {
  const { directory, provider } = await open(t)
  let version = 0
  async function swap(routes: Routes): Promise<void> {
    const data = `..version-${version++}`
    await mkdir(join(directory, data))
    await writeFile(join(directory, data, 'a.yaml'), toYaml(routes))
    await symlink(data, join(directory, '..data_tmp'))
    await rename(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  await swap(one)
  await symlink('..data/a.yaml', join(directory, 'a.yaml'))
  const watcher = watchProvider(t, provider)
  await watcher.next()
  const lags = measureLags(t)

  for (const routes of [two, one, two, one]) {
    const seen = await lags.measure(
      () => swap(routes),
      () => watcher.next(),
    )
    assert.deepEqual(routesOf(seen), routes)
  }

  lags.assertWithin(SEEN_WITHIN_MS)
})

test('sees a symlinked file change where it lies', async (t) => {
  const { directory, provider } = await open(t)
  const elsewhere = `${directory}.elsewhere`
  await mkdir(elsewhere)
  await writeFile(join(elsewhere, 'real.yaml'), toYaml(one))
  await symlink(join(elsewhere, 'real.yaml'), join(directory, 'a.yaml'))
  const watcher = watchProvider(t, provider)
  await watcher.next()

  await writeFile(join(elsewhere, 'real.yaml'), toYaml(two))
  await watcher.until(two)
  await rm(join(elsewhere, 'real.yaml'))
  const dangling = await next(watcher)

  assert.deepEqual(routesOf(dangling), two)
  assert.match(dangling.problems[0]?.message ?? '', /cannot be read: there is no such file/)
})

test('sees what happens in a directory that came in the place of another', async (t) => {
  const { directory, provider, write } = await open(t)
  await write('a.yaml', toYaml(one))
  const watcher = watchProvider(t, provider)
  await watcher.next()

  for (const routes of [two, one]) {
    await mkdir(`${directory}.new`)
    await writeFile(join(`${directory}.new`, 'a.yaml'), toYaml(routes))
    await rename(directory, `${directory}.old`)
    await rename(`${directory}.new`, directory)
    await rm(`${directory}.old`, { recursive: true })
    await watcher.until(routes)
  }
  await write('b.yaml', toYaml({ late: 'Host("late")' }))

  assert.ok(await watcher.until({ ...one, late: 'Host("late")' }))
})

test('never shows a part of a file while it is written anew in many pieces', async (t) => {
  const { directory, provider, write } = await open(t)
  const routes = Object.fromEntries(
    Array.from({ length: 500 }, (_, at): [string, string] => [`r${at}`, `Host("h${at}")`]),
  )
  await write('a.yaml', toYaml(routes))
  await write('b.yaml', toYaml(one))
  const watcher = watchProvider(t, provider)
  await watcher.next()

  const changed = { ...routes, r0: 'Host("changed")' }
  await write('a.yaml', '')
  for (const line of toYaml(changed).match(/.*\n/g) ?? []) {
    await writeFile(join(directory, 'a.yaml'), line, { flag: 'a' })
  }

  assert.deepEqual(routesOf(await watcher.next()), { ...changed, ...one })
})

test('puts secrets in, and sees a file of secrets change', async (t) => {
  const { directory, provider, write } = await open(t, { HOST_NAME: 'vote.example' })
  await write('secret', 's3cret\n')
  await write(
    'a.yaml',
    `frontends:
  good: { route: 'Host("\${HOST_NAME}")', respond: { status: 200, body: '\${file:secret}' } }
  bad: { route: 'Host("\${NOBODY_SET}")', backend: b }
`,
  )
  const watcher = watchProvider(t, provider)
  const first = await next(watcher)
  const [good, bad] = first.objects

  assert.deepEqual(good?.value, {
    route: 'Host("vote.example")',
    respond: { status: 200, body: 's3cret' },
  })
  assert.deepEqual(good?.secrets, ['vote.example', 's3cret'])
  assert.equal(bad?.value, undefined)
  assert.equal(bad?.fault, 'route: the variable NOBODY_SET is not set, or empty')
  await writeFile(join(directory, 'secret'), 'other')
  const second = await next(watcher)
  assert.deepEqual([...second.objects][0]?.secrets, ['vote.example', 'other'])
  assert.notEqual(second.revision, first.revision)
})

test('sees one change among a thousand files within 50 ms', async (t) => {
  const { provider, write } = await open(t)
  const names = Array.from({ length: 1000 }, (_, at) => `f${at}`)
  await Promise.all(names.map((name) => write(`${name}.yaml`, toYaml({ [name]: 'Host("a")' }))))
  const watcher = watchProvider(t, provider)
  await watcher.next()
  const lags = measureLags(t)

  for (let round = 0; round < 5; round++) {
    const route = `Host("round${round}")`
    await lags.measure(
      () => write('f500.yaml', toYaml({ f500: route })),
      async () => {
        while (routesOf(await next(watcher))['f500'] !== route);
      },
    )
  }

  lags.assertWithin(SEEN_WITHIN_MS)
})
