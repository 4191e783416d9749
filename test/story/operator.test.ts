// Issue: "What the operator sees": access log, Proxy-Status, /metrics, /healthz, /v2/status, /api/table.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { openClient, type ReceivedResponse } from '../support/client.ts'
import { parseExposition, type Samples } from '../support/exposition.ts'
import { startLoad } from '../support/load.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'

/** Each asked once, in this order: the request, its status, the reason in the log, the error of Proxy-Status. */
const REQUESTS: readonly (readonly [string, number, string | null, string | null])[] = [
  ['GET /good?q=1 HTTP/1.1\r\nHost: a.test\r\n\r\n', 200, null, null],
  ['POST /good HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody', 200, null, null],
  ['GET /respond HTTP/1.1\r\nHost: a.test\r\n\r\n', 403, 'RESPOND', null],
  ['GET /redirect HTTP/1.1\r\nHost: a.test\r\n\r\n', 308, 'REDIRECT', null],
  ['GET /none HTTP/1.1\r\nHost: a.test\r\n\r\n', 503, 'NO_SERVER', 'destination_unavailable'],
  ['GET /down HTTP/1.1\r\nHost: a.test\r\n\r\n', 502, 'CONNECT_REFUSED', 'connection_refused'],
  ['GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n', 404, 'NO_ROUTE', 'destination_not_found'],
  ['GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n', 400, 'BAD_REQUEST_LINE', 'http_request_error'],
  [
    'GET /good HTTP/1.1\r\nHost: a.test\r\nUser-Agent: \x9b2J"\\\xff</script>\r\n\r\n',
    200,
    null,
    null,
  ],
  [
    'GET /good HTTP/1.1\r\nHost: a.test\r\nX: \x1b[2J\r\n\r\n',
    400,
    'BAD_FIELD',
    'http_request_error',
  ],
]

async function startLogging(t: TestContext, access: 'json' | 'combined'): Promise<Program> {
  const server = await startNamed(t, 'server')
  const down = await choosePort()
  return startProgram(
    t,
    {
      workers: 2,
      log: { access, path: 'unused' },
      listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
      backends: {
        good: { servers: { only: server.url } },
        none: { servers: {} },
        down: { servers: { only: `http://127.0.0.1:${down}` } },
      },
      frontends: {
        good: { route: 'Host("a.test") && PathPrefix("/good")', backend: 'good' },
        none: { route: 'Path("/none")', backend: 'none' },
        down: { route: 'Path("/down")', backend: 'down' },
        respond: { route: 'Path("/respond")', respond: { status: 403 } },
        redirect: { route: 'Path("/redirect")', redirect: { to: '/good' } },
      },
    },
    { args: ['--log-path', 'stdout'] },
  )
}

/** Asks them all, and gives the lines of the access log. */
async function askAll(t: TestContext, program: Program): Promise<readonly string[]> {
  const responses: ReceivedResponse[] = []
  for (const [request] of REQUESTS) {
    const client = await openClient(t, program.port)
    responses.push(await client.ask(request))
    client.end()
  }
  for (const [at, [request, status, , error]] of REQUESTS.entries()) {
    const response = responses[at]
    assert.equal(response?.status, status, request)
    const said = response === undefined ? null : value(response, 'proxy-status')
    if (error === null) assert.equal(said, null)
    else assert.match(said ?? '', new RegExp(`^sluice; error=${error}; details="`))
  }
  program.signal('SIGTERM')
  const { output } = await program.ended()
  assert.match(output, /^[\n\x20-\x7e]*$/, 'nothing but printable ASCII reaches the terminal')
  return output
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('{"level":'))
}

test('the access log has one line of JSON for each request, with the reason of our local responses', async (t) => {
  const program = await startLogging(t, 'json')

  const lines = await askAll(t, program)

  const records = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  records.sort((one, other) => String(one['time']).localeCompare(String(other['time'])))
  assert.deepEqual(
    records.map(({ status, reason }) => `${String(status)} ${String(reason)}`).sort(),
    REQUESTS.map(([, status, reason]) => `${status} ${String(reason)}`).sort(),
  )
  const [first] = records
  assert.deepEqual(
    ['frontend', 'backend', 'listener', 'method', 'host', 'path', 'protocol', 'client_ip'].map(
      (name) => first?.[name],
    ),
    ['good', 'good', 'web', 'GET', 'a.test', '/good?q=1', 'HTTP/1.1', '127.0.0.1'],
  )
  assert.ok(records.some((record) => record['user_agent'] === '\x9b2J"\\\xff</script>'))
  assert.ok(records.some((record) => record['bytes_in'] === 4))
})

test('the combined access log keeps hostile bytes from the terminal', async (t) => {
  const program = await startLogging(t, 'combined')

  const lines = await askAll(t, program)

  assert.equal(lines.length, REQUESTS.length)
  for (const line of lines) {
    assert.match(
      line,
      /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "(?:[^"\\]|\\.)*" \d{3} (?:\d+|-) "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*" "[A-Z_-]+"$/,
    )
  }
  const hostile = lines.find((line) => line.includes('script'))
  assert.match(hostile ?? '', /"\\x9b2J\\"\\\\\\xff<\/script>" "-"$/)
})

const CLIENTS = 12

test('the metrics agree with the requests that were made, over all threads', async (t) => {
  const [one, two] = await Promise.all([startNamed(t, 'one'), startNamed(t, 'two')])
  const listeners = { web: { address: `127.0.0.1:${await choosePort()}` } }
  const pair = { servers: { one: one.url, two: two.url } }
  const config = {
    workers: 2,
    listeners,
    backends: { pair },
    frontends: {
      pair: { route: 'Path("/pair")', backend: 'pair' },
      own: { route: 'Path("/own")', respond: { status: 403 } },
    },
  }
  const program = await startProgram(t, config)
  const paths = ['/pair', '/pair', '/own', '/lost']
  let turn = 0

  const report = await startLoad(t, {
    port: program.port,
    clients: CLIENTS,
    total: 800,
    request: () => `GET ${paths[turn++ % 4]} HTTP/1.1\r\nHost: a.test\r\n\r\n`,
  }).ended()
  const samples = await scrape(program, (found) => {
    return found.get('sluice_connections{listener="web"}') === 0
  })

  assert.deepEqual(report.statuses, { 200: 400, 403: 200, 404: 200 })
  const of = (name: string): number | undefined => samples.get(name)
  assert.equal(of('sluice_requests_total{code="2xx",frontend="pair"}'), 400)
  assert.equal(of('sluice_requests_total{code="4xx",frontend="own"}'), 200)
  assert.equal(of('sluice_answers_total{reason="NO_ROUTE"}'), 200)
  assert.equal(of('sluice_answers_total{reason="RESPOND"}'), 200)
  assert.equal(of('sluice_request_duration_seconds_count{frontend="pair"}'), 400)
  assert.equal(of('sluice_request_duration_seconds_bucket{le="+Inf",frontend="pair"}'), 400)
  assert.equal(of('sluice_in_flight_requests{frontend="pair"}'), 0)
  for (const server of [one, two]) {
    const labels = `backend="pair",server="${server.url}"`
    assert.equal(of(`sluice_server_requests_total{code="2xx",${labels}}`), 200)
    assert.equal(of(`sluice_server_in_flight_requests{${labels}}`), 0)
    assert.equal(server.requests(), 200)
  }
  assert.equal(of('sluice_connections_accepted_total{listener="web"}'), CLIENTS)
  assert.equal(of('sluice_workers{state="running"}'), 2)
  assert.equal(of('sluice_table_revision'), 1)

  program.write({ ...config, backends: {}, frontends: { own: config.frontends.own } })
  const after = await scrape(program, (found) => found.get('sluice_table_revision') === 2)
  const names = [...after.keys()]
  assert.deepEqual(
    names.filter((name) => name.includes('"pair"')),
    [],
  )
  assert.ok(names.some((name) => name.includes('frontend="own"')))
})

/** Asks until the condition holds: what a request counts is counted a moment after its response. */
async function scrape(program: Program, look: (samples: Samples) => boolean): Promise<Samples> {
  const deadline = performance.now() + 5_000
  for (;;) {
    const samples = parseExposition((await program.ask('/metrics')).text)
    if (look(samples)) return samples
    assert.ok(performance.now() < deadline, 'the metrics do not come to agree')
  }
}

test('the admin shows its state and the table with its sources, but no private key', async (t) => {
  const authority = createAuthority(t)
  const { keyPath, certPath } = authority.issue('a.test')
  const secret = readFileSync(keyPath, 'utf8').split('\n')[1] ?? ''
  const program = await startProgram(t, {
    workers: 1,
    listeners: {
      web: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert: certPath, key: keyPath }] },
      },
    },
    backends: { one: { servers: { only: 'http://127.0.0.1:9' } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'one' } },
  })

  const [health, ready, status, table] = await Promise.all(
    ['/healthz', '/readyz', '/v2/status', '/api/table'].map((path) => program.ask(path)),
  )

  assert.deepEqual([health?.status, ready?.status], [200, 200])
  assert.deepEqual(JSON.parse(status?.text ?? ''), { Status: 'ok' })
  const { objects, sources } = JSON.parse(table?.text ?? '') as {
    objects: { kind: string; id: string; source: string; key: string; revision: string }[]
    sources: { name: string; state: string; revision: string }[]
  }
  assert.deepEqual(
    sources.map(({ name, state }) => [name, state]),
    [
      ['file', 'live'],
      ['store', 'live'],
    ],
  )
  const file = join(program.folder, 'sluice.json')
  assert.deepEqual(
    objects.map(({ kind, id, source, key, revision }) => [kind, id, source, key, revision]),
    [
      ['listener', 'web', 'file', `${file}#/listeners/web`, sources[0]?.revision],
      ['backend', 'one', 'file', `${file}#/backends/one`, sources[0]?.revision],
      ['frontend', 'all', 'file', `${file}#/frontends/all`, sources[0]?.revision],
    ],
  )
  assert.ok(secret.length > 40)
  assert.ok(!(table?.text ?? '').includes(secret))
  assert.ok(!program.output().includes(secret))
})
