// Issue: an upgrade to a binary that fails to start leaves the old one serving.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeRequest } from '../../src/process/upgrade/request.ts'
import { openClient } from '../support/client.ts'
import { startProgram, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { watchUpgrades } from '../support/upgrading.ts'

const CONFIG = {
  workers: 1,
  listeners: { web: { address: '127.0.0.1:0' } },
  frontends: { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } },
}

test('an upgrade to a program that does not come to serve says why and changes nothing', async (t) => {
  const program = await startProgram(t, CONFIG)
  const { folder } = program
  const upgrading = watchUpgrades(t, program)
  mkdirSync(join(folder, 'data'), { recursive: true })
  const ends = script(folder, 'ends', 'exit 3')
  const hangs = script(folder, 'hangs', 'exec sleep 600')
  const other = script(folder, 'other', `printf '{"kind":"other"}\\n' >&3; exit 4`)
  const plain = join(folder, 'plain')
  writeFileSync(plain, 'no program')
  const upgradeTo = (to: string, withinMs = 60_000): Promise<string> => {
    writeRequest(join(folder, 'data'), { to, withinMs })
    return upgrading.failedUpgrade()
  }

  assert.equal(await upgradeTo(join(folder, 'none')), `there is no program ${folder}/none`)
  assert.equal(await upgradeTo(plain), `${plain} may not be executed`)
  assert.equal(await upgradeTo(ends), 'it ended with exit code 3 before it served')
  assert.equal(await upgradeTo(other), 'it ended with exit code 4 before it served')
  assert.equal(await upgradeTo(hangs, 300), 'it does not serve within 0.3 s, and was ended')
  program.write({
    ...CONFIG,
    listeners: { ...CONFIG.listeners, other: { address: '127.0.0.1:0' }, web: { address: 7 } },
  })
  assert.match(
    await upgrading.failedUpgrade(),
    /^it ended with exit code 1: listener "web": address: /,
  )
  program.write({ ...CONFIG, admin: { socket: 'here' } })
  const refused = await upgrading.failedUpgrade()
  assert.match(refused, /^it ended with exit code 1: .*sluice\.json:\d+:\d+: .*admin\.socket/)

  const client = await openClient(t, program.port)
  assert.equal((await client.ask(get('/'))).status, 200)
  assert.equal((await program.ask('/readyz')).status, 200)
  assert.equal(upgrading.pid(), program.pid)
})

test('an upgrade works after one that failed', async (t) => {
  const program = await startProgram(t, CONFIG)
  const upgrading = watchUpgrades(t, program)
  program.write({ ...CONFIG, admin: { socket: 'here' } })
  await upgrading.failedUpgrade()
  program.write(CONFIG)

  const next = await upgrading.upgrade()
  const client = await openClient(t, program.port)

  assert.notEqual(next, program.pid)
  assert.equal((await client.ask(get('/'))).status, 200)
})

/** A program of one line. */
function script(folder: Program['folder'], name: string, line: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  return path
}
