/**
 * A service of a real Swarm that scales by labels alone: from zero for the first request, up under ten times the load, and back down to
 * zero after it. Sluice runs beside the engine, which needs no image of it. `SLUICE_TEST_WHOLE=1` keeps the load for a minute, with
 * the windows that a user has.
 */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import type { Scale } from '../../src/client/state.ts'
import { connectClient } from '../support/client.ts'
import { IMAGE, nodeIn } from '../support/docker-engine.ts'
import { startNetworkedEngine } from '../support/docker-networks.ts'
import { startLoad } from '../support/load.ts'
import { startProgram, type Program } from '../support/program.ts'
import { eventually } from '../support/until.ts'

type Backend = Scale['backends'][number]

const IS_WHOLE = process.env['SLUICE_TEST_WHOLE'] === '1'
const LOAD_MS = IS_WHOLE ? 60_000 : 15_000
const QUIET_BEFORE_MS = IS_WHOLE ? 20_000 : 6_000
const TIMES = IS_WHOLE
  ? { stableWindow: '60s', downDelay: '15s', zero: { idle: '20s', grace: '10s' } }
  : { stableWindow: '10s', downDelay: '5s', zero: { idle: '5s', grace: '2s' } }
/** Requests in flight of one replica, of which 70 % are aimed at. */
const TARGET = 5
const UP_WITHIN_MS = 6_000
const BACK_WITHIN_MS = 300_000
const REQUEST = 'GET / HTTP/1.1\r\nHost: web.test\r\n\r\n'
/** A tenth of a second for each response. */
const SERVER = `const server = require('node:http').createServer((_, response) =>
  setTimeout(() => response.end('ok'), 100)).listen(8000)
  process.once('SIGTERM', () => server.close())`

const engine = await startNetworkedEngine({ after }, { liveRestore: false })
const { docker } = engine
await docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
await docker('network', 'create', '--driver', 'overlay', 'app')

const LABELS = {
  'sluice.enable': 'true',
  'sluice.host': 'web.test',
  'sluice.port': '8000',
  'sluice.scale.min': '0',
  'sluice.scale.max': '10',
  'sluice.scale.concurrency.target': String(TARGET),
  'sluice.scale.stableWindow': TIMES.stableWindow,
  'sluice.scale.downDelay': TIMES.downDelay,
  'sluice.scale.zero.idle': TIMES.zero.idle,
  'sluice.scale.zero.grace': TIMES.zero.grace,
}

async function createService(t: TestContext): Promise<void> {
  const { args = [], command = [] } = nodeIn(SERVER)
  const mounts = args
    .filter((word) => word.includes(':'))
    .map((word) => word.split(':'))
    .map(([from = '', to = '']) => `type=bind,src=${from},dst=${to},ro`)
  await docker(
    ...['service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', 'web'],
    ...['--replicas', '0', '--network', 'app', '--endpoint-mode', 'dnsrr', '--init'],
    ...mounts.flatMap((mount) => ['--mount', mount]),
    ...Object.entries(LABELS).flatMap(([name, text]) => ['--label', `${name}=${text}`]),
    ...[IMAGE, ...command],
  )
  t.after(() => docker('service', 'rm', 'web'))
}

async function reportOf(program: Program): Promise<Backend | undefined> {
  const { text } = await program.ask('/api/scale')
  return (JSON.parse(text) as Scale).backends.find(({ backend }) => backend === 'web')
}

async function replicas(): Promise<number> {
  const format = '{{.Spec.Mode.Replicated.Replicas}}'
  return Number(await docker('service', 'inspect', '-f', format, 'web'))
}

async function firstRequest(
  port: number,
): Promise<{ readonly status: number; readonly ms: number }> {
  const client = await connectClient(port)
  const begun = performance.now()
  const { status } = await client.ask(REQUEST, 60_000)
  client.socket.destroy()
  return { status, ms: Math.round(performance.now() - begun) }
}

test('a service scales from zero, up under ten times the load, and back to zero, and fails no request', async (t) => {
  await createService(t)
  const program = await startProgram(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    sources: { swarm: { endpoint: `unix://${engine.socket}`, address: 'gateway' } },
  })
  t.after(() => {
    const lines = program.log().filter(({ level, msg }) => level !== 'info' || /scale/.test(msg))
    for (const line of lines) t.diagnostic(JSON.stringify(line))
  })
  await eventually(
    async () => typeof (await reportOf(program))?.observed === 'number',
    'its replicas are known',
  )

  const cold = await firstRequest(program.port)
  const few = startLoad(t, { port: program.port, clients: 2, request: () => REQUEST })
  await passed(QUIET_BEFORE_MS)
  const before = await replicas()
  const begun = performance.now()
  const startedAt = Date.now()
  const many = startLoad(t, { port: program.port, clients: 18, request: () => REQUEST })
  await eventually(async () => (await replicas()) > before, 'it is scaled up')
  const asked = performance.now() - begun
  await eventually(
    async () => ((await reportOf(program))?.ready ?? 0) > before,
    'more of them serve',
  )
  const served = performance.now() - begun
  await passed(LOAD_MS - served)
  const under = await reportOf(program)
  const results = await Promise.all([few.stop(), many.stop()])
  const stopped = performance.now()
  await eventually(
    async () => (await replicas()) < (under?.observed ?? 0),
    'it is scaled down',
    BACK_WITHIN_MS,
  )
  const down = performance.now() - stopped
  await eventually(async () => (await replicas()) === 0, 'it is at zero', BACK_WITHIN_MS)
  const zero = performance.now() - stopped
  const last = await reportOf(program)
  const decisions = last?.decisions ?? []
  const again = await firstRequest(program.port)

  const since = decisions.filter(({ at }) => Date.parse(at) >= startedAt).toReversed()
  t.diagnostic(`first request at zero: ${cold.ms} ms, and after the load ${again.ms} ms`)
  t.diagnostic(
    `from ${before} to ${under?.observed}: told after ${Math.round(asked)} ms, more serve after ${Math.round(served)} ms`,
  )
  t.diagnostic(`down after ${Math.round(down)} ms, at zero after ${Math.round(zero)} ms`)
  t.diagnostic(since.map(({ from, to, reason }) => `${from}->${to} ${reason}`).join(', '))
  t.diagnostic(`responses: ${results.map(({ answered }) => answered).join(' and ')}`)
  assert.ok(since.length >= 3, JSON.stringify(last))
  assert.deepEqual([cold.status, again.status], [200, 200])
  for (const { failures, refused, statuses, answered } of results) {
    assert.deepEqual([failures, refused, statuses], [[], 0, { 200: answered }])
  }
  // How soon they serve after that depends on the machine.
  assert.ok(asked <= UP_WITHIN_MS, `the manager is told only after ${asked} ms`)
  assert.equal(before, 1)
  assert.ok((under?.observed ?? 0) >= 5)
  assert.ok(turnsOf(since) <= 1, 'its direction changes once at most')
  assert.deepEqual(
    since.filter(({ outcome }) => outcome !== 'done'),
    [],
  )
})

/** How often the direction changes. */
function turnsOf(decisions: Backend['decisions']): number {
  return decisions.filter(
    ({ direction }, at) => at > 0 && direction !== decisions[at - 1]?.direction,
  ).length
}
