// Issue: systemd's socket activation and Type=notify, with a fake systemd (test/support/fake-systemd.ts).
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openClient } from '../support/client.ts'
import { createFakeSystemd, openSocket, type OpenedSocket } from '../support/fake-systemd.ts'
import { makeFolder, startProgram, toText } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'
import { watchUpgrades } from '../support/upgrading.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const HERE = { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } }

test('sockets of systemd are served, by name and by address, also what waits in them', async (t) => {
  const [named, placed] = [await openSocket(), await openSocket()]
  const folder = makeFolder(t)
  const config = {
    workers: 2,
    listeners: {
      web: { address: '127.0.0.1:0' },
      plain: { address: `127.0.0.1:${placed.port}` },
    },
    frontends: HERE,
  }

  activate(t, folder, config, [named, placed], 'web:sluice.socket')
  // The program has only begun to start.
  const early = await openClient(t, named.port)

  assert.equal((await early.ask(get('/'))).status, 200)
  const late = await openClient(t, placed.port)
  assert.equal((await late.ask(get('/'))).status, 200)
})

test('systemd learns when the program is ready, reloads, is upgraded and stops', async (t) => {
  const systemd = createFakeSystemd(makeFolder(t), { WATCHDOG_USEC: '500000' })
  const program = await startProgram(
    t,
    { workers: 1, drain: '1s', listeners: { web: { address: '127.0.0.1:0' } }, frontends: HERE },
    { env: systemd.env },
  )
  const upgrading = watchUpgrades(t, program)
  const said = (line: string): number =>
    systemd.messages().findIndex((lines) => lines.includes(line))
  await eventually(() => said('READY=1') >= 0, 'it is ready')
  await eventually(() => said('WATCHDOG=1') >= 0, 'the watchdog is fed')

  program.signal('SIGHUP')
  await eventually(() => said('RELOADING=1') >= 0, 'it reloads')
  const next = await upgrading.upgrade()
  await eventually(() => said(`MAINPID=${next}`) >= 0, 'the main process is another one')
  assert.equal(said('STOPPING=1'), -1)
  process.kill(next, 'SIGTERM')
  await eventually(() => said('STOPPING=1') >= 0, 'it stops')

  const main = systemd.messages().find((lines) => lines.includes('RELOADING=1'))
  assert.match(main?.[1] ?? '', /^MONOTONIC_USEC=\d+$/)
})

/** Starts the program as systemd does: with its own process id in LISTEN_PID. */
function activate(
  t: TestContext,
  folder: string,
  config: object,
  sockets: readonly OpenedSocket[],
  names: string,
): void {
  const path = join(folder, 'sluice.json')
  writeFileSync(path, toText(config))
  const words = [
    'export LISTEN_PID=$$; exec "$@"',
    'sh',
    process.execPath,
    MAIN,
    'serve',
    '--config',
    path,
  ]
  const child = spawn('sh', ['-c', ...words], {
    env: { ...process.env, LISTEN_FDS: String(sockets.length), LISTEN_FDNAMES: names },
    stdio: ['ignore', 'ignore', 'inherit', ...sockets.map(({ fd }) => fd)],
  })
  for (const socket of sockets) socket.close()
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.kill('SIGKILL')) await ended
  })
}
