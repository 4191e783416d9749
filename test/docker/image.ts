/**
 * Builds the Dockerfile and runs the image, on an engine and a base image made for it (support/docker-engine.ts, base-image.ts). The
 * containers use the machine's network, because the build needs npm's registry. Saves all images for the other parts of run.ts.
 */
import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { makeBaseImage } from './base-image.ts'
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.ts'
import { choosePort } from '../support/ports.ts'
import { buildVotingApp } from './voting-images.ts'

/** As the compose file and the stack of examples/ name it. */
const IMAGE = 'sluice'
const CONTAINER = 'sluice-test'
const root = fileURLToPath(new URL('../..', import.meta.url))

let engine: DockerEngine | null = null
const ends: (() => unknown)[] = []
let origins: readonly Server[] = []
let url = ''
let cleaning: Promise<void> | null = null

before(async () => {
  engine = await startDockerEngine(
    { after: (end) => ends.push(end) },
    { storageDriver: 'overlay2' },
  )
  const { folder } = engine
  // Containers run as another user.
  await chmod(folder, 0o755)
  await makeBaseImage(engine, folder, await baseTag())
  await docker('build', '--network', 'host', '-t', IMAGE, root)
  const images = process.env['SLUICE_TEST_IMAGES']
  if (images !== undefined) {
    const others = await buildVotingApp(engine, folder)
    await docker('save', '-o', images, IMAGE, await baseTag(), ...others)
  }

  origins = await Promise.all(['first', 'second'].map(startOrigin))
  url = `http://127.0.0.1:${await choosePort()}/`
  const config = join(folder, 'sluice.yaml')
  // JSON is YAML.
  await writeFile(config, JSON.stringify(declared()), { mode: 0o644 })
  const file = ['-v', `${config}:/etc/sluice/sluice.yaml:ro`]
  const limits = ['--read-only', '--cap-drop', 'ALL', '--health-interval', '1s']
  await docker('run', '-d', '--name', CONTAINER, '--network', 'host', ...limits, ...file, IMAGE)
})

after(cleanUp)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(1)))
}

test('turns healthy', async () => {
  await until(async () => (await inspect('{{.State.Health.Status}}')) === 'healthy')
})

test('balances requests over servers of the mounted file', async () => {
  const responses = new Set<string>()
  for (let sent = 0; sent < 4; sent += 1) responses.add(await (await fetch(url)).text())

  assert.deepEqual([...responses].sort(), ['first', 'second'])
})

test('runs as an ordinary user, as process 1', async () => {
  const status = await readFile(`/proc/${await inspect('{{.State.Pid}}')}/status`, 'utf8')

  assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m)
  assert.match(status, /^NSpid:\t\d+\t1$/m)
})

test('opens a port below 1024 in a network of its own, with no capability', async () => {
  assert.ok(engine !== null, 'the engine is up')
  const config = join(engine.folder, 'low.yaml')
  const low = { workers: 1, listeners: { web: { address: ':80' } } }
  await writeFile(config, JSON.stringify(low), { mode: 0o644 })
  const name = `${CONTAINER}-low`
  const file = ['-v', `${config}:/etc/sluice/sluice.yaml:ro`]
  const limits = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']
  await docker('run', '-d', '--name', name, '--network', 'none', ...limits, ...file, IMAGE)

  const health = ['node', 'dist/main.js', 'healthcheck', '--wait', '20s']
  const said = await docker('exec', name, ...health)
  const log = await docker('logs', name)
  await docker('rm', '-f', name)

  assert.match(said, /ready/)
  assert.match(log, /"ports":\{"web":80\}/)
})

test('holds the built program and production packages, nothing else', async (t) => {
  const list = `const { readdirSync } = require('fs'); console.log(JSON.stringify([readdirSync('.'), readdirSync('node_modules')]))`
  const said = await docker(
    'run',
    '--rm',
    '--network',
    'host',
    '--entrypoint',
    'node',
    IMAGE,
    '-e',
    list,
  )
  const [files, packages] = JSON.parse(said) as [string[], string[]]

  assert.deepEqual(files.sort(), ['dist', 'node_modules', 'package.json'])
  assert.ok(packages.includes('yaml'))
  assert.ok(!packages.includes('typescript') && !packages.includes('node'))
  const size = async (image: string): Promise<number> =>
    Number(await docker('image', 'inspect', '-f', '{{.Size}}', image)) / 1e6
  const [whole, base] = [await size(IMAGE), await size(await baseTag())]
  t.diagnostic(`image ${whole.toFixed(0)} MB, of it ours ${(whole - base).toFixed(1)} MB`)
})

test('ends with code 0 on SIGTERM', async () => {
  await docker('kill', '--signal', 'TERM', CONTAINER)

  assert.equal(await docker('wait', CONTAINER), '0')
})

/** Once, whether the tests ended or a signal came in the middle of them. */
function cleanUp(): Promise<void> {
  cleaning ??= removeAll()
  return cleaning
}

async function removeAll(): Promise<void> {
  for (const origin of origins) origin.close().closeAllConnections()
  for (const end of ends) await end()
}

function declared(): object {
  const places = origins.map((origin, index) => [`v${index}`, `http://127.0.0.1:${portOf(origin)}`])
  return {
    workers: 1,
    listeners: { web: { address: new URL(url).host } },
    backends: { vote: { servers: Object.fromEntries(places) as object } },
    frontends: { vote: { route: 'PathPrefix("/")', backend: 'vote' } },
  }
}

/** The default that the Dockerfile names. */
async function baseTag(): Promise<string> {
  const tag = /^ARG NODE_IMAGE=(\S+)$/m.exec(await readFile(join(root, 'Dockerfile'), 'utf8'))?.[1]
  assert.ok(tag !== undefined, 'the Dockerfile names its base image')
  return tag
}

function docker(...args: readonly string[]): Promise<string> {
  assert.ok(engine !== null, 'the engine is up')
  return engine.docker(...args)
}

function inspect(format: string): Promise<string> {
  return docker('inspect', '-f', format, CONTAINER)
}

async function startOrigin(name: string): Promise<Server> {
  const origin = createServer((_, response) => void response.end(name)).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  return origin
}

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await isSo())) {
    if (Date.now() > deadline) {
      assert.fail(`not so within 20 s; the container said:\n${await docker('logs', CONTAINER)}`)
    }
    await passed(100)
  }
}
