// needs: systemd-analyze, logrotate
/** The unit for systemd and the file for logrotate that are shipped, each held against the program that reads it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { choosePort } from '../support/ports.ts'
import { makeFolder, spawnProgram, toText } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const CONFIG = fileURLToPath(new URL('../../config', import.meta.url))
const LAUNCHER = fileURLToPath(new URL('../../sluice', import.meta.url))

/** What the file for logrotate says to systemd. */
const KILL = 'kill --kill-whom=main --signal=USR1 sluice.service'

const runFile = promisify(execFile)

const UNITS = { 'sluice.service': 'serve', 'sluice-agent.service': 'agent' }

for (const [name, command] of Object.entries(UNITS)) {
  test(`systemd takes ${name} without a warning, and finds little that it exposes`, async (t) => {
    const unit = join(makeFolder(t), name)
    const text = readFileSync(join(CONFIG, 'systemd', name), 'utf8')
    assert.match(text, new RegExp(`^ExecStart=/opt/sluice/sluice ${command} `, 'm'))
    writeFileSync(unit, text.replaceAll('/opt/sluice/sluice', LAUNCHER))

    const verified = await runFile('systemd-analyze', ['verify', '--man=no', unit])
    const security = await runFile('systemd-analyze', ['security', '--offline=true', unit])

    assert.deepEqual([verified.stdout, verified.stderr], ['', ''])
    const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(security.stdout)?.[1])
    assert.ok(exposure < 2.5, `exposure ${exposure}`)
  })
}

test('logrotate turns the log over: no line is lost, and new ones go to a new file', async (t) => {
  const folder = makeFolder(t)
  const logs = join(folder, 'log')
  mkdirSync(logs, { mode: 0o755 })
  const log = join(logs, 'sluice.log')
  const rules = join(folder, 'logrotate.conf')
  const text = readFileSync(join(CONFIG, 'logrotate/sluice'), 'utf8')
  assert.match(text, /^\/var\/log\/sluice\/\*\.log \{$/m)
  writeFileSync(rules, text.replaceAll('/var/log/sluice', logs), { mode: 0o644 })
  const config = join(folder, 'sluice.json')
  const port = await choosePort()
  const frontends = { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } }
  const listeners = { web: { address: `127.0.0.1:${port}` } }
  const admin = { address: `127.0.0.1:${await choosePort()}` }
  writeFileSync(config, toText({ workers: 1, log: { path: log }, admin, listeners, frontends }))
  const program = spawnProgram(t, ['serve', '--config', config])
  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`)
  const holds = (file: string, text: string): boolean =>
    existsSync(file) && readFileSync(file, 'utf8').includes(text)

  await eventually(() => program.failure() ?? holds(log, '"msg":"serving"'), 'it serves')
  await ask('/before')
  await eventually(() => holds(log, '"path":"/before"'), 'the line is written')
  // A fake of systemctl: it sends the signal to the unit's main process.
  const systemctl = `#!/bin/sh\n[ "$*" = "${KILL}" ] && kill -USR1 ${program.pid}\n`
  writeFileSync(join(folder, 'systemctl'), systemctl, { mode: 0o755 })
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` }
  await runFile('logrotate', ['--force', '--state', join(folder, 'state'), rules], { env })
  await eventually(async () => {
    await ask('/after')
    return holds(log, '"path":"/after"')
  }, 'the new file has lines')

  assert.ok(holds(`${log}.1`, '"path":"/before"'))
  assert.ok(!holds(log, '"path":"/before"'))
})
