// RFC 8441 towards servers: the WebSocket of a client of HTTP/1.1 in a stream, or not at all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'
import { dataFrame, ERROR, headersFrame, SETTING } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { value } from '../support/message.ts'
import { get } from '../support/refusal.ts'

/** The key and its answer of RFC 6455 section 1.3. */
const HANDSHAKE = get(
  '/chat',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: chat',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
)
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
const ANNOUNCED = { settings: [[SETTING.enableConnectProtocol, 1]] } as const

test('a WebSocket becomes a stream with extended CONNECT, and the handshake of the client is answered', async (t) => {
  const server = await startHttp2Server(
    t,
    (request) =>
      request.connection.send(
        headersFrame(
          request.streamId,
          block([':status', '200'], ['sec-websocket-protocol', 'chat']),
        ),
      ),
    ANNOUNCED,
  )
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  client.send(HANDSHAKE)
  const switched = await client.readResponse()
  const request = await server.request(1)
  client.send('to the server')
  await server.until(() => request.stream.body.toString() === 'to the server', 'the bytes')
  request.connection.send(dataFrame(request.streamId, 'to the client'))

  assert.equal(await client.bytes(13), 'to the client')
  assert.equal(switched.status, 101)
  assert.equal(value(switched, 'sec-websocket-accept'), ACCEPT)
  assert.equal(value(switched, 'sec-websocket-protocol'), 'chat')
  assert.deepEqual(
    [':method', ':protocol', ':path', ':scheme', ':authority'].map((name) => request.value(name)),
    ['CONNECT', 'websocket', '/chat', 'http', 'a.test'],
  )
  assert.equal(request.value('sec-websocket-version'), '13')
  assert.equal(request.value('sec-websocket-key'), null)
  assert.equal(request.value('upgrade'), null)
})

test('the end of a WebSocket passes in both directions', async (t) => {
  const server = await startHttp2Server(
    t,
    (request) => request.connection.send(headersFrame(request.streamId, block([':status', '200']))),
    ANNOUNCED,
  )
  const gateway = await towardsHttp2(t, { servers: server.port })
  const [one, other] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]

  one.send(HANDSHAKE)
  await one.readResponse()
  const first = await server.request(1)
  first.connection.send(dataFrame(first.streamId, 'bye', { end: true }))
  await one.closed()
  other.send(HANDSHAKE)
  await other.readResponse()
  const second = await server.request(2)
  other.reset()
  await server.until(() => second.stream.resetCode !== null, 'the reset')

  assert.equal(one.rest(), 'bye')
  assert.equal(second.stream.resetCode, ERROR.cancel)
  assert.equal(server.connections.length, 1)
})

test('trailers of the server end its direction of a WebSocket, too', async (t) => {
  const server = await startHttp2Server(
    t,
    (request) => request.connection.send(headersFrame(request.streamId, block([':status', '200']))),
    ANNOUNCED,
  )
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  client.send(HANDSHAKE)
  await client.readResponse()
  const { connection, streamId } = await server.request(1)
  connection.send(
    dataFrame(streamId, 'bye'),
    headersFrame(streamId, block(['x-sum', '1']), { end: true }),
  )
  await client.closed()

  assert.equal(client.rest(), 'bye')
})

test('a refused WebSocket is an ordinary response', async (t) => {
  const server = await startHttp2Server(
    t,
    (request) => request.respond({ status: 403, body: 'no' }),
    ANNOUNCED,
  )
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  client.send(HANDSHAKE)
  const response = await client.readResponse()

  assert.deepEqual([response.status, response.body.toString()], [403, 'no'])
})

test('a server that has not announced WebSockets gets none, and the client an error that says so', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: server.port })

  for (let turn = 0; turn < 2; turn++) {
    const client = await openClient(t, gateway.port)
    client.send(HANDSHAKE)
    const response = await client.readResponse()
    assert.equal(response.status, 502)
  }

  for (const { reason, detail } of gateway.records()) {
    assert.equal(reason, 'UPGRADE_REFUSED')
    assert.match(detail, /RFC 8441/)
  }
  assert.equal(server.requests.length, 0)
})

test('a WebSocket to a server whose connections are full gets another connection', async (t) => {
  const server = await startHttp2Server(
    t,
    (request) => request.connection.send(headersFrame(request.streamId, block([':status', '200']))),
    {
      settings: [
        [SETTING.enableConnectProtocol, 1],
        [SETTING.maxConcurrentStreams, 1],
      ],
    },
  )
  const gateway = await towardsHttp2(t, { servers: server.port })
  const clients = await Promise.all(Array.from({ length: 4 }, () => openClient(t, gateway.port)))
  const [first, ...others] = clients

  first?.send(HANDSHAKE)
  const switched = [await first?.readResponse()]
  for (const client of others) client.send(HANDSHAKE)
  for (const client of others) switched.push(await client.readResponse())

  assert.deepEqual(
    switched.map((response) => response?.status),
    [101, 101, 101, 101],
  )
  assert.deepEqual(
    server.connections.map(({ streams }) => streams.size),
    [1, 1, 1, 1],
  )
})

test('WebSockets that wait for more than a new connection takes get further ones', async (t) => {
  const server = await startHttp2Server(
    t,
    (request) => request.connection.send(headersFrame(request.streamId, block([':status', '200']))),
    {
      settings: [
        [SETTING.enableConnectProtocol, 1],
        [SETTING.maxConcurrentStreams, 2],
      ],
    },
  )
  const gateway = await towardsHttp2(t, { servers: server.port })
  const clients = await Promise.all(Array.from({ length: 5 }, () => openClient(t, gateway.port)))

  for (const client of clients) client.send(HANDSHAKE)
  const statuses: number[] = []
  for (const client of clients) statuses.push((await client.readResponse()).status)

  assert.deepEqual(statuses, [101, 101, 101, 101, 101])
  assert.ok(server.connections.every(({ streams }) => streams.size <= 2))
})

test('another upgrade is left out', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/', 'Connection: Upgrade', 'Upgrade: other'))

  assert.equal(response.status, 200)
  assert.equal((await server.request(1)).value('upgrade'), null)
})
