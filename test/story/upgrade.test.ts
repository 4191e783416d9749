// Issue: SIGUSR2 under load with keep-alive, new connections and open WebSockets: 5 upgrades in a row, 0 failed requests,
// 0 refused connections, tunnels kept until `drain` ends.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { test } from 'node:test'
import { startLoad } from '../support/load.ts'
import { choosePort } from '../support/ports.ts'
import { askAdmin, makeFolder, startProgram } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'
import { openTunnel, startEcho, startFollowedHttp2Load } from '../support/upgrade-load.ts'
import { isAlive, watchUpgrades } from '../support/upgrading.ts'

const UPGRADES = 3
const HERE = { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } }

test('upgrades in a row under load fail no request, refuse no connection and keep tunnels', async (t) => {
  const server = await startNamed(t, 'server', 5)
  const echo = await startEcho(t)
  const program = await startProgram(t, {
    workers: 2,
    drain: '60s',
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: {
      one: { servers: { only: server.url }, health: { path: '/' } },
      echo: { servers: { only: echo } },
    },
    frontends: {
      all: { route: 'PathPrefix("/")', backend: 'one' },
      echo: { route: 'Path("/echo")', backend: 'echo' },
    },
  })
  const upgrading = watchUpgrades(t, program)
  const { port } = program
  const load = { port, reconnects: true, pauseMs: 10 }
  const kept = startLoad(t, { ...load, clients: 8, request: () => get('/') })
  const fresh = startLoad(t, { ...load, clients: 4, request: lastGet })
  const modern = startFollowedHttp2Load(t, port)
  const tunnels = [await openTunnel(t, port)]

  for (let at = 0; at < UPGRADES; at++) {
    await Promise.all([kept.more(200), fresh.more(50)])
    await upgrading.upgrade()
    tunnels.push(await openTunnel(t, port))
  }
  await Promise.all([kept.more(200), fresh.more(50)])
  for (const tunnel of tunnels) await tunnel.echoes()
  const [first, second, third] = await Promise.all([kept.stop(), fresh.stop(), modern.stop()])

  t.diagnostic(`${first.answered} kept, ${second.answered} fresh, ${third.answered} of HTTP/2`)
  for (const { failures, refused } of [first, second])
    assert.deepEqual([failures, refused], [[], 0])
  assert.deepEqual(third.failures, [])
  assert.deepEqual(Object.keys(first.statuses), ['200'])
  assert.deepEqual(Object.keys(second.statuses), ['200'])
  assert.deepEqual(third.statuses, ['200'])
  assert.ok(third.goodbyes >= UPGRADES)
  assert.equal(program.log().filter(({ msg }) => msg === 'serving').length, UPGRADES + 1)
})

test('tunnels of the program before end with its drain, and it ends then', async (t) => {
  const echo = await startEcho(t)
  const program = await startProgram(t, {
    workers: 1,
    drain: '2s',
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { echo: { servers: { only: echo } } },
    frontends: { echo: { route: 'Path("/echo")', backend: 'echo' } },
  })
  const upgrading = watchUpgrades(t, program)
  const before = await openTunnel(t, program.port)

  await upgrading.upgrade()
  await before.echoes()
  await before.closed()
  // Connections of the first moments may still be accepted by the program before, and end with it.
  const after = await openTunnel(t, program.port)
  await eventually(() => !isAlive(program.pid), 'the first process has ended')
  await after.echoes()

  assert.ok(program.log().some(({ msg }) => msg.startsWith('the drain took too long')))
})

test('the admin and the data folder follow the upgrade', async (t) => {
  const path = join(makeFolder(t), 'admin.sock')
  const program = await startProgram(t, {
    workers: 1,
    drain: '1s',
    admin: { address: '127.0.0.1:0', socket: path },
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: HERE,
    sources: { more: { kind: 'files', directory: '.' } },
  })
  const upgrading = watchUpgrades(t, program)
  const pidOfAdmin = async (): Promise<number> => {
    const { text } = await askAdmin(program.admin, '/api/process')
    return (JSON.parse(text) as { pid: number }).pid
  }
  const lock = join(program.folder, 'data', 'serve.pid')

  for (let at = 0; at < 2; at++) {
    const before = upgrading.pid()
    const next = await upgrading.upgrade()
    await eventually(() => !isAlive(before), 'the process before has ended')
    await eventually(() => readFileSync(lock, 'utf8') === `${next}\n`, 'the folder is locked anew')
    assert.equal(await pidOfAdmin(), next)
    assert.equal(await pidAt(path), next)
  }
})

/** The process that serves a unix socket. */
async function pidAt(path: string): Promise<number> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath: path, path: '/api/process', agent: false }, resolve)
      .once('error', reject)
      .end()
  })
  const { pid } = (await json(response)) as { pid: number }
  return pid
}

/** A client that opens a connection for each request. */
function lastGet(): string {
  return get('/', 'Connection: close')
}
