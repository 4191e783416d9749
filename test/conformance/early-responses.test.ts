// facts/wire.md 4, a response before the request is finished; RFC 9112 section 9.5 and 9.6.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get, request, sentinel } from '../support/refusal.ts'

const EARLY = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'

test('passes a response on before the request body is finished', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => connection.write(EARLY))
  const gateway = await startGateway(t, { origin: origin.port })

  for (const framing of ['Content-Length: 1000000', 'Transfer-Encoding: chunked']) {
    const client = await openClient(t, gateway.port)
    client.send(`${request('POST', '/', framing)}5\r\nhello\r\n`)
    const response = await client.readResponse()

    assert.equal(response.status, 403)
    assert.equal(response.body.toString(), 'no')
    client.reset()
  }
})

test('the connection of a server that answered early is used for no other request', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    connection.write(request.target === '/early' ? EARLY : OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${request('POST', '/early', 'Content-Length: 100')}hello`)
  await client.readResponse()
  await sentinel(t, gateway)

  const [early, next] = origin.requests
  assert.equal(next?.target, '/sentinel')
  assert.notEqual(next?.connection, early?.connection)
})

test('the rest of the body is drained or the connection closed, never read as a request', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    connection.write(request.target === '/early' ? EARLY : OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })

  for (const length of [10_000, 200_000]) {
    const client = await openClient(t, gateway.port)
    const hidden = get('/hidden').padEnd(length, 'x')
    client.send(request('POST', '/early', `Content-Length: ${length}`))
    const response = await client.readResponse()
    client.send(hidden + get('/after', 'Connection: close'))
    await client.closed()

    assert.equal(response.status, 403)
    if (value(response, 'connection') === 'close') assert.equal(client.rest(), '')
  }
  await sentinel(t, gateway)
  assert.deepEqual(
    origin.requests.filter(({ target }) => target === '/hidden'),
    [],
  )
})

test('an early response of a server that closes reaches a client that is still sending', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => {
    connection.stopReading()
    connection.end(
      'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig',
    )
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 4000000'))
  client.send(Buffer.alloc(1_000_000, 'x'))
  const response = await client.readResponse()

  assert.equal(response.status, 413)
  assert.equal(response.body.toString(), 'big')
  client.reset()
})

test('a response that begins early streams on beside the body', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
    await request.whole()
    connection.write(`${request.body().length.toString(16)}\r\n${request.body()}\r\n0\r\n\r\n`)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 10'))
  client.send('hello')
  await origin.until(() => origin.requests[0]?.body() === 'hello', 'the first half')
  client.send('world')
  const response = await client.readResponse()

  assert.equal(response.body.toString(), 'ahelloworld')
})

test('a response that is whole before the body leaves nothing open when the client goes', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => connection.write(EARLY))
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${request('POST', '/', 'Content-Length: 100')}hello`)
  await client.readResponse()
  client.reset()

  await origin.connections[0]?.gone()
})
