// A backend without `health` and with little traffic: what happens to its servers is shown the same everywhere.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import { exchange } from '../support/client.ts'
import { parseExposition } from '../support/exposition.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'

interface Shown {
  readonly report: ServerReport
  /** States that /metrics says 1 for. */
  readonly states: readonly string[]
  readonly up: number | undefined
}

async function shown(program: Program): Promise<Shown> {
  const { text } = await program.ask('/api/servers')
  const [report] = JSON.parse(text) as readonly ServerReport[]
  assert.ok(report !== undefined)
  const series = parseExposition((await program.ask('/metrics')).text)
  const states = [...series].flatMap(([name, value]) =>
    value === 1 ? (/^sluice_server_state\{state="(\w+)"/.exec(name)?.[1] ?? []) : [],
  )
  const labels = `backend="shop",server="${report.url}"`
  return { report, states, up: series.get(`sluice_server_up{${labels}}`) }
}

for (const workers of [0, 1]) {
  test(`one request to a server that refuses is enough to see it, with ${workers} workers`, async (t) => {
    const port = await choosePort()
    const program = await startProgram(t, {
      workers,
      listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
      backends: { shop: { servers: { one: `http://127.0.0.1:${port}` } } },
      frontends: { shop: { route: 'PathPrefix("/")', backend: 'shop' } },
    })
    const name = `server http://127.0.0.1:${port} of backend "shop" is`
    const before = await shown(program)

    const refused = await exchange(t, program.port, get('/'))
    await program.until(() => says(program, `${name} failing`), 'the log has the first failure')
    const failing = await shown(program)
    await startNamed(t, 'one', 0, port)
    const served = await exchange(t, program.port, get('/'))
    await program.until(() => says(program, `${name} up`), 'the log says that it is up again')
    const after = await shown(program)

    assert.deepEqual([before.report.state, before.states, before.up], ['up', ['up'], 1])
    assert.equal(refused.status, 502)
    const { state, reason, since } = failing.report
    assert.deepEqual([state, failing.states, failing.up], ['failing', ['failing'], 0])
    assert.match(reason ?? '', /^connections to it fail: CONNECT_REFUSED; /)
    assert.ok(Date.now() - Date.parse(String(since)) < 10_000)
    assert.equal(served.status, 200)
    assert.deepEqual([after.report.state, after.states, after.up], ['up', ['up'], 1])
    assert.equal(after.report.reason, null)
  })
}

test('a server that takes connections and answers none of them is failing', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.resetAndDestroy())
  })
  const port = await choosePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.after(() => server.close())
  const program = await startProgram(t, {
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: { shop: { servers: { one: `http://127.0.0.1:${port}` }, ejection: { failures: 0 } } },
    frontends: { shop: { route: 'PathPrefix("/")', backend: 'shop' } },
  })

  const response = await exchange(t, program.port, get('/'))
  await program.until(() => says(program, 'is failing: the last'), 'the log has it')
  const { report, states, up } = await shown(program)

  assert.equal(response.status, 502)
  assert.deepEqual([report.state, states, up], ['failing', ['failing'], 0])
  assert.match(
    report.reason ?? '',
    /^the last (?:attempt|\d attempts in a row) failed: SERVER_CLOSED$/,
  )
})

function says(program: Program, what: string): boolean {
  return program.log().some(({ msg }) => msg.includes(what))
}
