// Makes `npm start` and `npm test` whole on a fresh clone: installs the packages of package-lock.json where they are
// missing or do not fit it. Plain JavaScript on built-ins: it runs on any Node >= 20 that happens to be on the PATH,
// before the `node` package is there; what runs after it finds that package's Node first on its PATH.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const modules = join(root, 'node_modules')

const reason = reasonToInstall()
if (reason !== null) install(reason)

/** Null when all is in place. npm leaves what it installed in a lockfile of its own, written last. */
function reasonToInstall() {
  const wanted = packagesOf(join(root, 'package-lock.json'))
  if (wanted === null) fail('package-lock.json cannot be read: this is not a whole checkout')
  const present = packagesOf(join(modules, '.package-lock.json'))
  if (present === null) return 'node_modules is missing'
  for (const [path, entry] of Object.entries(wanted)) {
    const found = present[path]
    if (path === '' || (found === undefined && entry.optional)) continue
    if (found?.version !== entry.version || found?.integrity !== entry.integrity) {
      return `${path} does not fit package-lock.json`
    }
  }
  return nodeRuns() ? null : 'the node package does not run'
}

function packagesOf(lockfile) {
  try {
    return JSON.parse(readFileSync(lockfile, 'utf8')).packages
  } catch {
    return null
  }
}

function nodeRuns() {
  try {
    execFileSync(join(modules, '.bin', 'node'), ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function install(why) {
  console.log(`setup: ${why}; running npm ci`)
  // npm must not run on the Node that it is about to replace: the PATH without the package's own.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== join(modules, '.bin'))
    .join(delimiter)
  const npm = spawnSync(
    'npm',
    ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, PATH: path },
    },
  )
  if (npm.error !== undefined)
    fail(`npm cannot be run (${npm.error.message}): install Node >= 20 with npm`)
  if (npm.status !== 0) fail('npm ci failed, see above: is the npm registry within reach?')
  if (!nodeRuns()) {
    fail(
      'the Node of the npm package `node` does not run on this machine (are install scripts switched off in npm?): ' +
        'use a Node >= 24.18.1 of your own, without npm: node demo/start.ts',
    )
  }
}

function fail(message) {
  console.error(`setup: ${message}`)
  process.exit(1)
}
