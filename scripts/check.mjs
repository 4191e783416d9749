/**
 * `npm run check`: types, lint and format, side by side, as each of them uses one processor. What each prints comes whole, when it
 * has ended. Its exit code is 1 if one of them failed.
 */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

const checks = ['tsc -p .', 'oxlint', 'prettier --check --log-level=warn .']

const failed = (await Promise.all(checks.map(run))).filter((line) => line !== null)
if (failed.length > 0) {
  console.error(`check: ${failed.join(', ')} failed`)
  process.exit(1)
}

/** The line, if it failed. npm has these commands on the PATH. */
async function run(line) {
  const [command, ...words] = line.split(' ')
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(error.message)
      resolve(null)
    })
    child.once('close', resolve)
  })
  const [code, output, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  process.stdout.write(output)
  process.stderr.write(errors)
  return code === 0 ? null : line
}
