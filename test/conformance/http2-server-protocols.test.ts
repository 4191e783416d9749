// Which protocol a connection to a server speaks: prior knowledge, ALPN, and what happens if a server speaks another one.
import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { configOf, towardsHttp2 } from '../support/http2-servers.ts'
import { ERROR, goAwayFrame, resetFrame } from '../support/http2/frames.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { listen, OK, startOrigin } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

function certificate(t: TestContext): { cert: string; key: string; ca: string } {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  return { cert, key, ca: authority.certPath }
}

test('an https server with protocol h2 is asked over TLS, with the scheme https', async (t) => {
  const { cert, key, ca } = certificate(t)
  const server = await startHttp2Server(t, undefined, { tls: { cert, key } })
  const backend = { protocol: 'h2', tls: { ca } }
  const gateway = await towardsHttp2(t, { servers: server.port, scheme: 'https', backend })
  const client = await openClient(t, gateway.port)

  const responses = [await client.ask(get('/')), await client.ask(get('/'))]

  assert.deepEqual(
    responses.map(({ status }) => status),
    [200, 200],
  )
  assert.equal((await server.request(1)).value(':scheme'), 'https')
  assert.equal(server.connections.length, 1)
})

test('protocol h2 is HTTP/2 with prior knowledge to an http server', async (t) => {
  const server = await startHttp2Server(t)
  const backend = { protocol: 'h2' }
  const gateway = await towardsHttp2(t, { servers: server.port, scheme: 'http', backend })
  const client = await openClient(t, gateway.port)

  assert.equal((await client.ask(get('/'))).status, 200)
})

test('a server may speak another protocol than others of its backend', async (t) => {
  const { cert, key, ca } = certificate(t)
  const tls = { cert, key, ALPNProtocols: ['h2', 'http/1.1'] }
  const two = await startHttp2Server(t, undefined, { tls })
  const one = await startOrigin(t, OK, { cert, key, ALPNProtocols: ['http/1.1'] })
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        tls: { ca },
        servers: {
          one: `https://127.0.0.1:${one.port}`,
          two: { url: `https://127.0.0.1:${two.port}`, protocol: 'auto' },
        },
      },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const client = await openClient(t, gateway.port)

  for (let turn = 0; turn < 4; turn++) assert.equal((await client.ask(get('/'))).status, 200)

  assert.deepEqual([one.requests.length, two.requests.length], [2, 2])
})

test('with auto the server chooses', async (t) => {
  const { cert, key, ca } = certificate(t)
  const two = await startHttp2Server(t, undefined, {
    tls: { cert, key, ALPNProtocols: ['h2', 'http/1.1'] },
  })
  const one = await startOrigin(t, OK, { cert, key, ALPNProtocols: ['http/1.1'] })
  const none = await startOrigin(t, OK, { cert, key })
  for (const port of [two.port, one.port, none.port]) {
    const backend = { protocol: 'auto', tls: { ca } }
    const gateway = await towardsHttp2(t, { servers: port, scheme: 'https', backend })
    const client = await openClient(t, gateway.port)

    for (let turn = 0; turn < 3; turn++) {
      const response = await client.ask(request('POST', '/', 'Content-Length: 0'))
      assert.equal(response.status, 200)
    }
  }

  assert.deepEqual([two.connections.length, two.requests.length], [1, 3])
  assert.deepEqual([one.connections.length, one.requests.length], [1, 3])
  assert.deepEqual([none.connections.length, none.requests.length], [1, 3])
})

test('a burst to a server that chooses HTTP/1.1 has a connection for each request', async (t) => {
  const { cert, key, ca } = certificate(t)
  const origin = await startOrigin(t, OK, { cert, key, ALPNProtocols: ['http/1.1'] })
  const backend = { protocol: 'auto', tls: { ca } }
  const gateway = await towardsHttp2(t, { servers: origin.port, scheme: 'https', backend })
  const clients = await Promise.all(Array.from({ length: 5 }, () => openClient(t, gateway.port)))

  const responses = await Promise.all(
    clients.map((client) => client.ask(`${request('POST', '/', 'Content-Length: 2')}ab`)),
  )

  assert.ok(responses.every(({ status }) => status === 200))
  assert.equal(origin.requests.length, 5)
  assert.ok(origin.requests.every((one) => one.body() === 'ab'))
})

test('protocol h2 with a server that chooses another one is NOT_HTTP2', async (t) => {
  const { cert, key, ca } = certificate(t)
  const origins = [
    await startOrigin(t, OK, { cert, key, ALPNProtocols: ['http/1.1'] }),
    await startOrigin(t, OK, { cert, key }),
  ]
  for (const origin of origins) {
    const backend = { protocol: 'h2', tls: { ca } }
    const gateway = await towardsHttp2(t, { servers: origin.port, scheme: 'https', backend })
    const client = await openClient(t, gateway.port)

    const response = await client.ask(get('/'))

    assert.equal(response.status, 502)
    const [record] = gateway.records()
    assert.equal(record?.reason, 'NOT_HTTP2')
    assert.match(record.detail, /set protocol of its backend to http\/1\.1 or auto/)
  }
})

test('an h2c server that speaks HTTP/1.1 is told apart from one that is down', async (t) => {
  const origin = createHttpServer((_request, response) => response.end())
  t.after(() => origin.close())
  const http1 = await listen(origin)
  const down = createServer()
  const port = await listen(down)
  down.close()
  const one = await towardsHttp2(t, { servers: http1 })
  const other = await towardsHttp2(t, { servers: port })
  const clients = [await openClient(t, one.port), await openClient(t, other.port)] as const

  const responses = [await clients[0].ask(get('/')), await clients[1].ask(get('/'))]

  assert.deepEqual(
    responses.map(({ status }) => status),
    [502, 502],
  )
  assert.equal(one.records()[0]?.reason, 'NOT_HTTP2')
  assert.match(one.records()[0]?.detail ?? '', /HTTP\/1/)
  assert.equal(other.records()[0]?.reason, 'CONNECT_REFUSED')
})

test('a server that accepts and says nothing is a timeout, and is tried elsewhere', async (t) => {
  const silent = createServer((socket) => socket.resume())
  t.after(() => silent.close())
  const port = await listen(silent)
  const good = await startHttp2Server(t)
  const backend = { timeouts: { handshake: '300ms' } }
  const gateway = await towardsHttp2(t, { servers: { a: port, b: good.port }, backend })
  const client = await openClient(t, gateway.port)

  const responses = [await client.ask(get('/')), await client.ask(get('/'))]

  assert.deepEqual(
    responses.map(({ status }) => status),
    [200, 200],
  )
})

test('a server that requires HTTP/1.1 for a request gets it so with auto', async (t) => {
  const { cert, key, ca } = certificate(t)
  const server = await startHttp2Server(
    t,
    (received) => received.connection.send(resetFrame(received.streamId, ERROR.http11Required)),
    { tls: { cert, key, ALPNProtocols: ['h2', 'http/1.1'] } },
  )
  const backend = { protocol: 'auto', tls: { ca }, retry: { attempts: 1 } }
  const gateway = await towardsHttp2(t, { servers: server.port, scheme: 'https', backend })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 0'))
  await server.until(() => server.connections.length === 2, 'another connection')
  const [, second] = server.connections

  await eventually(() => (second?.received() ?? 0) > 0, 'a request of HTTP/1.1')
})

test('a change of the protocol gives the server new connections', async (t) => {
  const server = await startHttp2Server(t)
  const origin = await startOrigin(t)
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  assert.equal((await client.ask(get('/'))).status, 200)
  await gateway.apply(configOf({ servers: server.port, backend: { http2: { streams: 1 } } }))
  assert.equal((await client.ask(get('/'))).status, 200)
  await gateway.apply(configOf({ servers: origin.port, scheme: 'http' }))
  assert.equal((await client.ask(get('/'))).status, 200)

  assert.equal(server.connections.length, 2)
  await eventually(() => server.open() === 0, 'old connections close')
})

test('with a PROXY header requests of one client share a connection, and no others', async (t) => {
  const headers: string[] = []
  const server = createServer((socket) => {
    socket.once('data', (data) => {
      headers.push(data.toString('latin1').split('\r\n')[0] ?? '')
      socket.destroy()
    })
  })
  t.after(() => server.close())
  const port = await listen(server)
  const backend = { proxyProtocol: 'v1', retry: { attempts: 1 } }
  const gateway = await towardsHttp2(t, { servers: port, backend })
  const clients = [await openClient(t, gateway.port), await openClient(t, gateway.port)]

  for (const client of clients) await client.ask(get('/'))

  const ports = clients.map(({ socket }) => socket.localPort)
  assert.deepEqual(
    headers.map((line) => Number(line.split(' ')[4])),
    ports,
  )
})

test('a connection that the server ends with an error fails its streams', async (t) => {
  const server = await startHttp2Server(t, ({ connection }) => {
    connection.send(goAwayFrame(0, ERROR.enhanceYourCalm, 'too_many_pings'))
    connection.end()
  })
  const gateway = await towardsHttp2(t, {
    servers: server.port,
    backend: { retry: { attempts: 1 } },
  })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.equal(response.status, 503)
  assert.equal(gateway.records()[0]?.reason, 'STREAM_REFUSED')
})
