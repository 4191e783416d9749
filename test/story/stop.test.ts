// Issue: "SIGTERM: stop accepting, finish what is in flight (limit 30 s), say Connection: close, exit 0".
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startLoad } from '../support/load.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'

async function startFor(t: TestContext, url: string, settings: object = {}): Promise<Program> {
  return startProgram(t, {
    workers: 2,
    ...settings,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: { one: { servers: { only: url } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'one' } },
  })
}

/** A program with a request in flight that its server has not answered yet. */
async function startHanging(t: TestContext, settings: object): Promise<Hanging> {
  const origin = await startOrigin(t, () => {})
  const program = await startFor(t, origin.url, settings)
  const client = await openClient(t, program.port)
  client.send(get('/slow'))
  await origin.request(1)
  return { origin, program, client }
}

interface Hanging {
  readonly origin: Origin
  readonly program: Program
  readonly client: Awaited<ReturnType<typeof openClient>>
}

test('SIGTERM under load fails no request and tells every client to close', async (t) => {
  const clients = 16
  const server = await startNamed(t, 'server', 5)
  const program = await startFor(t, server.url)
  const load = startLoad(t, { port: program.port, clients, request: () => get('/'), pauseMs: 10 })
  await load.more(200)

  program.signal('SIGTERM')
  const report = await load.ended()
  const { code, signal, errors } = await program.ended()

  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
  assert.equal(report.goodbyes, clients)
  assert.deepEqual([code, signal, errors], [0, null, ''])
  assert.equal(report.answered, server.requests())
})

test('a drain finishes what is in flight, takes nothing new and is not ready meanwhile', async (t) => {
  const { origin, program, client } = await startHanging(t, {})

  program.signal('SIGTERM')
  await program.logged('draining')
  const ready = await program.ask('/readyz')
  const alive = await program.ask('/healthz')
  await assert.rejects(openClient(t, program.port), { code: 'ECONNREFUSED' })
  origin.requests[0]?.connection.write(OK)
  const response = await client.readResponse()
  const { code } = await program.ended()

  assert.equal(ready.status, 503)
  assert.deepEqual(JSON.parse(ready.text), {
    ready: false,
    reason: 'draining',
    notListening: [],
  })
  assert.equal(alive.status, 200)
  assert.deepEqual([response.status, value(response, 'connection')], [200, 'close'])
  assert.equal(code, 0)
})

test('what is in flight for longer than the drain allows is cut', async (t) => {
  const { program, client } = await startHanging(t, { drain: '1s' })

  const began = performance.now()
  program.signal('SIGTERM')
  const { code } = await program.ended()
  const tookMs = performance.now() - began

  assert.equal(code, 0)
  assert.ok(tookMs > 950 && tookMs < 4_000, `it took ${tookMs} ms`)
  assert.notEqual(await client.closed(), null)
  assert.ok(program.log().some(({ msg }) => msg.startsWith('the drain took too long')))
})

test('a second SIGTERM ends it at once', async (t) => {
  const { program } = await startHanging(t, {})

  program.signal('SIGTERM')
  await program.logged('draining')
  const began = performance.now()
  program.signal('SIGTERM')
  const { code } = await program.ended()

  assert.equal(code, 1)
  assert.ok(performance.now() - began < 2_000)
})
