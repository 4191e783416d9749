/**
 * Packages of another Debian suite than this machine's, extracted and not installed: apt's own lists and sources stay as they
 * are, and the mirror is the one that apt is configured with.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const TIMEOUT_MS = 120_000

/** Extracts the package into `root` below the folder `cache`. Throws with a reason for people. */
export function extractFromSuite(suite, name, cache) {
  const work = join(cache, 'work')
  rmSync(work, { recursive: true, force: true })
  for (const folder of ['lists/partial', 'archives/partial']) {
    mkdirSync(join(work, folder), { recursive: true })
  }
  const list = join(work, 'sources.list')
  writeFileSync(list, `deb [signed-by=${KEYRING}] ${mirror()} ${suite} main\n`)
  const apt = (...words) =>
    run('apt-get', [
      ...['-qq', '-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=-'],
      ...['-o', `Dir::State::lists=${join(work, 'lists')}`, '-o', `Dir::Cache=${work}`],
      ...['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Languages=none', ...words],
    ])
  apt('update')
  apt('download', name)
  run('sh', ['-c', `dpkg-deb -x ${name}_*.deb root`])
  rmSync(join(cache, 'root'), { recursive: true, force: true })
  renameSync(join(work, 'root'), join(cache, 'root'))
  rmSync(work, { recursive: true, force: true })

  function run(command, words) {
    const options = { cwd: work, encoding: 'utf8', timeout: TIMEOUT_MS }
    const { status, stderr, error } = spawnSync(command, words, options)
    if (status !== 0)
      throw new Error(`${command} ${words.at(-1)}: ${error?.message ?? stderr.trim()}`)
  }
}

/** Where apt gets this machine's own packages, whichever form its sources are written in. */
function mirror() {
  const { stdout } = spawnSync('apt-get', ['update', '--print-uris'], { encoding: 'utf8' })
  const [, site] = /^'(\S+?)\/dists\/[a-z]+\/InRelease'/m.exec(stdout ?? '') ?? []
  if (site === undefined) throw new Error('apt names no Debian mirror')
  return site
}
