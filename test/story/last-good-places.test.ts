// needs: etcd
// What is last good belongs to its place, to its file and to one program.
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { choosePort } from '../support/ports.ts'
import { makeFolder, runProgram, startProgram, toText, type Program } from '../support/program.ts'
import { createStore, putFrontends, putServers, startRegistry } from '../support/registries.ts'
import { frontendsOf, reportOf, untilSource, untilTable } from '../support/sources.ts'

async function configOf(t: TestContext, sources: object, data = makeFolder(t)): Promise<object> {
  const listeners = { web: { address: `127.0.0.1:${await choosePort()}` } }
  return { workers: 1, data, start: '1s', listeners, sources }
}

/** What it has served is saved: at the latest by its stop. */
async function serveOnce(t: TestContext, config: object, name: string): Promise<void> {
  const program = await startProgram(t, config)
  await untilSource(program, name, ({ state }) => state === 'live', 'live')
  await end(program)
}

async function end(program: Program): Promise<void> {
  program.signal('SIGTERM')
  await program.ended()
}

test('another prefix is another place: nothing of the former one serves beside it', async (t) => {
  const registry = await startRegistry(t, 'etcd')
  await putServers(await registry.keys(), ['http://127.0.0.1:9'])
  await putFrontends(await registry.keys(), 3)
  const data = makeFolder(t)
  await serveOnce(t, await configOf(t, { etcd: registry.source }, data), 'etcd')

  const elsewhere = { ...registry.source, prefix: '/other' }
  const program = await startProgram(t, await configOf(t, { etcd: elsewhere }, data))
  await untilSource(program, 'etcd', ({ state }) => state === 'live', 'live')

  assert.deepEqual(await routesOf(program), [])
  const { held, lastGood } = await reportOf(program, 'etcd')
  assert.equal(held, null)
  assert.equal(lastGood?.serving, false)
  const logged = program.log().find(({ msg }) => msg.includes('begins anew'))
  assert.match(logged?.msg ?? '', /of another place, etcd .*prefix "\/sluice", layout sluice$/)
})

const SERVICE = { backends: { b: { servers: { s: 'http://127.0.0.1:9' } } } }
const ROUTES = { frontends: { f: { route: 'Host("f.test")', backend: 'b' } } }
const GOOD = toText({ ...SERVICE, ...ROUTES })

interface Directory {
  readonly folder: string
  readonly path: (name: string) => string
  readonly config: object
}

async function openDirectory(t: TestContext): Promise<Directory> {
  const folder = join(makeFolder(t), 'conf.d')
  mkdirSync(folder)
  const path = (name: string): string => join(folder, name)
  writeFileSync(path('a.json'), GOOD)
  const others = Array.from({ length: 9 }, (_, at): [string, object] => [
    `o${at}`,
    { route: `Host("o${at}")`, respond: { status: 204 } },
  ])
  writeFileSync(path('z.json'), toText({ frontends: Object.fromEntries(others) }))
  const config = await configOf(t, { dir: { kind: 'files', directory: folder } })
  return { folder, path, config }
}

/** Each breaks the file at this path and returns where it is then. */
const BREAKS: Readonly<Record<string, (path: string) => string>> = {
  'no text that can be read': (path) => write(path, '{"frontends":'),
  'a section of another name': (path) => write(path, '{"frontendz": {}}'),
  'a section that is no map': (path) => write(path, '{"frontends": 5}'),
  'another name and no text that can be read': (path) => {
    const renamed = path.replace('.json', '-renamed.json')
    renameSync(path, renamed)
    return write(renamed, '{"frontends":')
  },
}

test('files that cannot be read at a start keep what they declared, until they can be read', async (t) => {
  const directory = await openDirectory(t)
  const broken = Object.values(BREAKS).map((breakIt, at) => ({ id: `g${at}`, breakIt }))
  for (const { id } of broken) write(directory.path(`${id}.json`), declaring(id))
  await serveOnce(t, directory.config, 'dir')
  const paths = broken.map(({ id, breakIt }) => breakIt(directory.path(`${id}.json`)))

  const program = await startProgram(t, directory.config)
  await untilSource(program, 'dir', ({ state }) => state === 'live', 'live')
  const atStart = await routesOf(program)
  // A change beside them must not take them, either.
  write(directory.path('y.json'), declaring('y'))
  await untilFrontend(program, 'y')
  const afterChange = await routesOf(program)
  const { held } = await reportOf(program, 'dir')
  for (const path of paths) write(path, declaring(`new-${basename(path, '.json')}`))
  for (const path of paths) await untilFrontend(program, `new-${basename(path, '.json')}`)

  assert.deepEqual(atStart, ['f', 'g0', 'g1', 'g2', 'g3'])
  assert.deepEqual(afterChange, ['f', 'g0', 'g1', 'g2', 'g3', 'y'])
  assert.equal(held, null, 'its files keep them, and no hold of a mass removal')
  const names = ['new-g0', 'new-g1', 'new-g2', 'new-g3-renamed']
  assert.deepEqual(await routesOf(program), ['f', ...names, 'y'])
})

function declaring(id: string): string {
  return toText({ frontends: { [id]: { route: `Host("${id}")`, respond: { status: 204 } } } })
}

function write(path: string, text: string): string {
  writeFileSync(path, text)
  return path
}

test('a file that was renamed while it was read keeps what it declared when it is broken later', async (t) => {
  const directory = await openDirectory(t)
  const program = await startProgram(t, directory.config)
  await untilFrontend(program, 'f')
  renameSync(directory.path('a.json'), directory.path('b.json'))
  write(directory.path('y.json'), declaring('y'))
  await untilFrontend(program, 'y')
  await end(program)
  // Another file under that name: only the name is left to know it by.
  rmSync(directory.path('b.json'))
  writeFileSync(directory.path('b.json'), '{')

  const again = await startProgram(t, directory.config)
  await untilSource(again, 'dir', ({ state }) => state === 'live', 'live')

  assert.deepEqual(await routesOf(again), ['f', 'y'])
})

test('a file that was deleted before a start takes its objects along, though another one is broken', async (t) => {
  const directory = await openDirectory(t)
  await serveOnce(t, directory.config, 'dir')
  rmSync(directory.path('a.json'))
  writeFileSync(directory.path('b.json'), '{')

  const program = await startProgram(t, directory.config)
  await untilSource(program, 'dir', ({ state }) => state === 'live', 'live')

  assert.deepEqual(await routesOf(program), [])
})

test('a directory is the same place whether the file that names it is named from here or from the root', async (t) => {
  const { folder, path, config } = await openDirectory(t)
  const home = dirname(folder)
  const beside = { ...config, sources: { dir: { kind: 'files', directory: basename(folder) } } }
  const first = await startProgram(t, beside, { folder: relative(process.cwd(), home) })
  await untilFrontend(first, 'f')
  await end(first)
  writeFileSync(path('a.json'), '{')

  const program = await startProgram(t, beside, { folder: home })
  await untilSource(program, 'dir', ({ state }) => state === 'live', 'live')

  assert.deepEqual(await routesOf(program), ['f'])
})

// ---- Two programs

test('a second program on one data folder is refused, and takes its place after the first has ended, also by SIGKILL', async (t) => {
  const { config } = await openDirectory(t)
  const first = await startProgram(t, config)
  const file = join(makeFolder(t), 'sluice.json')
  writeFileSync(file, toText({ ...config, listeners: { web: { address: '127.0.0.1:0' } } }))

  const second = await runProgram(t, ['serve', '--config', file])
  first.signal('SIGKILL')
  await first.ended()
  const third = await startProgram(t, { ...config, listeners: { web: { address: '127.0.0.1:0' } } })

  assert.equal(second.code, 1)
  assert.match(
    second.errors,
    new RegExp(
      `^sluice: the data folder .* is in use by another sluice \\(process ${first.pid}\\): stop`,
    ),
  )
  assert.deepEqual(await routesOf(third), ['f'])
})

test('programs that save nothing share a data folder, and commands write beside one that runs', async (t) => {
  const data = makeFolder(t)
  const store = createStore(t, join(data, 'store.db'))
  const config = await configOf(t, { store: store.source }, data)
  const serving = await startProgram(t, config)
  const alone = { ...SERVICE, ...ROUTES, data, listeners: { web: { address: '127.0.0.1:0' } } }

  const beside = await startProgram(t, alone)
  const put = await runProgram(t, [
    ...['put', 'frontend', 'g', '{"route":"Host(`g`)","respond":{"status":204}}'],
    ...['--config', serving.config],
  ])
  const checked = await runProgram(t, ['check', serving.config])
  await untilFrontend(serving, 'g')

  assert.ok((await routesOf(beside)).includes('f'))
  assert.equal(put.code, 0, put.errors)
  assert.equal(checked.code, 0, checked.output)
})

/** Without those of the file beside, which is valid. */
async function routesOf(program: Program): Promise<readonly string[]> {
  return (await frontendsOf(program)).filter((id) => !/^o\d$/.test(id))
}

async function untilFrontend(program: Program, id: string): Promise<void> {
  await untilTable(
    program,
    '?kind=frontend',
    ({ objects }) => objects.some((one) => one.id === id),
    `${id} is in force`,
  )
}
