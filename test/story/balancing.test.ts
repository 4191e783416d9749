// Issue: "Balancing", exact across all workers; the bar "autocannon through two servers with least-connections".
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startLoad, type Report } from '../support/load.ts'
import { value, type Message } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

const CLIENTS = 20

/** Two serving threads; each backend is asked as host `<its id>.test`. */
async function startBalancing(
  t: TestContext,
  backends: Readonly<Record<string, object>>,
): Promise<Program> {
  const frontends = Object.keys(backends).map((id) => [
    id,
    { route: `Host("${id}.test")`, backend: id },
  ])
  return startProgram(t, {
    workers: 2,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends,
    frontends: Object.fromEntries(frontends) as object,
  })
}

function askFor(host: string, method: 'GET' | 'POST' = 'GET'): string {
  const rest = method === 'GET' ? '\r\n' : 'Content-Length: 4\r\n\r\nbody'
  return `${method} / HTTP/1.1\r\nHost: ${host}.test\r\n${rest}`
}

/** Over connections that spread over both threads. */
function load(
  t: TestContext,
  { port }: Program,
  total: number,
  request: () => string,
): Promise<Report> {
  return startLoad(t, { port, clients: CLIENTS, request, total }).ended()
}

test('weights are kept exactly, whichever thread takes a request', async (t) => {
  const [heavy, light, other] = await Promise.all([
    startNamed(t, 'heavy'),
    startNamed(t, 'light'),
    startNamed(t, 'other'),
  ])
  const program = await startBalancing(t, {
    turns: { servers: { h: { url: heavy.url, weight: 3 }, l: light.url, o: other.url } },
  })

  const report = await load(t, program, 1_000, () => askFor('turns'))

  assert.deepEqual(report.statuses, { 200: 1_000 })
  assert.deepEqual(
    [heavy, light, other].map((server) => server.requests()),
    [600, 200, 200],
  )
})

test('least-connections gives a server ten times as slow less than 15 %', async (t) => {
  const total = 500
  const [fast, slow] = await Promise.all([startNamed(t, 'fast', 50), startNamed(t, 'slow', 500)])
  const program = await startBalancing(t, {
    least: { balance: 'least-connections', servers: { f: fast.url, s: slow.url } },
  })

  const report = await load(t, program, total, () => askFor('least'))

  const share = slow.requests() / total
  t.diagnostic(`the slow server got ${(share * 100).toFixed(1)} %`)
  assert.deepEqual(report.statuses, { 200: total })
  assert.ok(share > 0 && share < 0.15, `the slow server got ${share}`)
})

test('a server that refuses connections costs no request, and is back in turn once it listens', async (t) => {
  const alive = await startNamed(t, 'alive')
  const port = await choosePort()
  const program = await startBalancing(t, {
    pair: {
      // Requests that come at once may fail five times in a row before the first of them makes it rest.
      ejection: { time: '1s', longest: '1s' },
      servers: { alive: alive.url, down: `http://127.0.0.1:${port}` },
    },
  })

  let turn = 0
  const request = (): string => askFor('pair', turn++ % 3 === 0 ? 'POST' : 'GET')
  const report = await load(t, program, 400, request)
  const steady = startLoad(t, { port: program.port, clients: 4, request, pauseMs: 5 })
  const back = await startNamed(t, 'back', 0, port)
  await eventually(() => back.requests() > 20, 'the server is asked again')
  const after = await steady.stop()

  assert.deepEqual(report.statuses, { 200: 400 })
  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(after.statuses), ['200'])
  assert.deepEqual(after.failures, [])
})

test('without a server that can be had, the response is 503 or 502 and names the reason', async (t) => {
  const program = await startBalancing(t, {
    none: { servers: {} },
    down: { servers: { d: `http://127.0.0.1:${await choosePort()}` } },
  })
  const client = await openClient(t, program.port)

  const none = await client.ask(askFor('none'))
  const down = await client.ask(askFor('down'))

  assert.equal(none.status, 503)
  assert.equal(
    value(none, 'proxy-status'),
    'sluice; error=destination_unavailable; details="no server"',
  )
  assert.equal(down.status, 502)
  assert.equal(
    value(down, 'proxy-status'),
    'sluice; error=connection_refused; details="connect refused"',
  )
})

test('a server gets no more connections than its limit, over all threads', async (t) => {
  const origin = await startOrigin(t, () => {})
  const program = await startBalancing(t, {
    two: { limits: { connections: 2 }, servers: { only: origin.url } },
  })
  const clients = await Promise.all(Array.from({ length: 12 }, () => openClient(t, program.port)))

  for (const client of clients) client.send(askFor('two'))
  const refused: Message[] = []
  await eventually(() => {
    for (const client of clients) {
      const response = client.poll()
      if (response !== null) refused.push(response)
    }
    return refused.length >= 10
  }, 'ten of twelve are refused')
  const atLimit = origin.open()
  for (const { connection } of origin.requests) connection.write(OK)
  const served: Message[] = []
  await eventually(() => {
    for (const client of clients) {
      const response = client.poll()
      if (response !== null) served.push(response)
    }
    return served.length >= 2
  }, 'the other two are answered')

  assert.equal(atLimit, 2)
  for (const { line, fields } of refused) {
    assert.match(line, / 503 /)
    assert.match(value({ fields }, 'proxy-status') ?? '', /error=connection_limit_reached/)
  }
  assert.deepEqual(
    served.map(({ line }) => line),
    ['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK'],
  )
})

test('a connection that lies idle in one thread does not use up the limit of another', async (t) => {
  const server = await startNamed(t, 'only')
  const program = await startBalancing(t, {
    one: { limits: { connections: 1 }, servers: { only: server.url } },
  })

  // One after another: the server is idle each time.
  const statuses: number[] = []
  for (let turn = 0; turn < 16; turn++) {
    const client = await openClient(t, program.port)
    statuses.push((await client.ask(askFor('one'))).status)
  }

  assert.deepEqual(new Set(statuses), new Set([200]))
})
