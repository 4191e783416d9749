import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemLookup } from '../support/names.ts'
import { checkOf, createProbe, type ProbeResult, type ProbeTarget } from '../../src/health/probe.ts'
import type { Scheme } from '../../src/model/server-url.ts'
import type { HealthCheck } from '../../src/model/snapshot.ts'
import { createAuthority } from '../support/certificates.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { DEFAULT_TLS_TO_SERVERS } from '../support/objects.ts'
import { startProxyReader } from '../support/proxy-reader.ts'
import { eventually } from '../support/until.ts'
import { choosePort } from '../support/ports.ts'

type Http = NonNullable<HealthCheck['http']>

const probe = createProbe('1.2.3', systemLookup)

const http: Http = {
  isDeclared: true,
  method: 'GET',
  path: '/healthz',
  host: null,
  headers: {},
  statuses: [[200, 399]],
  body: null,
}
const check: HealthCheck = {
  http,
  grpc: null,
  port: null,
  intervalMs: 5_000,
  downIntervalMs: 2_000,
  timeoutMs: 2_000,
  rise: 2,
  fall: 3,
  jitter: 0.1,
  waitHealthy: true,
}

interface Place {
  readonly port: number
  readonly host?: string
  readonly scheme?: Scheme
}

function targetAt(
  { port, host = '127.0.0.1', scheme = 'http' }: Place,
  change: Partial<HealthCheck> = {},
  tls: Partial<ProbeTarget['tls']> = {},
): ProbeTarget {
  const url = `${scheme}://${host}:${port}`
  const rest = { weight: 1, backup: false, drain: false, labels: null }
  return {
    server: { id: 's', url, scheme, host, port, ...rest },
    check: { ...check, ...change },
    tls: { ...DEFAULT_TLS_TO_SERVERS, ...tls },
    proxyProtocol: null,
    wire: 'http/1.1',
  }
}

function ask(target: ProbeTarget, signal = new AbortController().signal): Promise<ProbeResult> {
  return probe(target, signal)
}

async function reasonOf(answer: Promise<ProbeResult>): Promise<string> {
  const result = await answer
  assert.ok(!result.ok, 'the probe fails')
  return result.reason
}

/** Its connections are closed with the test. */
async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function startHttp(t: TestContext, answer: RequestListener): Promise<number> {
  return listen(t, createServer(answer))
}

test('an answer with an expected status is well', async (t) => {
  const port = await startHttp(t, (_request, response) => response.end('all of it'))

  const result = await ask(targetAt({ port }))

  assert.ok(result.ok)
  assert.ok(result.tookMs >= 0)
})

test('the Host of a server with a hostname is that name', async (t) => {
  const hosts: (string | undefined)[] = []
  const port = await startHttp(t, ({ headers }, response) => {
    hosts.push(headers.host)
    response.end()
  })
  const target = targetAt({ port })

  const result = await ask({ ...target, server: { ...target.server, hostname: 'app.test' } })

  assert.ok(result.ok)
  assert.deepEqual(hosts, [`app.test:${port}`])
})

test('the request is as declared, and says who asks', async (t) => {
  const seen: unknown[] = []
  const port = await startHttp(t, (request, response) => {
    const { method, url, headers } = request
    seen.push([method, url, headers.host, headers['user-agent'], headers['x-ask']])
    seen.push(headers.connection)
    response.end()
  })
  await ask(targetAt({ port }))
  const headers = { 'X-Ask': 'yes', 'User-Agent': 'mine' }
  await ask(
    targetAt(
      { port },
      { http: { ...http, method: 'HEAD', path: '/up?x=1', host: 'shop.test', headers } },
    ),
  )

  assert.deepEqual(seen, [
    ['GET', '/healthz', `127.0.0.1:${port}`, 'sluice-health/1.2.3', undefined],
    'close',
    ['HEAD', '/up?x=1', 'shop.test', 'mine', 'yes'],
    'close',
  ])
})

test('another status is told with what is expected, and no redirect is followed', async (t) => {
  const port = await startHttp(t, (request, response) => {
    response.writeHead(request.url === '/healthz' ? 503 : 302, { location: '/healthz' }).end()
  })
  const statuses: Http['statuses'] = [
    [200, 299],
    [304, 304],
  ]

  const broken = await reasonOf(ask(targetAt({ port })))
  const moved = await reasonOf(ask(targetAt({ port }, { http: { ...http, path: '/', statuses } })))

  assert.equal(broken, 'GET /healthz returned 503, expected 200-399')
  assert.equal(moved, 'GET / returned 302, expected 200-299, 304')
})

test('both ends of a range of statuses are in it', async (t) => {
  let status = 0
  const port = await startHttp(t, (_request, response) => response.writeHead(status).end())
  const target = targetAt({ port }, { http: { ...http, statuses: [[200, 204]] } })
  const well: boolean[] = []
  for (status of [200, 204, 205]) well.push((await ask(target)).ok)

  assert.deepEqual(well, [true, true, false])
})

test('the body is looked through where a pattern is wanted', async (t) => {
  const port = await startHttp(t, (_request, response) => response.end('{"state":"ready"}'))

  const found = await ask(targetAt({ port }, { http: { ...http, body: '"state":\\s*"ready"' } }))
  const missing = await reasonOf(ask(targetAt({ port }, { http: { ...http, body: '^ready' } })))

  assert.ok(found.ok)
  assert.equal(missing, 'GET /healthz returned 200, but its body does not match ^ready')
})

test('of an endless body no more is read than is looked through', async (t) => {
  const chunk = 'x'.repeat(16_384)
  const closed: unknown[] = []
  const port = await startHttp(t, (_request, response) => {
    const more = (): void => {
      while (response.write(chunk));
    }
    response.on('drain', more)
    response.on('close', () => closed.push(null))
    more()
  })

  const wanted = await reasonOf(ask(targetAt({ port }, { http: { ...http, body: 'y' } })))
  const unwanted = await ask(targetAt({ port }))

  assert.match(wanted, /does not match y$/)
  assert.ok(unwanted.ok)
  await eventually(() => closed.length === 2, 'both connections end')
})

test('a pattern is found up to 64 KiB and not behind', async (t) => {
  const port = await startHttp(t, (request, response) => {
    response.end('x'.repeat(request.url === '/in' ? 65_535 : 65_536) + 'y')
  })
  const at = (path: string): ProbeTarget =>
    targetAt({ port }, { http: { ...http, path, body: 'y' } })

  assert.deepEqual([(await ask(at('/in'))).ok, (await ask(at('/behind'))).ok], [true, false])
})

test('a server of streams is only connected if its check declares no request', async (t) => {
  const port = await listen(
    t,
    createTcpServer((socket) => socket.resume().end()),
  )
  const reasonAt = async (scheme: Scheme, isDeclared: boolean): Promise<string | null> => {
    const target = targetAt({ port, scheme }, { http: { ...http, isDeclared } })
    const result = await ask({ ...target, check: checkOf(target.server, target.check) })
    return result.ok ? null : result.reason
  }

  assert.deepEqual([await reasonAt('tcp', false), await reasonAt('tls', false)], [null, null])
  assert.match(String(await reasonAt('tcp', true)), /^GET \/healthz got no complete response/)
  assert.match(String(await reasonAt('http', false)), /^GET \/healthz got no complete response/)
})

test('a port without a listener is told apart', async () => {
  const port = await choosePort()

  const byHttp = await reasonOf(ask(targetAt({ port })))
  const byTcp = await reasonOf(ask(targetAt({ port }, { http: null })))

  for (const reason of [byHttp, byTcp]) {
    assert.match(reason, new RegExp(`^cannot connect to 127.0.0.1:${port}: .*ECONNREFUSED`))
  }
})

test('a name that has no address is told', async () => {
  const reason = await reasonOf(ask(targetAt({ host: 'nobody.invalid', port: 80 })))

  assert.match(reason, /^cannot connect to nobody.invalid:80: /)
})

test('a server that hangs up, talks nonsense or breaks off is told', async (t) => {
  const answers = [
    '',
    'SSH-2.0-OpenSSH_9.2\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf',
  ]
  for (const answer of answers) {
    const port = await listen(
      t,
      createTcpServer((socket) => {
        socket.once('data', () => socket.end(answer))
      }),
    )

    const reason = await reasonOf(ask(targetAt({ port }, { http: { ...http, body: 'x' } })))

    assert.match(reason, /^GET \/healthz got no complete response: ./)
  }
})

test('without http a connection is enough, and the port of the check goes before the server', async (t) => {
  const port = await listen(t, createTcpServer())
  const elsewhere = await choosePort()

  assert.ok((await ask(targetAt({ port }, { http: null }))).ok)
  assert.ok((await ask(targetAt({ port: elsewhere }, { http: null, port }))).ok)
  assert.ok(!(await ask(targetAt({ port }, { http: null, port: elsewhere }))).ok)
})

test('a check over http goes to its own port too', async (t) => {
  const port = await startHttp(t, (_request, response) => response.end())

  assert.ok((await ask(targetAt({ port: await choosePort() }, { port }))).ok)
})

test('certificates are verified as for requests', async (t) => {
  const authority = createAuthority(t)
  const names: (string | false | null)[] = []
  const { cert, key } = authority.issue('app.test')
  const server = createTlsServer({ cert, key }, (_request, response) => response.end())
  server.on('secureConnection', (socket) => names.push(socket.servername))
  const place = { port: await listen(t, server), scheme: 'https' } as const
  const ca = authority.cert

  assert.ok((await ask(targetAt(place, {}, { ca, serverName: 'app.test' }))).ok)
  assert.ok((await ask(targetAt(place, {}, { verify: false }))).ok)
  assert.match(await reasonOf(ask(targetAt(place, {}, { serverName: 'app.test' }))), /certificate/)
  assert.match(await reasonOf(ask(targetAt(place, {}, { ca }))), /127\.0\.0\.1/)
  assert.deepEqual(names.slice(0, 2), ['app.test', false])
})

test('the Host that is asked for does not change the name of the certificate', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('app.test')
  const port = await listen(
    t,
    createTlsServer({ cert, key }, (_request, response) => response.end()),
  )
  const target = targetAt(
    { port, scheme: 'https' },
    { http: { ...http, host: 'shop.test' } },
    { ca: authority.cert, serverName: 'app.test' },
  )

  assert.deepEqual({ ...(await ask(target)), tookMs: 0 }, { ok: true, tookMs: 0 })
})

test('metadata services and link-local addresses are never asked', async () => {
  for (const host of ['169.254.169.254', 'fe80::1', 'metadata.google.internal']) {
    const reason = await reasonOf(ask(targetAt({ host, port: 80 })))

    assert.match(reason, /is not probed: it is a/)
  }
})

test('what is called off ends, before the answer and before a connection', async (t) => {
  const taken: Socket[] = []
  const port = await listen(
    t,
    createTcpServer((socket) => taken.push(socket)),
  )
  // It never says a word of TLS.
  const targets = [targetAt({ port }), targetAt({ port, scheme: 'https' })]
  for (const [index, target] of targets.entries()) {
    const calling = new AbortController()
    const answer = ask(target, calling.signal)
    await eventually(() => taken.length > index, 'the connection is taken')
    const closed = once(taken[index] ?? assert.fail(), 'close')
    taken[index]?.resume()

    calling.abort()

    assert.ok(!(await answer).ok)
    await closed
  }
  for (const change of [{}, { http: null }]) {
    const reason = await reasonOf(ask(targetAt({ port }, change), AbortSignal.abort()))
    assert.equal(reason, `cannot connect to 127.0.0.1:${port}: it was called off`)
  }
  assert.equal(taken.length, 2)
})

test('a request that cannot be written is a failed probe', async (t) => {
  const port = await startHttp(t, (_request, response) => response.end())
  const bad: Partial<Http>[] = [
    { path: 'no slash' },
    { headers: { 'a b': 'c' } },
    { headers: { x: 'a\r\nb' } },
    { body: '(' },
  ]
  for (const change of bad) {
    assert.notEqual(await reasonOf(ask(targetAt({ port }, { http: { ...http, ...change } }))), '')
  }
})

test('probes of a backend with PROXY headers begin with one of their own, before TLS', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const plain = await startHttp(t, (_request, response) => response.end())
  const secure = await listen(
    t,
    createTlsServer({ cert, key }, (_request, response) => response.end()),
  )
  const atPlain = await startProxyReader(t, plain)
  const atSecure = await startProxyReader(t, secure)

  for (const proxyProtocol of [1, 2] as const) {
    const tls = { ca: authority.cert }
    const targets = [
      targetAt(atPlain),
      targetAt(atPlain, { http: null }),
      targetAt({ port: atSecure.port, scheme: 'https' }, {}, tls),
      // Of its own, and so without a header.
      targetAt(atPlain, { port: plain }),
    ]
    for (const target of targets)
      assert.deepEqual((await ask({ ...target, proxyProtocol })).ok, true)
  }

  const headers = await eventually(() => atPlain.headers.length === 4 && atPlain.headers, 'all')
  const [v1, v2] = [1, 2].map((version) => ({ version, source: null, destination: null }))
  assert.deepEqual(headers, [v1, v1, v2, v2])
  assert.deepEqual(atSecure.headers, [v1, v2])
})

test('a server of HTTP/2 is probed by HTTP/2, in clear and over TLS', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const ca = authority.cert
  const clear = await startHttp2Server(t, (request) => request.respond({ status: 204 }))
  const secure = await startHttp2Server(t, (request) => request.respond({ body: 'well' }), {
    tls: { cert, key, ALPNProtocols: ['h2', 'http/1.1'] },
  })
  const own = { http: { ...http, body: '^well$' } }
  const overTls = targetAt({ port: secure.port, scheme: 'https' }, own, { ca })

  const results = [
    await ask({ ...targetAt({ port: clear.port, scheme: 'h2c' }), wire: 'h2' }),
    await ask({ ...overTls, wire: 'h2' }),
    await ask({ ...overTls, wire: 'auto' }),
  ]

  assert.deepEqual(
    results.map(({ ok }) => ok),
    [true, true, true],
  )
  const request = await clear.request(1)
  assert.deepEqual(
    [request.value(':method'), request.value(':path'), request.value('user-agent')],
    ['GET', '/healthz', 'sluice-health/1.2.3'],
  )
})

test('a server that speaks HTTP/1.1 instead of HTTP/2 fails its probe, and is served with auto', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const secure = createTlsServer({ cert, key }, (_request, response) => response.end())
  const clear = createServer((_request, response) => response.end())
  for (const server of [secure, clear]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
  }
  const port = (server: { address(): unknown }): number => (server.address() as AddressInfo).port
  const target = targetAt({ port: port(secure), scheme: 'https' }, {}, { ca: authority.cert })

  const refused = await ask({ ...target, wire: 'h2' })
  const garbled = await ask({ ...targetAt({ port: port(clear), scheme: 'h2c' }), wire: 'h2' })
  const served = await ask({ ...target, wire: 'auto' })

  assert.match(refused.ok ? '' : refused.reason, /cannot connect|does not choose HTTP\/2/)
  assert.match(garbled.ok ? '' : garbled.reason, /got no complete response/)
  assert.equal(served.ok, true)
})
