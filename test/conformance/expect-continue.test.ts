// facts/wire.md 4, 100-continue; RFC 9110 section 10.1.1.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get, request, sentinel } from '../support/refusal.ts'

const EXPECTING = request('POST', '/', 'Content-Length: 5', 'Expect: 100-continue')

test("passes the server's 100 on, then the body, then the response", async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await request.whole()
    connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 3; i++) {
    client.send(EXPECTING)
    const interim = await client.message()
    client.send('hello')
    const response = await client.readResponse()

    assert.equal(interim.status, 100)
    assert.equal(response.status, 200)
    assert.equal(origin.requests[i]?.body(), 'hello')
    assert.deepEqual(values(origin.requests[i] ?? { fields: [] }, 'expect'), ['100-continue'])
  }
  assert.equal(origin.connections.length, 1)
})

test('takes the expectation in any case', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await request.whole()
    connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 5', 'expect: 100-Continue'))
  assert.equal((await client.message()).status, 100)
  client.send('hello')

  assert.equal((await client.readResponse()).status, 200)
})

test('serves a client that does not wait for the 100', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${EXPECTING}hello`)
  const response = await client.readResponse()

  assert.equal(response.status, 200)
  assert.equal(origin.requests[0]?.body(), 'hello')
})

test('passes a final response that comes instead of the 100', async (t) => {
  const refusal = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig'
  const origin = await startOrigin(t, (request, connection) => {
    connection.write(request.method === 'POST' ? refusal : OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(EXPECTING)
  const response = await client.readResponse()

  assert.equal(response.status, 413)
  assert.equal(response.body.toString(), 'big')
  assert.equal(response.interim.length, 0)
  // The body may still come, or a new request, or nothing: what follows is never taken for the wrong one.
  if (value(response, 'connection') === 'close') await client.closed()
  else {
    client.send(`hello${get('/next')}`)
    assert.equal((await client.readResponse()).status, 200)
  }
  await sentinel(t, gateway)
  const [first, ...others] = origin.requests
  for (const other of others) assert.notEqual(other.connection, first?.connection)
})

test('refuses every other expectation with 417', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const expectation of [
    '200-ok',
    '100-continue, x',
    '100-continued',
    '"100-continue"',
    'x=y',
  ]) {
    const client = await openClient(t, gateway.port)
    client.send(request('POST', '/', 'Content-Length: 5', `Expect: ${expectation}`))
    assert.equal((await client.readResponse()).status, 417, expectation)
    client.end()
  }
  assert.equal(origin.requests.length, 0)
})

// RFC 9110 10.1.1: the expectation of an HTTP/1.0 client is ignored; 15.2: it is never sent a 1xx.
test('sends an HTTP/1.0 client no 100', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await request.whole()
    connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(
    'POST / HTTP/1.0\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello',
  )
  const response = await client.readResponse()

  assert.equal(response.status, 200)
  assert.equal(response.interim.length, 0)
})

test('an expectation without a body needs no 100', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  assert.equal((await client.ask(get('/', 'Expect: 100-continue'))).status, 200)
})
