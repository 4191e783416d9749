/**
 * `node scripts/get-consul.mjs`: prints the path of a real Consul for the tests: the one on the PATH, else that of Debian's older suite
 * (bookworm has none), extracted into node_modules/.cache. Nothing is installed. One process fetches, the others wait for it.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { extractFromSuite } from './from-suite.mjs'

const SUITE = 'bullseye'

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
  try {
    extractFromSuite(SUITE, 'consul', cache)
  } catch (error) {
    fail(error.message)
  }
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
