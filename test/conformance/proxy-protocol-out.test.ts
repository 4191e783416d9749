// The PROXY protocol towards servers: each connection begins with the address of the one client that it serves.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { openClient, type Client } from '../support/client.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { listen, OK, startOrigin, type Script } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { type ProxyReader, startProxyReader } from '../support/proxy-reader.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

function towards(ports: readonly number[], backend: object = {}, scheme = 'http'): object {
  const servers = Object.fromEntries(
    ports.map((port, at) => [`s${at}`, `${scheme}://127.0.0.1:${port}`]),
  )
  return {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers, proxyProtocol: 'v2', ...backend } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  }
}

async function startBehindReader(
  t: TestContext,
  script: Script | string = OK,
): Promise<ProxyReader> {
  return startProxyReader(t, (await startOrigin(t, script)).port)
}

/** What the header of the client's connection must say. */
function endsOf({ socket }: Client, version: 1 | 2 = 2): object {
  return {
    version,
    source: { host: '127.0.0.1', port: socket.localPort },
    destination: { host: '127.0.0.1', port: socket.remotePort },
  }
}

for (const version of [1, 2] as const) {
  test(`each client has connections of its own, which begin with its address (v${version})`, async (t) => {
    const reader = await startBehindReader(t)
    const gateway = await startGateway(t, towards([reader.port], { proxyProtocol: `v${version}` }))
    const [alice, bob] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]

    for (const client of [alice, bob, alice, bob, bob, alice])
      assert.equal((await client.ask(get('/'))).status, 200)

    assert.deepEqual(reader.headers, [endsOf(alice, version), endsOf(bob, version)])
  })
}

test('the requests of one HTTP/2 connection share the connections of its client', async (t) => {
  const reader = await startBehindReader(t)
  const gateway = await startGateway(t, towards([reader.port]))
  const client = await openHttp2Client(t, gateway.port)

  for (let turn = 0; turn < 3; turn++) assert.equal((await client.ask({ path: '/' })).status, 200)

  assert.equal(reader.headers.length, 1)
})

test('a connection closes with that of its client', async (t) => {
  const reader = await startBehindReader(t)
  const gateway = await startGateway(t, towards([reader.port]))
  const [alice, bob] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]
  await alice.ask(get('/'))
  await bob.ask(get('/'))

  alice.end()

  await eventually(() => reader.open() === 1, "alice's connection is closed")
  await bob.ask(get('/'))
  assert.equal(reader.headers.length, 2)
})

test('the header comes before the TLS handshake', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const origin = await startOrigin(t, OK, { cert, key })
  const reader = await startProxyReader(t, origin.port)
  const tls = { ca: authority.certPath }
  const gateway = await startGateway(t, towards([reader.port], { tls }, 'https'))
  const [alice, bob] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]

  for (const client of [alice, alice, bob]) assert.equal((await client.ask(get('/'))).status, 200)

  assert.deepEqual(reader.headers, [endsOf(alice), endsOf(bob)])
})

test('errors of TLS and of the connection below it are those of connections without a header', async (t) => {
  const { cert, key } = createAuthority(t).issue('127.0.0.1')
  const reader = await startProxyReader(t, (await startOrigin(t, OK, { cert, key })).port)
  for (const [port, reason] of [
    [reader.port, 'CERTIFICATE_REFUSED'],
    [await choosePort(), 'CONNECT_REFUSED'],
  ] as const) {
    const gateway = await startGateway(t, towards([port], {}, 'https'))
    const client = await openClient(t, gateway.port)

    const response = await client.ask(get('/'))

    assert.equal(response.status, 502)
    assert.equal(gateway.records()[0]?.reason, reason)
  }
})

test('a name with several addresses gets one header on the connection that is used', async (t) => {
  const reader = await startBehindReader(t)
  const dns = await startDnsServer(t, { 'app.test': { addresses: ['127.0.0.2', '127.0.0.1'] } })
  const { backends, ...rest } = towards([]) as { backends: { b: object } }
  const servers = { s: `http://app.test:${reader.port}` }
  const gateway = await startGateway(t, {
    ...rest,
    backends: { b: { ...backends.b, servers } },
    resolver: { servers: [dns.address] },
  })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/'))
  await client.ask(get('/'))

  assert.deepEqual(reader.headers, [endsOf(client)])
})

test('a request that is sent again has a header on each connection', async (t) => {
  const first = await startBehindReader(t, (_, connection) => connection.reset())
  const second = await startBehindReader(t)
  const gateway = await startGateway(t, towards([first.port, second.port]))
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 2; i++) assert.equal((await client.ask(get('/'))).status, 200)

  assert.ok(first.headers.length > 0)
  for (const header of [...first.headers, ...second.headers])
    assert.deepEqual(header, endsOf(client))
})

test('a hedge has a connection of its own', async (t) => {
  const slow = await startBehindReader(t, () => {})
  const fast = await startBehindReader(t)
  const gateway = await startGateway(
    t,
    towards([slow.port, fast.port], { retry: { hedge: { after: '10ms' } } }),
  )
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 2; i++) assert.equal((await client.ask(get('/'))).status, 200)

  assert.ok(slow.headers.length > 0 && fast.headers.length > 0)
  for (const header of [...slow.headers, ...fast.headers]) assert.deepEqual(header, endsOf(client))
})

test('a connection that its server has closed is replaced by one with a header', async (t) => {
  const origin = await startOrigin(t, OK)
  const reader = await startProxyReader(t, origin.port)
  const gateway = await startGateway(t, towards([reader.port]))
  const client = await openClient(t, gateway.port)
  await client.ask(get('/'))

  origin.connections[0]?.end()
  await eventually(() => reader.open() === 0, 'the connection is closed')
  const response = await client.ask(request('POST', '/', 'Content-Length: 0'))

  assert.equal(response.status, 200)
  assert.deepEqual(reader.headers, [endsOf(client), endsOf(client)])
})

test('idle connections are within the limits of the backend', async (t) => {
  const reader = await startBehindReader(t)
  const gateway = await startGateway(t, towards([reader.port], { limits: { idle: 1 } }))
  const [alice, bob] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]

  for (const client of [alice, bob, alice, bob]) await client.ask(get('/'))

  assert.deepEqual(reader.headers, [endsOf(alice), endsOf(bob), endsOf(bob)])
  await eventually(() => reader.open() === 1, 'one idle connection is left')
})

test('an upgraded connection stays open until the last bytes of its client were sent', async (t) => {
  const origin = await startOrigin(t, (_, connection) => {
    connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    )
    connection.tunnel()
  })
  const reader = await startProxyReader(t, origin.port)
  const gateway = await startGateway(t, towards([reader.port]))
  const client = await openClient(t, gateway.port)
  const upgraded = await client.ask(get('/', 'Connection: upgrade', 'Upgrade: x'))
  const ends = endsOf(client)
  const text = 'x'.repeat(1_000_000)

  client.send(text)
  client.end()

  assert.equal(upgraded.status, 101)
  await eventually(() => origin.connections[0]?.tunnelled() === text, 'all bytes have arrived')
  assert.deepEqual(reader.headers, [ends])
})

test('a connection that carries a login serves its client alone, too', async (t) => {
  const challenge =
    'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n'
  const reader = await startBehindReader(t, ({ head }, connection) =>
    connection.write(head.includes('Authorization') ? OK : challenge),
  )
  const gateway = await startGateway(t, towards([reader.port]))
  const [alice, bob] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]

  for (const client of [alice, bob, alice, bob]) {
    assert.equal((await client.ask(get('/'))).status, 401)
    assert.equal((await client.ask(get('/', 'Authorization: NTLM x'))).status, 200)
  }

  assert.deepEqual(reader.headers, [endsOf(alice), endsOf(bob)])
})

test('a change of the setting applies from the next request on', async (t) => {
  const firsts: string[] = []
  const server = createServer((socket) => {
    socket.once('data', (bytes) => firsts.push(bytes.toString('latin1')))
    socket.on('data', () => socket.write(OK))
  })
  const port = await listen(server)
  t.after(() => server.close())
  const gateway = await startGateway(t, towards([port], { proxyProtocol: undefined }))
  const client = await openClient(t, gateway.port)
  await client.ask(get('/'))

  await gateway.apply(towards([port], { proxyProtocol: 'v1' }))
  await client.ask(get('/'))

  assert.equal(firsts.length, 2)
  assert.match(firsts[0] ?? '', /^GET /)
  // One segment.
  assert.match(firsts[1] ?? '', /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nGET /)
})

test('many clients at once never meet on one connection', async (t) => {
  const reader = await startBehindReader(t)
  const gateway: TestGateway = await startGateway(t, towards([reader.port]))
  const clients = await Promise.all(Array.from({ length: 20 }, () => openClient(t, gateway.port)))

  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < 5; i++) await client.ask(get('/'))
    }),
  )

  const sources = reader.headers.map((header) => JSON.stringify(header)).sort()
  assert.deepEqual(sources, clients.map((client) => JSON.stringify(endsOf(client))).sort())
})
