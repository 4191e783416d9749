// Issue: "From a checkout on the advertised Node (20) there is no `sluice`": the launcher in the root, in a checkout and installed.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { refuseOldNode } from '../../src/cli/runtime.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, spawnProgram, toText, type Child, type Ended } from '../support/program.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SYSTEM = '/usr/bin:/bin'

const runFile = promisify(execFile)

test('takes the versions of Node that the program takes, and no other', async (t) => {
  const home = placeCheckout(t)
  for (const version of [
    ...['v24.18.1', 'v24.19.0', 'v26.5.1', 'v26.10.0', 'v27.0.0', 'v30.1.2'],
    ...['v20.20.2', 'v18.0.0', 'v24.12.9', 'v24.18.0', 'v25.9.9', 'v26.5.0', 'v26.0.3', 'x', ''],
  ]) {
    const path = stubNode(t, version)

    const { code, output, errors } = await run(t, join(home, 'sluice'), ['one', 'two words'], path)

    if (refuseOldNode(version) === null) {
      assert.deepEqual([code, errors], [7, ''], version)
      assert.equal(output, `ran ${join(home, 'src/main.ts')} one|two words|\n`)
    } else {
      assert.deepEqual([code, output], [1, ''], version)
      assert.match(errors, /^sluice: Sluice needs Node >= 24\.18\.1 .*: run npm ci in .*\n$/)
    }
  }
})

test('finds the Node of node_modules behind an old one on PATH, in a folder with spaces, over links', async (t) => {
  const home = placeCheckout(t, 'a folder of mine')
  linkModules(home)
  const links = makeFolder(t)
  symlinkSync(join(home, 'sluice'), join(links, 'first'))
  symlinkSync('first', join(links, 'sluice'))
  const old = stubNode(t, 'v20.20.2')

  const direct = await run(t, join(home, 'sluice'), ['version'], `${old}:${SYSTEM}`)
  const linked = await run(t, join(links, 'sluice'), ['version'], `${old}:${SYSTEM}`)
  const fromPath = await run(t, 'sluice', ['version'], `${links}:${old}:${SYSTEM}`)

  for (const { code, output, errors } of [direct, linked, fromPath]) {
    assert.deepEqual([code, errors], [0, ''])
    assert.match(output, /^sluice \d+\.\d+\.\d+ \(Node v\d+\.\d+\.\d+\)\n$/)
  }
})

test('passes over an old Node on PATH for a new one behind it', async (t) => {
  const home = placeCheckout(t)

  const { code, output } = await run(
    t,
    join(home, 'sluice'),
    [],
    `${stubNode(t, 'v20.20.2')}:${stubNode(t, 'v26.10.0')}`,
  )

  assert.equal(code, 7)
  assert.match(output, /^ran /)
})

test('called as vulcand, by a link or on PATH, it is vulcand', async (t) => {
  const home = placeCheckout(t)
  const links = makeFolder(t)
  symlinkSync(join(home, 'sluice'), join(links, 'vulcand'))
  const node = stubNode(t, 'v26.10.0')

  const linked = await run(t, join(links, 'vulcand'), ['-help'], node)
  const fromPath = await run(t, 'vulcand', ['-help'], `${links}:${node}`)

  for (const { code, output } of [linked, fromPath]) {
    assert.equal(code, 7)
    assert.equal(output, `ran ${join(home, 'src/vulcand.ts')} -help|\n`)
  }
})

test('says that packages are missing, and that an installation is not whole', async (t) => {
  const home = makeFolder(t)
  placeLauncher(home)
  const nothing = await run(t, join(home, 'sluice'), ['version'], stubNode(t, 'v26.10.0'))
  mkdirSync(join(home, 'src'))
  writeFileSync(join(home, 'src/main.ts'), '')

  const noPackages = await run(t, join(home, 'sluice'), ['version'], stubNode(t, 'v26.10.0'))

  assert.equal(
    nothing.errors,
    `sluice: ${home}/dist/main.js is missing: this is not a whole installation\n`,
  )
  assert.equal(noPackages.errors, `sluice: its packages are not installed: run npm ci in ${home}\n`)
  assert.deepEqual([nothing.code, noPackages.code], [1, 1])
})

test('exit codes are those of the program, and SIGTERM drains it', async (t) => {
  const home = placeCheckout(t)
  linkModules(home)
  const config = join(makeFolder(t), 'sluice.json')
  const listeners = { web: { address: `127.0.0.1:${await choosePort()}` } }
  writeFileSync(config, toText({ workers: 1, listeners }))

  const usage = await run(t, join(home, 'sluice'), ['sreve'], SYSTEM)
  const missing = await run(t, join(home, 'sluice'), ['check', `${config}.not`], SYSTEM)
  const served = start(t, join(home, 'sluice'), ['serve', '--config', config], SYSTEM)
  await served.until(() => served.log().some(({ msg }) => msg === 'serving'), 'it serves')
  served.signal('SIGTERM')
  const { code, signal } = await served.ended()

  assert.deepEqual([usage.code, missing.code], [2, 1])
  assert.deepEqual([code, signal], [0, null])
  assert.equal((await served.logged('draining'))['signal'], 'SIGTERM')
})

test('runs what the build made, installed beside its packages', async (t) => {
  const modules = join(makeFolder(t), 'node_modules')
  const home = join(modules, 'sluice')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  mkdirSync(home)
  placeLauncher(home)
  copyFileSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  await build(join(home, 'dist'))
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'))
  const own = await run(
    t,
    join(home, 'sluice'),
    ['version'],
    stubNode(t, 'v20.20.2') + `:${SYSTEM}`,
  )
  const lonely = join(makeFolder(t), 'sluice')
  mkdirSync(join(lonely, 'dist'), { recursive: true })
  placeLauncher(lonely)
  writeFileSync(join(lonely, 'dist/main.js'), '')

  const none = await run(t, join(lonely, 'sluice'), ['version'], stubNode(t, 'v20.20.2'))

  assert.deepEqual([own.code, own.errors], [0, ''])
  assert.match(own.output, /^sluice \d+\.\d+\.\d+ /)
  assert.deepEqual([none.code, none.output], [1, ''])
  assert.match(
    none.errors,
    /^sluice: Sluice needs Node >= 24\.18\.1 .* there is v20\.20\.2: install a newer one/,
  )
})

test('main and vulcand import nothing that an old Node fails at before they have said so', () => {
  const runtime = readFileSync(join(ROOT, 'src/cli/runtime.ts'), 'utf8')

  for (const entry of ['src/main.ts', 'src/vulcand.ts']) {
    const text = readFileSync(join(ROOT, entry), 'utf8')
    const imports = [...text.matchAll(/^import .*/gm)].map(([line]) => line)
    assert.deepEqual(imports, [`import { refuseOldNode } from './cli/runtime.ts'`])
  }
  const runtimeImports = [...runtime.matchAll(/^import .*/gm)].map(([line]) => line)
  assert.deepEqual(runtimeImports, [`import { readFileSync } from 'node:fs'`])
})

test('the package has the launcher and names it as its command', async () => {
  const words = ['pack', '--dry-run', '--ignore-scripts', '--json']

  const { stdout } = await runFile('npm', words, { cwd: ROOT })

  const [packed] = JSON.parse(stdout) as { files: { path: string; mode: number }[] }[]
  const launcher = packed?.files.find(({ path }) => path === 'sluice')
  assert.equal((launcher?.mode ?? 0) & 0o111, 0o111)
  const { bin, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    bin: unknown
    scripts: Readonly<Record<string, string>>
  }
  assert.deepEqual(bin, { sluice: 'sluice', vulcand: 'sluice' })
  assert.match(scripts['prepack'] ?? '', /^npm run build\b/)
})

/** A checkout as far as the launcher looks: its own copy, and the sources as they are. */
function placeCheckout(t: TestContext, name = 'checkout'): string {
  const home = join(makeFolder(t), name)
  mkdirSync(join(home, 'node_modules'), { recursive: true })
  placeLauncher(home)
  symlinkSync(join(ROOT, 'src'), join(home, 'src'))
  return home
}

function placeLauncher(home: string): void {
  copyFileSync(join(ROOT, 'sluice'), join(home, 'sluice'))
}

function linkModules(home: string): void {
  mkdirSync(join(home, 'node_modules/.bin'))
  symlinkSync(process.execPath, join(home, 'node_modules/.bin/node'))
}

/** A folder for PATH with a `node` of that version. It ends with code 7, so that its run is known. */
function stubNode(t: TestContext, version: string): string {
  const folder = makeFolder(t)
  const lines = [
    '#!/bin/sh',
    `[ "$*" != --version ] || { echo '${version}'; exit; }`,
    `printf 'ran %s ' "$1"; shift; printf '%s|' "$@"; echo; exit 7`,
  ]
  writeFileSync(join(folder, 'node'), `${lines.join('\n')}\n`)
  chmodSync(join(folder, 'node'), 0o755)
  // What the launcher itself needs, and no other Node.
  for (const name of ['dirname', 'readlink'])
    symlinkSync(join('/usr/bin', name), join(folder, name))
  return folder
}

async function build(target: string): Promise<void> {
  const script = join(ROOT, 'scripts/build.ts')
  await runFile(process.execPath, ['--disable-warning=ExperimentalWarning', script, target])
}

function start(t: TestContext, launcher: string, words: readonly string[], path: string): Child {
  return spawnProgram(t, words, { PATH: path }, [launcher])
}

function run(
  t: TestContext,
  launcher: string,
  words: readonly string[],
  path: string,
): Promise<Ended> {
  return start(t, launcher, words, path).ended()
}
