// HTTP/1.0 clients: facts/wire.md 1, 2 and 4; RFC 9112 sections 6.1, 9.3 and appendix C.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'

const GET = 'GET / HTTP/1.0\r\nHost: a.test\r\n\r\n'

test('an HTTP/1.0 request is sent on as HTTP/1.1, and its connection closed after the response', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, GET)

  assert.equal(response.body.toString(), 'ok')
  assert.match(response.line, /^HTTP\/1\.1 200/)
  assert.equal(await response.client.closed(), 'fin')
  assert.equal(origin.requests[0]?.line, 'GET / HTTP/1.1')
  assert.ok(origin.connections[0]?.isOpen(), "the server's connection is kept for others")
})

test('an HTTP/1.0 connection may be kept if the client asks, and the response says so', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  const keeping = GET.replace('\r\n\r\n', '\r\nConnection: Keep-Alive\r\n\r\n')

  const first = await client.ask(keeping)

  if (/^keep-alive$/i.test(value(first, 'connection') ?? '')) {
    assert.equal((await client.ask(keeping)).body.toString(), 'ok')
    assert.equal((await client.ask(GET)).body.toString(), 'ok')
  }
  assert.equal(await client.closed(), 'fin')
})

test('a body of an HTTP/1.0 request is framed by its length', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, 'POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello')

  assert.equal(origin.requests[0]?.body(), 'hello')
  assert.deepEqual(values(origin.requests[0] ?? { fields: [] }, 'content-length'), ['5'])
})

test('an HTTP/1.0 client is never sent chunks', async (t) => {
  const body = 'z'.repeat(100_000)
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
  const origin = await startOrigin(
    t,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\nX-Sum: 1\r\n\r\n`,
  )
  const gateway = await startGateway(t, { origin: origin.port })

  for (const connection of ['', 'Connection: keep-alive\r\n']) {
    const bytes = `GET / HTTP/1.0\r\nHost: a.test\r\n${connection}\r\n`
    const response = await exchange(t, gateway.port, bytes)

    assert.deepEqual(values(response, 'transfer-encoding'), [])
    assert.equal(response.body.toString(), body + body)
    assert.equal(await response.client.closed(), 'fin')
  }
})

test('an error of ours closes the connection of an HTTP/1.0 client', async (t) => {
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: {} } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  const response = await exchange(t, gateway.port, GET)

  assert.equal(response.status, 503)
  assert.equal(await response.client.closed(), 'fin')
})

test('HEAD over HTTP/1.0 has no body', async (t) => {
  const origin = await startOrigin(t, OK.slice(0, -2))
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, 'HEAD / HTTP/1.0\r\n\r\n')

  assert.deepEqual(values(response, 'content-length'), ['2'])
  assert.equal(await response.client.closed(), 'fin')
  assert.equal(response.client.rest(), '')
})
