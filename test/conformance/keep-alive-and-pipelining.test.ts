// facts/wire.md 4, connections that carry several exchanges; RFC 9112 section 9.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type OriginRequest } from '../support/origin.ts'
import { get, request, sentinel, settled } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

test('carries many exchanges on one connection of each side', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 50; i++) assert.equal((await client.ask(get(`/${i}`))).status, 200)

  assert.equal(origin.connections.length, 1)
  assert.equal(origin.requests.length, 50)
  assert.equal(gateway.records().length, 50)
})

test('uses an idle connection to the server for the next client', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (let i = 0; i < 5; i++) await sentinel(t, gateway)

  assert.equal(origin.connections.length, 1)
})

test('answers pipelined requests in their order', async (t) => {
  const held: OriginRequest[] = []
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target === '/1' && held.push(request) === 1) return
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${request.target}`)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send([1, 2, 3, 4].map((i) => get(`/${i}`)).join(''))
  await origin.request(1)
  await eventually(() => held.length === 1, 'the first request')
  held[0]?.connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/1')

  for (const target of ['/1', '/2', '/3', '/4']) {
    assert.equal((await client.readResponse()).body.toString(), target)
  }
})

test('answers pipelined requests of all framings in their order, in whatever pieces they come', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    const body = `${request.target} ${request.body()}`
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const all =
    `${request('POST', '/a', 'Content-Length: 5')}hello${get('/b')}` +
    `${request('POST', '/c', 'Transfer-Encoding: chunked')}5\r\nworld\r\n0\r\n\r\n${get('/d')}`
  const expected = ['/a hello', '/b ', '/c world', '/d ']

  for (const size of [1, 7, 50, 10_000]) {
    const client = await openClient(t, gateway.port)
    await client.sendPieces(all.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [])
    for (const body of expected) assert.equal((await client.readResponse()).body.toString(), body)
  }
})

test('does not read pipelined requests without bound while one is in progress', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target !== '/held') connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  const flood = Buffer.from(get('/flood').repeat(20_000))

  client.send(get('/held'))
  await origin.request(1)
  for (let i = 0; i < 64; i++) client.send(flood)
  const taken = await settled(
    t,
    gateway,
    () => client.socket.bytesWritten - client.socket.writableLength,
  )

  assert.ok(client.socket.writableLength > flood.length, `${taken} bytes were taken`)
  assert.equal(origin.requests.filter(({ target }) => target === '/flood').length, 0)
  client.reset()
})

test('answers what came before a fault, then the fault, and nothing after it', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${get('/1')}GET /2 HTTP/1.1\r\nHost : x\r\n\r\n${get('/3')}`)
  const [first, second] = [await client.readResponse(), await client.readResponse()]

  assert.deepEqual([first.status, second.status], [200, 400])
  assert.equal(await client.closed(), 'fin')
  await sentinel(t, gateway)
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/1', '/sentinel'],
  )
})

// RFC 9112 9.6: a close at once would reset the connection under the response's last bytes.
test('an error response can be read by a client that is still sending', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (let i = 0; i < 10; i++) {
    const client = await openClient(t, gateway.port)
    client.send(request('POST', '/', 'Content-Length: +1000000'))
    client.send(Buffer.alloc(1_000_000, 'x'))
    const response = await client.readResponse()

    assert.equal(response.status, 400)
    assert.equal(value(response, 'connection'), 'close')
    await client.closed()
  }
})

test('requests after Connection: close are not read', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(get('/1', 'Connection: close') + get('/2'))
  const response = await client.readResponse()
  await client.closed()
  await sentinel(t, gateway)

  assert.equal(value(response, 'connection'), 'close')
  assert.equal(client.rest(), '')
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/1', '/sentinel'],
  )
})

test('our local responses leave the connection open when nothing was wrong with the request', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'Host("a.test")', backend: 'b' } },
  })
  const client = await openClient(t, gateway.port)

  const missing = await client.ask('GET / HTTP/1.1\r\nHost: b.test\r\n\r\n')
  const present = await client.ask(get('/'))

  assert.deepEqual([missing.status, present.status], [404, 200])
})

// wire.md 4: a self-made answer drains the request's body within a bound, or closes; it never takes the body for a request.
test('the body of a request that we answer ourselves is no request', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'Host("a.test")', backend: 'b' } },
  })

  for (const size of [0, 1_000_000]) {
    const client = await openClient(t, gateway.port)
    const hidden = get('/hidden') + 'x'.repeat(size)
    client.send(
      `POST / HTTP/1.1\r\nHost: b.test\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    )
    const response = await client.readResponse()
    client.send(get('/after', 'Connection: close'))
    await client.closed()

    assert.equal(response.status, 404)
    assert.equal(origin.requests.filter(({ target }) => target === '/hidden').length, 0)
  }
})

test('a response of HTTP/1.0 ends the connection of its server', async (t) => {
  const origin = await startOrigin(t, OK.replace('1.1', '1.0'))
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/1'))
  await client.ask(get('/2'))

  assert.equal(origin.connections.length, 2)
})
