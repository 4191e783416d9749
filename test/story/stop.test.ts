// Issue: "SIGTERM: stop accepting, finish what is in flight (limit 30 s), say Connection: close, exit 0".
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startLoad } from '../support/load.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { askAdmin, makeFolder, startProgram, toText, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

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

test('SIGTERM under load fails no request and closes every connection with `Connection: close`', async (t) => {
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

for (const workers of [0, 2]) {
  test(`with workers: ${workers}, a drain that takes too long ends what is in flight, with its reason`, async (t) => {
    const log = { access: 'json' }
    const { origin, program, client } = await startHanging(t, { workers, drain: '1s', log })
    const begun = await openClient(t, program.port)
    begun.send(get('/begun'))
    const { connection } = await origin.request(2)
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')
    await eventually(() => begun.received() > 0, 'the response has begun')

    const endedAt = performance.now()
    program.signal('SIGTERM')
    const response = await client.readResponse()
    const { code, output } = await program.ended()
    const tookMs = performance.now() - endedAt

    assert.equal(code, 0)
    assert.ok(tookMs > 950 && tookMs < 4_000, `it took ${tookMs} ms`)
    assert.deepEqual([response.status, value(response, 'connection')], [503, 'close'])
    assert.notEqual(await begun.closed(), null)
    assert.match(output, /the drain took too long/)
    const records = [...output.matchAll(/"path":"([^"]+)".*"status":(\d+).*"reason":"(\w+)"/g)]
    assert.deepEqual(records.map((record) => record.slice(1).join(' ')).sort(), [
      '/begun 200 DRAINED',
      '/slow 503 DRAINED',
    ])
  })
}

test('standard output whose reader has stopped does not hold up the end', async (t) => {
  const [admin, port] = [await choosePort(), await choosePort()]
  const path = join(makeFolder(t), 'sluice.json')
  const listeners = { web: { address: `127.0.0.1:${port}` } }
  const log = { access: 'json' }
  writeFileSync(
    path,
    toText({ admin: { address: `127.0.0.1:${admin}` }, drain: '1s', log, listeners }),
  )
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  const isReady = (): Promise<boolean> =>
    askAdmin(admin, '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    )
  while (!(await isReady())) await passed(50)
  // More than a pipe holds.
  const client = await openClient(t, port)
  for (let sent = 0; sent < 40; sent++) {
    client.send(get(`/${'x'.repeat(4000)}`))
    await client.readResponse()
  }

  child.kill('SIGTERM')

  assert.deepEqual(await ended, [0, null])
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
