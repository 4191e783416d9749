// Servers of HTTP/2 that fail, as the program meets them: a circuit breaker, too few descriptors, a name with an address that refuses.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { BreakerReport, ServerReport } from '../../src/observe/reports/health-report.ts'
import { connectClient } from '../support/client.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { parseExposition } from '../support/exposition.ts'
import { ERROR, resetFrame } from '../support/http2/frames.ts'
import { connectHttp2Client } from '../support/http2/client.ts'
import { startHttp2Server, type Http2Request } from '../support/http2/server.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { createWatch, eventually } from '../support/until.ts'

const PATIENCE_MS = 30_000

async function startTowards(
  t: TestContext,
  servers: Readonly<Record<string, string>>,
  backend: object,
  { files, ...settings }: { readonly files?: number; readonly resolver?: object } = {},
): Promise<Program> {
  const config = {
    ...settings,
    workers: 1,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: { b: { servers, ...backend } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  }
  return startProgram(t, config, files === undefined ? {} : { files })
}

/** Statuses of as many requests, one after the other, on one connection of HTTP/2. */
async function ask(program: Program, count: number): Promise<readonly number[]> {
  const client = await connectHttp2Client(program.port)
  const statuses: number[] = []
  for (let at = 0; at < count; at++) statuses.push((await client.ask()).status)
  client.socket.destroy()
  return statuses
}

async function report<T>(program: Program, path: string): Promise<readonly T[]> {
  return JSON.parse((await program.ask(path)).text) as readonly T[]
}

const FAILURES: readonly (readonly [what: string, answer: (request: Http2Request) => void])[] = [
  ['5xx', (request) => request.respond({ status: 500 })],
  ['resets', ({ connection, streamId }) => connection.send(resetFrame(streamId, ERROR.internal))],
]

for (const [what, fail] of FAILURES) {
  test(`a breaker trips on the ${what} of one server, and recovers with it`, async (t) => {
    const bad = await startHttp2Server(t, fail)
    const good = await startHttp2Server(t)
    const program = await startTowards(
      t,
      { bad: `h2c://127.0.0.1:${bad.port}`, good: `h2c://127.0.0.1:${good.port}` },
      {
        breaker: {
          condition: 'ResponseCodeRatio(500, 600, 0, 600) > 0.3',
          requests: 5,
          tripped: '2s',
          recovery: '1s',
        },
        retry: { attempts: 1 },
      },
    )
    const isIn = (...states: readonly string[]): Promise<unknown> =>
      eventually(
        async () => {
          const breakers = await report<BreakerReport>(program, '/api/breakers')
          const own = breakers.find(({ server }) => server?.endsWith(`:${bad.port}`) === true)
          return own !== undefined && states.includes(own.state)
        },
        `the breaker is ${states.join(' or ')}`,
        PATIENCE_MS,
      )

    const failing = await ask(program, 16)
    await isIn('tripped')
    const sent = bad.requests.length
    const spared = await ask(program, 20)
    const sentWhileTripped = bad.requests.length - sent
    bad.follow((request) => request.respond())
    await isIn('standby')
    const after = await ask(program, 20)

    assert.ok(failing.some((status) => status === 500 || status === 502))
    // The breaker may have begun to recover on a slow machine, and lets some through.
    assert.ok(sentWhileTripped < 10, `${sentWhileTripped} of 20 requests`)
    assert.ok(spared.filter((status) => status === 200).length > 10)
    assert.deepEqual(new Set(after), new Set([200]))
    // One that resets requests is also passed over for some time after them, also when its breaker is closed.
    if (what === '5xx') assert.ok(bad.requests.length >= sent + sentWhileTripped + 5)
    assert.equal(bad.connections.length, 1)
  })
}

test('too few descriptors are blamed on no server of HTTP/2, and requests go on afterwards', async (t) => {
  const watch = createWatch()
  const held: Http2Request[] = []
  const server = await startHttp2Server(t, (request) => {
    if (request.value(':path') !== '/hold') return request.respond()
    held.push(request)
    watch.changed()
  })
  // A connection for each request: so many descriptors there are not.
  const program = await startTowards(
    t,
    { s: `h2c://127.0.0.1:${server.port}` },
    { http2: { streams: 1 }, retry: { attempts: 1 } },
    { files: 120 },
  )
  await ask(program, 1)
  const statuses: number[] = []
  const clients = await Promise.all(
    Array.from({ length: 110 }, () => connectClient(program.port).catch(() => null)),
  )
  t.after(() => clients.forEach((client) => client?.socket.destroy()))

  const asked = clients.map(async (client) => {
    const response = await client?.ask(get('/hold')).catch(() => null)
    statuses.push(response?.status ?? 0)
    watch.changed()
  })
  await watch.until(
    () => held.length + statuses.length >= clients.length,
    'each is held or has its response',
    PATIENCE_MS,
  )
  for (const request of held) request.respond()
  await Promise.all(asked)
  const during = await report<ServerReport>(program, '/api/servers')
  clients.forEach((client) => client?.socket.destroy())

  const seen = new Set(statuses)
  assert.deepEqual(
    [...seen].filter((status) => ![0, 200, 503].includes(status)),
    [],
  )
  assert.ok(seen.has(200), 'some are served')
  assert.ok(seen.size > 1, 'not all can be served')
  assert.deepEqual(
    during.map(({ state }) => state),
    ['up'],
  )
  await eventually(
    async () => (await ask(program, 3).catch(() => [])).join(' ') === '200 200 200',
    'requests are served as before',
    PATIENCE_MS,
  )
  assert.ok(program.log().some(({ msg }) => msg.startsWith('EMFILE')))
})

test('of a name with several addresses, the one that refuses fails no request', async (t) => {
  const name = 'h2.test'
  const server = await startHttp2Server(t)
  // Nothing listens there at 127.0.0.2.
  const dns = await startDnsServer(t, {
    [name]: { addresses: ['127.0.0.1', '127.0.0.2'], ttl: 60 },
  })
  const resolver = { servers: [dns.address], search: [], timeout: '500ms', attempts: 2 }
  const program = await startTowards(
    t,
    { s: `h2c://${name}:${server.port}` },
    { resolve: 'all' },
    { resolver },
  )
  await eventually(
    async () => (await report<ServerReport>(program, '/api/servers')).length === 2,
    'each address is a server',
  )

  const statuses = await ask(program, 40)
  const client = await connectHttp2Client(program.port)
  t.after(() => client.socket.destroy())
  const posts = await Promise.all(
    Array.from({ length: 20 }, () => client.ask({ method: 'POST', body: 'once' })),
  )

  assert.deepEqual(new Set([...statuses, ...posts.map(({ status }) => status)]), new Set([200]))
  assert.equal(server.requests.length, 60)
  assert.equal(server.connections.length, 1)
  const series = parseExposition((await program.ask('/metrics')).text)
  const refused = series.get(
    `sluice_server_connect_failures_total{backend="b",server="h2c://127.0.0.2:${server.port}"}`,
  )
  assert.ok((refused ?? 0) > 0, `${refused} connections were refused`)
})
