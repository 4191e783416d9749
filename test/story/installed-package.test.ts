/** The package as its users get it: packed by npm, installed by npm into an empty folder, and run by npx. Needs npm's registry. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { choosePort } from '../support/ports.ts'
import { makeFolder, spawnProgram, toText } from '../support/program.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** npm is a script of the Node that Debian or an image brings; the package runs on the one that this test runs on. */
const PATH = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`

const runFile = promisify(execFile)

test('npx serves, checks and asks for health from a package that npm has installed', async (t) => {
  const folder = makeFolder(t)
  const npm = async (...words: readonly string[]): Promise<string> =>
    (await runFile('npm', words, { cwd: folder, env: { ...process.env, PATH } })).stdout
  const packed = await npm('pack', ROOT, '--pack-destination', folder, '--json', '--silent')
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  await npm('install', `./${filename}`, '--no-audit', '--no-fund', '--prefer-offline')
  const [port, admin] = [await choosePort(), await choosePort()]
  const config = {
    workers: 1,
    admin: { address: `127.0.0.1:${admin}` },
    listeners: { web: { address: `127.0.0.1:${port}` } },
    frontends: { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } },
  }
  writeFileSync(join(folder, 'sluice.json'), toText(config))
  const npx = ['--no-install', 'sluice']
  const run = (...words: readonly string[]): Promise<{ stdout: string }> =>
    runFile('npx', [...npx, ...words], { cwd: folder, env: { ...process.env, PATH } })

  const checked = await run('check', 'sluice.json')
  const command: [string, string] = [join(folder, 'node_modules/.bin/sluice'), 'serve']
  const served = spawnProgram(t, ['--config', join(folder, 'sluice.json')], { PATH }, command)
  await served.logged('serving')
  const response = await fetch(`http://127.0.0.1:${port}/`)
  const health = await run('healthcheck', '--admin-address', `127.0.0.1:${admin}`)
  served.signal('SIGTERM')
  const { code } = await served.ended()

  assert.equal(checked.stdout, 'sluice.json: good, 1 listener, 0 backends, 1 frontend\n')
  assert.deepEqual([response.status, await response.text()], [200, 'here'])
  assert.match(health.stdout, /^ready/)
  assert.equal(code, 0)
  for (const file of [
    ...['systemd/sluice.service', 'systemd/sluice-agent.service', 'logrotate/sluice'],
    ...['schema.json', 'agent.yaml', 'agent-schema.json'],
  ]) {
    assert.ok(existsSync(join(folder, 'node_modules/sluice/config', file)), file)
  }
  assert.ok(!existsSync(join(folder, 'node_modules/sluice/src')), 'sources stay at home')
})
