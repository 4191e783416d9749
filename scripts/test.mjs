/**
 * `npm test [-- PATH...]`: every test that this machine can run, or those of the files and folders named. `--watch` runs them
 * again when they or what they import change; `--names` prints each test by name; `--together` runs all files in one process,
 * which saves a start of Node for each, for tests that share nothing of a process. All tests, or those of a large folder, run in
 * five processes, since most of them wait for what they have started; those that take longest begin first.
 *
 * A test file that needs more than npm brings says so in its first line, `// needs: etcd, redis-server`; where one of these is
 * missing the file is not run, and a line says which and why. In CI nothing may be left out: there, a missing one is a failure. What
 * this Debian has no package of is fetched when a file needs it; where that fails, a line says what is not tested, also in CI.
 */
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import quiet from './quiet-reporter.mjs'

/** Commands, or files that are no commands, and the Debian packages that bring them. */
const packages = {
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  curl: 'curl',
  gpg: 'gnupg',
  jq: 'jq',
  zookeeper: 'zookeeper',
  kazoo: 'python3-kazoo',
  grpcio: 'python3-grpcio',
  postgresql: 'postgresql',
  python3: 'python3',
  chromium: 'chromium',
  pebble: 'pebble',
  named: 'bind9',
  'systemd-analyze': 'systemd',
  logrotate: 'logrotate',
  zsh: 'zsh',
  fish: 'fish',
  mandoc: 'mandoc',
  go: 'golang-go',
  haproxy: 'haproxy',
  nginx: 'nginx-light',
  prometheus: 'prometheus',
  'prometheus-alertmanager': 'prometheus-alertmanager',
}
/** Of those that are no commands. */
const paths = {
  zookeeper: '/usr/share/java/zookeeper.jar',
  kazoo: '/usr/lib/python3/dist-packages/kazoo',
  grpcio: '/usr/lib/python3/dist-packages/grpc',
  postgresql: '/usr/lib/postgresql',
}

/** Tests that share nothing of their process, and in how many processes they run when all tests do. */
const groups = { unit: 4, conformance: 6 }

/**
 * Those that take 20 s and more: begun last, one of them would be the end of the run by itself. Most of them wait
 * most of that time. Chaos counts shares of requests, so it runs beside such that do little else.
 */
const longest = [
  'test/story/chaos.test.ts',
  'test/contract/registrar-zookeeper.test.ts',
  'test/story/scaling-instances.test.ts',
  'test/contract/registrar-consul.test.ts',
  'test/contract/provider-swarm.test.ts',
  'test/story/policy-examples.test.ts',
  'test/story/registry-outages.test.ts',
  'test/story/registry-changes.test.ts',
  'test/story/agent-registries.test.ts',
  'test/story/agent.test.ts',
  'test/story/registry-restarts.test.ts',
  'test/story/readme.test.ts',
  'test/story/start.test.ts',
  'test/story/acme-renewal.test.ts',
  'test/contract/provider-consul-kv.test.ts',
  'test/story/from-the-talk.test.ts',
  'test/story/source-examples.test.ts',
  'test/story/voting-app.test.ts',
  'test/story/upgrade-state.test.ts',
  'test/contract/scaling-lock.test.ts',
  'test/story/registry-backups.test.ts',
  'test/contract/provider-consul.test.ts',
  'test/story/docker.test.ts',
  'test/contract/redis-watch.test.ts',
  'test/contract/acme-client.test.ts',
  'test/story/shortage.test.ts',
  'test/story/examples.test.ts',
  'test/story/bench.test.ts',
  'test/story/stalls.test.ts',
  'test/story/upgrade-sockets.test.ts',
  'test/story/upgrade.test.ts',
  'test/contract/rendered-keys.test.ts',
]
/** Processes at a time when many files run, and when few do. */
const MANY = 5
const FEW = 2
const TIMEOUT_MS = 300_000

/** What no installed package brings, and the script that fetches each or says why it cannot. */
const fetched = {
  consul: 'get-consul.mjs',
  'docker-engine': 'get-docker-engine.mjs',
  'docker-networks': 'get-docker-networks.mjs',
  compose: 'get-compose.mjs',
}

const { values, positionals } = readArguments()
const files =
  positionals.length === 0 ? globSync('test/**/*.test.ts') : positionals.flatMap(filesAt)
const missing = new Set(Object.keys(packages).filter((command) => !isInstalled(command)))
const unfetched = unobtainable(new Set(files.flatMap(needsOf)))
const possible = files.sort().filter((file) => !needsOf(file).some((name) => unfetched.has(name)))
const chosen = possible.filter((file) => {
  const lacking = needsOf(file).filter((command) => missing.has(command))
  for (const command of lacking) {
    console.log(
      `not run: ${file}: ${command} is not installed (apt-get install ${packages[command]})`,
    )
  }
  return lacking.length === 0
})
if (chosen.length < possible.length && process.env.CI) {
  console.error('in CI every test runs')
  process.exit(1)
}

// Each file is a process, and many start the program: code that is compiled once halves the time of their starts.
const cache = fileURLToPath(new URL('../node_modules/.cache/node-compile-cache', import.meta.url))
process.env.NODE_COMPILE_CACHE ??= cache
const isWhole = !values.watch && !values.names && !values.together && chosen.length >= 50
if (isWhole || !existsSync(process.env.NODE_COMPILE_CACHE)) {
  spawnSync(process.execPath, [fileURLToPath(new URL('load-all.mjs', import.meta.url))])
}
process.exitCode = isWhole ? await runInOrder(inOrder(grouped(chosen))) : runAsGiven(chosen)

/** The command line of node:test sorts what it runs by name. */
async function runInOrder(entries) {
  let isGood = false
  const events = run({
    files: entries.map((entry) => resolve(entry)),
    concurrency: MANY,
    timeout: TIMEOUT_MS,
  }).on('test:summary', ({ file, success }) => {
    if (file === undefined) isGood = success
  })
  for await (const text of events.compose(quiet)) process.stdout.write(text)
  return isGood ? 0 : 1
}

/** The longest, then the rest; groups, which wait for nothing, are spread over the longest, one for every three. */
function inOrder(entries) {
  const isGroup = (entry) => !entry.startsWith('test/')
  const groupsLeft = entries.filter(isGroup)
  const first = longest
    .filter((file) => entries.includes(file))
    .flatMap((file, at) => (at >= MANY && at % 3 === 0 ? [...groupsLeft.splice(0, 1), file] : file))
  return [
    ...first,
    ...groupsLeft,
    ...entries.filter((entry) => !isGroup(entry) && !longest.includes(entry)),
  ]
}

function runAsGiven(entries) {
  const reporter = fileURLToPath(new URL('quiet-reporter.mjs', import.meta.url))
  const flags = [
    '--test',
    `--test-reporter=${values.names ? 'spec' : reporter}`,
    values.together ? '--test-isolation=none' : `--test-concurrency=${FEW}`,
    `--test-timeout=${TIMEOUT_MS}`,
    ...(values.watch ? ['--watch'] : []),
  ]
  const { status, signal } = spawnSync(process.execPath, [...flags, ...entries], {
    stdio: 'inherit',
  })
  return signal === null ? status : 1
}

function readArguments() {
  const options = {
    watch: { type: 'boolean', default: false },
    names: { type: 'boolean', default: false },
    together: { type: 'boolean', default: false },
  }
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch (error) {
    console.error(`${error.message}\nusage: npm test -- [--watch] [--names] [--together] [PATH...]`)
    process.exit(2)
  }
}

/** A test file, or all those below a folder. */
function filesAt(path) {
  const found = statSync(path, { throwIfNoEntry: false })
  const below = found?.isDirectory()
    ? globSync(`${path}/**/*.test.ts`)
    : found?.isFile()
      ? [path]
      : []
  if (below.length > 0) return below
  console.error(`there is no test at ${path}: name a file or a folder below test/`)
  process.exit(2)
}

/** The files of each group in files that import them, so that each of these is one process; the others as they are. */
function grouped(all) {
  const folder = fileURLToPath(new URL('../node_modules/.cache/test-groups/', import.meta.url))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return Object.entries(groups).reduce((rest, [name, processes]) => {
    const own = rest.filter((file) => file.startsWith(`test/${name}/`))
    const entries = Array.from({ length: Math.min(processes, own.length) }, (_, index) => {
      const path = join(folder, `${name}-${index + 1}-of-${processes}.mjs`)
      const imported = own.filter((_, at) => at % processes === index)
      writeFileSync(path, imported.map((file) => `import '${resolve(file)}'\n`).join(''))
      return path
    })
    return [...entries, ...rest.filter((file) => !own.includes(file))]
  }, all)
}

/** What the file's first line names. */
function needsOf(file) {
  const [, names = ''] =
    /^\/\/ needs: (.*)$/m.exec(readFileSync(file, 'utf8').split('\n', 1)[0]) ?? []
  const needs = names.split(', ').filter((name) => name !== '')
  const unknown = needs.find((name) => !(name in packages) && !(name in fetched))
  if (unknown !== undefined)
    throw new Error(`${file} needs "${unknown}", which no package is known for`)
  return needs
}

/** Fetches those of `fetched` that are needed; returns what cannot be had. */
function unobtainable(needed) {
  const lacking = new Set()
  for (const [name, script] of Object.entries(fetched)) {
    if (!needed.has(name)) continue
    const path = fileURLToPath(new URL(script, import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, [path], { encoding: 'utf8' })
    if (status === 0) continue
    lacking.add(name)
    const count = files.filter((file) => needsOf(file).includes(name)).length
    console.log(`NOT TESTED: ${name} (${count} files): ${stderr.trim()}`)
  }
  return lacking
}

function isInstalled(command) {
  if (command in paths) return existsSync(paths[command])
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
