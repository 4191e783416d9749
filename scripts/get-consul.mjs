/**
 * `node scripts/get-consul.mjs`: prints the path of a real Consul for the tests: the one on the PATH, else that of Debian's older suite
 * (bookworm has none), extracted into node_modules/.cache. Nothing is installed, and apt's own lists and sources stay as they are: the
 * mirror is the one that apt is configured with. One process fetches, the others wait for it.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SUITE = 'bullseye'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const TIMEOUT_MS = 120_000

const cache = fileURLToPath(new URL('../node_modules/.cache/consul', import.meta.url))
const cached = join(cache, 'root/usr/bin/consul')

const found = onPath('consul') ?? (isProgram(cached) ? cached : null)
if (found !== null) {
  console.log(found)
} else if (process.argv[2] === '--locked') {
  fetch()
  console.log(cached)
} else {
  mkdirSync(cache, { recursive: true })
  const again = [process.execPath, fileURLToPath(import.meta.url), '--locked']
  const { status, error } = spawnSync('flock', [join(cache, 'lock'), ...again], {
    stdio: 'inherit',
  })
  if (error !== undefined) fail(`flock cannot be run: ${error.message}`)
  process.exit(status ?? 1)
}

function fetch() {
  const work = join(cache, 'work')
  rmSync(work, { recursive: true, force: true })
  for (const folder of ['lists/partial', 'archives/partial']) {
    mkdirSync(join(work, folder), { recursive: true })
  }
  const list = join(work, 'sources.list')
  writeFileSync(list, `deb [signed-by=${KEYRING}] ${mirror()} ${SUITE} main\n`)
  const apt = (...words) =>
    run('apt-get', [
      ...['-qq', '-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=-'],
      ...['-o', `Dir::State::lists=${join(work, 'lists')}`, '-o', `Dir::Cache=${work}`],
      ...['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Languages=none', ...words],
    ])
  apt('update')
  apt('download', 'consul')
  run('sh', ['-c', 'dpkg-deb -x consul_*.deb root'])
  rmSync(join(cache, 'root'), { recursive: true, force: true })
  renameSync(join(work, 'root'), join(cache, 'root'))
  rmSync(work, { recursive: true, force: true })

  function run(command, words) {
    const options = { cwd: work, encoding: 'utf8', timeout: TIMEOUT_MS }
    const { status, stderr, error } = spawnSync(command, words, options)
    if (status !== 0) fail(`${command} ${words.at(-1)}: ${error?.message ?? stderr.trim()}`)
  }
}

/** Where apt gets this machine's own packages, whichever form its sources are written in. */
function mirror() {
  const { stdout } = spawnSync('apt-get', ['update', '--print-uris'], { encoding: 'utf8' })
  const [, site] = /^'(\S+?)\/dists\/[a-z]+\/InRelease'/m.exec(stdout ?? '') ?? []
  if (site === undefined) fail('apt names no Debian mirror')
  return site
}

function onPath(command) {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.map((folder) => join(folder, command)).find(isProgram) ?? null
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function fail(reason) {
  console.error(`consul is not installed and cannot be fetched from Debian's ${SUITE}: ${reason}`)
  process.exit(1)
}
