// What went wrong in other implementations of HTTP/2, by their public reports: each is tried here.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { openHttp2Client, requestFields } from '../support/http2/client.ts'
import {
  continuationFrame,
  dataFrame,
  ERROR,
  headersFrame,
  resetFrame,
  SETTING,
  settingsFrame,
  windowUpdateFrame,
} from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { type Field, value } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const NARROW = { protocol: 'h2c', http2: { window: '64KiB', connectionWindow: '64KiB' } }

test('bodies unlike their length do not use up the window of the connection (golang/go#54185)', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port, listener: NARROW })
  const client = await openHttp2Client(t, gateway.port)
  const fields = requestFields({ method: 'POST', fields: [['content-length', '1']] })

  for (let turn = 0; turn < 12; turn++) {
    const id = client.nextId()
    assert.ok(client.takeCredit(id, 12_000), `no window is left in turn ${turn}`)
    client.send(headersFrame(id, block(...fields)), dataFrame(id, Buffer.alloc(12_000)))
    assert.equal(await client.outcome(id), 'reset protocol')
    await client.roundTrip()
  }

  assert.equal((await client.ask()).status, 200)
})

test('data of a server on streams that were given up does not use up its window (golang/go#20469)', async (t) => {
  const server = await startHttp2Server(t, ({ value: of, respond }) =>
    respond(of(':path') === '/ok' ? undefined : { end: false }),
  )
  const gateway = await towardsHttp2(t, {
    servers: server.port,
    backend: { http2: { streams: 4, window: '64KiB' } },
  })
  for (let turn = 1; turn <= 12; turn++) {
    const leaving = await openClient(t, gateway.port)
    leaving.send(get('/leaves'))
    const { connection, streamId, stream } = await server.request(turn)
    leaving.reset()
    await connection.until(() => stream.resetCode !== null, 'the reset')
    const body = Buffer.alloc(16_000)
    for (let at = 0; at < 3; at++) {
      assert.ok(connection.takeCredit(streamId, body.length), `no window in turn ${turn}`)
      connection.send(dataFrame(streamId, body))
    }
    await connection.roundTrip()
  }

  const client = await openClient(t, gateway.port)
  assert.equal((await client.ask(get('/ok'))).body.toString(), 'ok')
  assert.equal(server.connections.length, 1)
})

test('trailers behind data that its client has not taken yet arrive (haproxy/haproxy#2388)', async (t) => {
  const body = 'x'.repeat(400_000)
  const server = await startHttp2Server(t, async ({ connection, streamId, respond }) => {
    respond({ fields: [['trailer', 'x-last']], end: false })
    await connection.sendBody(streamId, body, { trailers: [['x-last', 'kept']] })
  })
  const gateway = await startGateway(t, {
    origin: 0,
    listener: { protocol: 'h2c' },
    backend: { servers: { s: `h2c://127.0.0.1:${server.port}` } },
  })
  const client = await openHttp2Client(t, gateway.port, { opensWindows: false })

  const id = client.request()
  await client.until(() => client.streams.get(id)?.body.length === 65_535, 'a window of data')
  client.send(windowUpdateFrame(0, 1_000_000), windowUpdateFrame(id, 1_000_000))
  const response = await client.response(id)

  assert.equal(response.body, body)
  assert.deepEqual(response.trailers, [['x-last', 'kept']])
})

test('a body behind an interim and a final head in one write is whole (haproxy/haproxy#3209)', async (t) => {
  const body = 'x'.repeat(300_000)
  const server = await startHttp2Server(t, async ({ connection, streamId }) => {
    const length = String(body.length)
    connection.send(
      headersFrame(streamId, block([':status', '103'], ['link', '</a>; rel=preload'])),
      headersFrame(streamId, block([':status', '200'], ['content-length', length])),
    )
    await connection.sendBody(streamId, body)
  })
  const gateway = await startGateway(t, {
    origin: 0,
    listener: { protocol: 'h2c' },
    backend: { servers: { s: `h2c://127.0.0.1:${server.port}` } },
  })
  const client = await openHttp2Client(t, gateway.port)

  const response = await client.ask()

  assert.equal(response.interim.length, 1)
  assert.equal(response.body, body)
})

test('Content-Length of an interim response means nothing (haproxy/haproxy#1561)', async (t) => {
  const server = await startHttp2Server(t, ({ connection, streamId }) => {
    connection.send(
      headersFrame(streamId, block([':status', '100'], ['content-length', '5'])),
      headersFrame(streamId, block([':status', '200'])),
      dataFrame(streamId, 'longer than five', { end: true }),
    )
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.equal(response.status, 200)
  assert.equal(response.body.toString(), 'longer than five')
  assert.equal(value(response, 'content-length'), null)
})

test('windows that SETTINGS make negative open again (hyperium/h2#692, nghttp2/nghttp2#1680)', async (t) => {
  const body = 'x'.repeat(100_000)
  const origin = await startOrigin(
    t,
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const client = await openHttp2Client(t, gateway.port, { opensWindows: false })
  const received = (): number => client.streams.get(1)?.body.length ?? 0

  const id = client.request()
  await client.until(() => received() === 65_535, 'a window of data')
  client.send(windowUpdateFrame(0, 1_000_000))
  for (const size of [100, 60_000, 0, 50])
    client.send(settingsFrame([SETTING.initialWindowSize, size]))
  // The stream's window is 50 - 65,535.
  client.send(windowUpdateFrame(id, 65_485))
  await client.roundTrip()
  assert.equal(received(), 65_535)
  client.send(windowUpdateFrame(id, 1_000))
  await client.until(() => received() === 66_535, 'a thousand bytes more')
  client.send(settingsFrame([SETTING.initialWindowSize, 100_000]))

  assert.equal((await client.response(id)).body, body)
})

test('a body that was sent before the smaller window was known is taken (hyperium/h2#630)', async (t) => {
  const origin = await startOrigin(t)
  const listener = { protocol: 'h2c', http2: { window: '16KiB' } }
  const gateway = await startGateway(t, { origin: origin.port, listener })
  const client = await openHttp2Client(t, gateway.port, { acksSettings: false })

  const id = client.nextId()
  client.send(
    headersFrame(id, block(...requestFields({ method: 'POST' }))),
    ...Array.from({ length: 4 }, (_, at) => dataFrame(id, Buffer.alloc(15_000), { end: at === 3 })),
  )

  assert.equal((await client.response(id)).status, 200)
  assert.equal(origin.requests[0]?.body().length, 60_000)
})

test('a response is kept when RST_STREAM with NO_ERROR follows it (envoyproxy/envoy#44749)', async (t) => {
  const server = await startHttp2Server(t, ({ connection, streamId, respond }) => {
    respond({ status: 413, body: 'too large' })
    connection.send(resetFrame(streamId, ERROR.none))
  })
  const gateway = await startGateway(t, {
    origin: 0,
    listener: { protocol: 'h2c' },
    backend: { servers: { s: `h2c://127.0.0.1:${server.port}` } },
  })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request({ method: 'POST', end: false })
  const { status, body } = await client.response(id)

  assert.deepEqual([status, body], [413, 'too large'])
})

test('a response that its server cuts is not reset with NO_ERROR (envoyproxy/envoy#36200)', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    connection.end()
  })
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const client = await openHttp2Client(t, gateway.port)

  assert.equal(await client.outcome(client.request()), 'reset internal')
})

test('a head above the limit gets a response, not a reset (haproxy/haproxy#2923)', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.nextId()
  const fields = Array.from({ length: 5 }, (_, at): Field => [`x-${at}`, 'v'.repeat(8_000)])
  const head = block(...requestFields({ fields }))
  client.send(
    headersFrame(id, head.subarray(0, 16_000), { end: true, open: true }),
    continuationFrame(id, head.subarray(16_000, 32_000), { open: true }),
    continuationFrame(id, head.subarray(32_000)),
  )
  const large = await client.response(id)

  assert.equal(large.status, 431)
  assert.equal((await client.ask()).status, 200)
})
