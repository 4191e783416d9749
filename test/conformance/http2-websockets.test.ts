// WebSockets inside of HTTP/2 connections (RFC 8441), to servers of HTTP/1.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { openHttp2Client, type Http2Client } from '../support/http2/client.ts'
import { dataFrame, ERROR, headersFrame, resetFrame } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startOrigin, type Origin, type OriginRequest } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const ENABLE_CONNECT = 8

function acceptOf(request: OriginRequest): string {
  const key = request.fields.find(([name]) => name.toLowerCase() === 'sec-websocket-key')?.[1]
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}

function startChat(t: TestContext, early = ''): Promise<Origin> {
  return startOrigin(t, (request, connection) => {
    connection.tunnel()
    connection.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptOf(request)}\r\nSec-WebSocket-Protocol: chat\r\n\r\n${early}`,
    )
  })
}

function startOffering(t: TestContext, origin: Origin): Promise<TestGateway> {
  return startGateway(t, { origin: origin.port, listener: { http2: { websockets: true } } })
}

function openChat(client: Http2Client, first = ''): number {
  const id = client.nextId()
  const head = block(
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'http'],
    [':path', '/chat?room=1'],
    [':authority', 'chat.test'],
    ['sec-websocket-version', '13'],
    ['sec-websocket-protocol', 'chat'],
    ['origin', 'http://chat.test'],
  )
  client.send(headersFrame(id, head), ...(first === '' ? [] : [dataFrame(id, first)]))
  return id
}

test('the offer is made only where it is switched on', async (t) => {
  const origin = await startChat(t)
  const plain = await openHttp2Client(t, (await startGateway(t, { origin: origin.port })).port)
  const offering = await openHttp2Client(t, (await startOffering(t, origin)).port)
  await Promise.all([plain.roundTrip(), offering.roundTrip()])

  assert.deepEqual(
    [plain.settings.get(ENABLE_CONNECT), offering.settings.get(ENABLE_CONNECT)],
    [undefined, 1],
  )
  assert.equal(await plain.outcome(openChat(plain)), 'reset protocol')
})

test('the server gets the handshake of HTTP/1.1, and both sides talk', async (t) => {
  const origin = await startChat(t, 'hello ')
  const gateway = await startOffering(t, origin)
  const client = await openHttp2Client(t, gateway.port)

  const id = openChat(client)
  const opened = await client.headOf(id)
  client.send(dataFrame(id, 'ping'))
  const request = await origin.request(1)
  await origin.until(() => request.connection.tunnelled() === 'ping', 'the ping')
  request.connection.write('pong')
  await client.until(
    () => client.streams.get(id)?.body.toString() === 'hello pong',
    'what the server said',
  )

  assert.deepEqual(
    opened.head.filter(([name]) => name !== 'date'),
    [
      [':status', '200'],
      ['sec-websocket-protocol', 'chat'],
    ],
  )
  assert.equal(request.line, 'GET /chat?room=1 HTTP/1.1')
  assert.match(request.head, /^upgrade: websocket\r$/im)
  assert.match(request.head, /^connection: upgrade\r$/im)
  assert.match(request.head, /^sec-websocket-version: 13\r$/im)

  client.send(dataFrame(id, '', { end: true }))
  await request.connection.gone()
  request.connection.end()
  assert.equal((await client.ended(id)).isComplete, true)
  await eventually(() => gateway.records().length === 1, 'it is in the log')
  assert.equal(await client.roundTrip(), true)
})

test('what a client sends with its handshake reaches the server behind it', async (t) => {
  const origin = await startChat(t)
  const gateway = await startOffering(t, origin)
  const client = await openHttp2Client(t, gateway.port)

  const id = openChat(client, 'early ')
  await client.headOf(id)
  client.send(dataFrame(id, 'late'))

  const request = await origin.request(1)
  await origin.until(() => request.connection.tunnelled() === 'early late', 'all of it')
})

test('a server that ends first still hears the client, whose end is the last', async (t) => {
  const origin = await startChat(t)
  const gateway = await startOffering(t, origin)
  const client = await openHttp2Client(t, gateway.port)

  const id = openChat(client)
  await client.headOf(id)
  const request = await origin.request(1)
  request.connection.write('bye')
  request.connection.end()
  const ended = await client.ended(id)
  client.send(dataFrame(id, 'good'))
  client.send(dataFrame(id, 'bye', { end: true }))
  await request.connection.gone()

  assert.equal(request.connection.tunnelled(), 'goodbye')
  await eventually(() => gateway.records().length === 1, 'it is in the log')
  assert.equal(await client.roundTrip(), true)
  assert.deepEqual([ended.body.toString(), ended.isComplete, ended.resetCode], ['bye', true, null])
})

test('a client that resets its stream behind the end of the server ends the WebSocket', async (t) => {
  const origin = await startChat(t)
  const gateway = await startOffering(t, origin)
  const client = await openHttp2Client(t, gateway.port)

  const id = openChat(client)
  await client.headOf(id)
  const request = await origin.request(1)
  request.connection.end()
  await client.ended(id)
  client.send(resetFrame(id))

  await request.connection.gone()
  await eventually(() => gateway.records().length === 1, 'it is in the log')
})

test('a reset of either side resets the other', async (t) => {
  const origin = await startChat(t)
  const gateway = await startOffering(t, origin)
  const client = await openHttp2Client(t, gateway.port)

  const first = openChat(client)
  await client.headOf(first)
  client.send(resetFrame(first))
  await origin.connections[0]?.gone()
  const second = openChat(client)
  await client.headOf(second)
  origin.connections[1]?.reset()

  assert.equal((await client.ended(second)).resetCode, ERROR.cancel)
})

test('a server that does not accept the handshake is a bad gateway', async (t) => {
  const origin = await startOrigin(
    t,
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: bm8=\r\n\r\n',
  )
  const gateway = await startOffering(t, origin)
  const client = await openHttp2Client(t, gateway.port)

  assert.equal(await client.outcome(openChat(client)), '502')
  origin.follow('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.equal(await client.outcome(openChat(client)), '502')
  origin.follow('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
  assert.equal(await client.outcome(openChat(client)), '403')
  await eventually(() => gateway.records().length === 3, 'it is in the log')
  assert.deepEqual(
    gateway.records().map(({ reason }) => reason),
    ['BAD_ANSWER', 'BAD_ANSWER', null],
  )
})
