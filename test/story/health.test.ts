// Issue: "Active health checks": each change of a state is logged once, counted, and visible; ejection needs no probes.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import { parseExposition } from '../support/exposition.ts'
import { startLoad } from '../support/load.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type LogLine, type Program } from '../support/program.ts'
import { startNamed, startServing, type NamedServer } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

const PROBE = '/healthz'
/** A busy machine may need several rounds of probes. */
const PATIENCE_MS = 60_000

/** Every request gets 200; a probe gets 503 if `unwell` has the name. */
function startProbed(
  t: TestContext,
  name: string,
  unwell: ReadonlySet<string>,
): Promise<NamedServer> {
  return startServing(t, name, 0, ({ url }, response) => {
    response.statusCode = url === PROBE && unwell.has(name) ? 503 : 200
    response.setHeader('X-Server', name)
    response.end(name)
  })
}

async function startWatched(
  t: TestContext,
  workers: number,
  servers: readonly NamedServer[],
  backend: object,
): Promise<Program> {
  const declared = servers.map(({ name, url }) => [name, { url }])
  return startProgram(t, {
    workers,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: { vote: { ...backend, servers: Object.fromEntries(declared) as object } },
    frontends: { vote: { route: 'Host("vote.test")', backend: 'vote' } },
  })
}

/** Responses by status. */
async function load(
  t: TestContext,
  { port }: Program,
  total: number,
): Promise<Readonly<Record<string, number>>> {
  const request = (): string => 'GET / HTTP/1.1\r\nHost: vote.test\r\n\r\n'
  const { statuses } = await startLoad(t, { port, clients: 4, request, total }).ended()
  return statuses
}

async function reportOf(program: Program, id: string): Promise<ServerReport> {
  const { text } = await program.ask('/api/servers?backend=vote')
  const reports = JSON.parse(text) as readonly ServerReport[]
  const report = reports.find((one) => one.id === id)
  assert.ok(report !== undefined, text)
  return report
}

/** The log has the line this many times. */
async function becomes(
  program: Program,
  { name, url }: NamedServer,
  state: string,
  times = 1,
): Promise<ServerReport> {
  const line = `server ${url} of backend "vote" is ${state}`
  await program.until(() => logged(program, line).length >= times, line, PATIENCE_MS)
  return await reportOf(program, name)
}

function logged(program: Program, what: string): readonly LogLine[] {
  return program.log().filter(({ msg }) => msg.includes(what))
}

for (const workers of [0, 2]) {
  test(`a health check takes a server out and back, with ${workers} workers`, async (t) => {
    const unwell = new Set<string>()
    const servers = await Promise.all(['a', 'b'].map((name) => startProbed(t, name, unwell)))
    const [a, b] = servers
    assert.ok(a !== undefined && b !== undefined)
    const health = { path: PROBE, interval: '20ms', fall: 2, rise: 2 }
    const program = await startWatched(t, workers, servers, { health })
    await becomes(program, a, 'up')
    await becomes(program, b, 'up')

    unwell.add('a')
    const down = await becomes(program, a, 'down')
    const requests = b.requests()
    assert.deepEqual(await load(t, program, 40), { 200: 40 })

    assert.ok(b.requests() - requests >= 40, 'all go to the other')
    assert.deepEqual([down.state, down.admit], ['down', 0])
    assert.equal(down.reason, `GET ${PROBE} returned 503, expected 200-399`)
    const series = parseExposition((await program.ask('/metrics')).text)
    const labels = `backend="vote",server="${a.url}"`
    assert.equal(series.get(`sluice_server_state{state="down",${labels}}`), 1)
    assert.equal(series.get(`sluice_server_up{${labels}}`), 0)
    assert.equal(series.get(`sluice_server_state_changes_total{to="down",${labels}}`), 1)
    unwell.delete('a')
    assert.equal((await becomes(program, a, 'up', 2)).state, 'up')
    const lines = logged(program, `server ${a.url} of backend "vote" is down`)
    assert.deepEqual(
      lines.map(({ level, state }) => [level, state]),
      [['warn', 'down']],
    )
    assert.equal(logged(program, `server ${a.url} of backend "vote" is up`).length, 2)
    program.signal('SIGTERM')
    assert.equal((await program.ended()).code, 0)
  })
}

test('a server that resets what it is sent is ejected by its requests, and comes back', async (t) => {
  const well = await startNamed(t, 'well')
  let isBroken = true
  const broken = await startServing(t, 'broken', 0, (request, response) => {
    if (isBroken) request.socket.destroy()
    else response.end('broken')
  })
  const ejection = { failures: 3, time: '5s' }
  const program = await startWatched(t, 2, [well, broken], { ejection })

  const deadline = performance.now() + PATIENCE_MS
  while (logged(program, 'is ejected').length === 0) {
    await load(t, program, 20)
    assert.ok(performance.now() < deadline, 'it is ejected')
  }
  const ejected = await reportOf(program, 'broken')
  const before = broken.requests()
  assert.deepEqual(await load(t, program, 40), { 200: 40 })

  assert.match(logged(program, 'is ejected')[0]?.msg ?? '', /gateway failures in a row; for 5 s$/)
  assert.deepEqual([ejected.state, ejected.admit, ejected.ejections], ['ejected', 0, 1])
  assert.equal(broken.requests(), before)
  isBroken = false
  await becomes(program, broken, 'up')
  assert.deepEqual(await load(t, program, 40), { 200: 40 })
  assert.ok(broken.requests() > before)
})

test('a program that was stopped for a while takes no server out when it goes on', async (t) => {
  const slow = await Promise.all(['a', 'b', 'c', 'd'].map((name) => startNamed(t, name, 150)))
  const program = await startWatched(t, 2, slow, {
    ejection: { failures: 1 },
    timeouts: { firstByte: '1s' },
    retry: { attempts: 1 },
    health: { path: PROBE, interval: '1s', timeout: '1s', fall: 1 },
  })
  for (const server of slow) await becomes(program, server, 'up')
  const request = (): string => 'GET / HTTP/1.1\r\nHost: vote.test\r\n\r\n'
  const traffic = startLoad(t, { port: program.port, clients: 16, request, total: 200 })

  await eventually(() => slow.some((server) => server.requests() > 0), 'requests are under way')
  program.signal('SIGSTOP')
  // Longer than the time limits, which in turn are long enough for a busy machine.
  await delay(2_500)
  program.signal('SIGCONT')
  const { statuses } = await traffic.ended()

  assert.ok((statuses[200] ?? 0) > 100, JSON.stringify(statuses))
  assert.deepEqual([...logged(program, 'is ejected'), ...logged(program, 'is down')], [])
})
