/**
 * `npm test`: every test that this machine can run. A test file that needs more than npm brings says so in its first line,
 * `// needs: etcd, redis-server`; where one of these is missing the file is not run, and a line says which and why. In CI
 * nothing may be left out: there, a missing one is a failure.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, globSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Commands and the Debian packages that bring them. */
const packages = {
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
}

const files = globSync('test/**/*.test.ts').sort()
const missing = new Set(Object.keys(packages).filter((command) => !isInstalled(command)))
const run = files.filter((file) => {
  const lacking = needsOf(file).filter((command) => missing.has(command))
  for (const command of lacking) {
    console.log(
      `not run: ${file}: ${command} is not installed (apt-get install ${packages[command]})`,
    )
  }
  return lacking.length === 0
})
if (run.length < files.length && process.env.CI) {
  console.error('in CI every test runs')
  process.exit(1)
}

const flags = ['--test', '--test-reporter=spec', '--test-concurrency=2', '--test-timeout=300000']
const { status, signal } = spawnSync(process.execPath, [...flags, ...run], { stdio: 'inherit' })
process.exit(signal === null ? status : 1)

/** The commands that the file's first line names. */
function needsOf(file) {
  const [, names = ''] =
    /^\/\/ needs: (.*)$/m.exec(readFileSync(file, 'utf8').split('\n', 1)[0]) ?? []
  const needs = names.split(', ').filter((name) => name !== '')
  const unknown = needs.find((name) => !(name in packages))
  if (unknown !== undefined)
    throw new Error(`${file} needs "${unknown}", which no package is known for`)
  return needs
}

function isInstalled(command) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
