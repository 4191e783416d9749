// facts/wire.md 4, other 1xx; RFC 9110 section 15.2, RFC 8297 (103).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { values } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n'

test('passes 103 on at once, with its fields, before the response is there', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => connection.write(HINTS))
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))
  const hints = await client.message()
  origin.connections[0]?.write(OK)
  const response = await client.readResponse()

  assert.equal(hints.line, 'HTTP/1.1 103 Early Hints')
  assert.deepEqual(values(hints, 'link'), ['</a.css>; rel=preload', '</b.js>'])
  assert.equal(response.body.toString(), 'ok')
})

test('passes several 1xx on in their order, together or byte by byte', async (t) => {
  const all = `HTTP/1.1 102 Processing\r\n\r\n${HINTS}HTTP/1.1 199 Odd\r\n\r\n${HINTS}${OK}`
  const origin = await startOrigin(t, async (request, connection) => {
    if (request.target === '/pieces') await connection.writePieces([...all])
    else connection.write(all)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (const target of ['/', '/pieces', '/']) {
    const response = await client.ask(get(target))
    assert.deepEqual(
      response.interim.map(({ status }) => status),
      [102, 103, 199, 103],
    )
    assert.equal(response.body.toString(), 'ok')
  }
  assert.equal(origin.connections.length, 1)
})

test('an HTTP/1.0 client is sent no 1xx', async (t) => {
  const origin = await startOrigin(t, HINTS + OK)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n')

  assert.equal(response.status, 200)
  assert.equal(response.interim.length, 0)
})

test('removes framing and fields of one hop from a 1xx', async (t) => {
  const lines = 'Content-Length: 5\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Stays: 1'
  const origin = await startOrigin(t, `HTTP/1.1 103 Early Hints\r\n${lines}\r\n\r\n${OK}`)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.deepEqual(values(response.interim[0] ?? { fields: [] }, 'x-hop'), [])
  assert.deepEqual(values(response.interim[0] ?? { fields: [] }, 'x-stays'), ['1'])
  assert.equal(response.body.toString(), 'ok')
})

test('a server that leaves after a 1xx is an error, never a whole response', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => connection.end(HINTS))
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.equal(response.status, 502)
  assert.equal(origin.requests.length, 1, 'something of a response was passed on: not sent again')
})

test('a malformed response after a 1xx is 502', async (t) => {
  const origin = await startOrigin(t, `${HINTS}HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n`)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  assert.equal((await client.ask(get('/'))).status, 502)
})
