// Bodies between clients of HTTP/2 and servers of HTTP/1: back-pressure, small bodies that can be sent again, ends before the end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { ERROR, resetFrame, SETTING } from '../support/http2/frames.ts'
import { OK, startEchoOrigin, startOrigin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

const LARGE = 8 * 1024 * 1024

test('a body of any size arrives, and comes back', async (t) => {
  const origin = await startEchoOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  for (const size of [0, 1, 16_384, 70_000, 3_000_000]) {
    const body = Buffer.alloc(size, 'abcdefghij')
    const id = client.request({ method: 'POST', end: false })
    await client.sendBody(id, body)
    const response = await client.response(id)
    assert.equal(response.body, body.toString('latin1'))
  }
  assert.deepEqual(
    gateway.records().map(({ bytesIn, bytesOut }) => [bytesIn, bytesOut]),
    [0, 1, 16_384, 70_000, 3_000_000].map((size) => [size, size]),
  )
})

test('a small body that came with its head has a Content-Length, others are sent in chunks', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  await client.ask({ method: 'POST', body: 'small' })
  const id = client.request({ method: 'POST', end: false })
  await origin.request(2)
  await client.sendBody(id, 'later', { trailers: [['x-sum', '5']] })
  await client.response(id)

  const [small, later] = origin.requests
  assert.match(small?.head ?? '', /^content-length: 5\r$/im)
  assert.match(later?.head ?? '', /^transfer-encoding: chunked\r$/im)
  assert.deepEqual([small?.body(), later?.body()], ['small', 'later'])
  assert.deepEqual(later?.message().trailers, [['x-sum', '5']])
})

test('a request without a body says so where its method may have one, and is sent again', async (t) => {
  const broken = await startOrigin(t, (_request, connection) => connection.reset())
  const sound = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: sound.port,
    backend: {
      servers: { one: { url: broken.url, weight: 1000 }, two: sound.url },
      retry: { attempts: 2, when: 'IsNetworkError()' },
    },
  })
  const client = await openHttp2Client(t, gateway.port)

  const response = await client.ask({ method: 'PUT' })

  assert.equal(response.status, 200)
  const request = await sound.request(1)
  assert.match(request.head, /^content-length: 0\r$/im)
  assert.doesNotMatch(request.head, /transfer-encoding/i)
})

test('a small body is sent again when the connection to its server breaks', async (t) => {
  const broken = await startOrigin(t, (_request, connection) => connection.reset())
  const sound = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: sound.port,
    backend: {
      servers: { one: { url: broken.url, weight: 1000 }, two: sound.url },
      retry: { attempts: 2, when: 'IsNetworkError()' },
    },
  })
  const client = await openHttp2Client(t, gateway.port)

  const response = await client.ask({ method: 'POST', body: 'again' })

  assert.equal(response.status, 200)
  assert.equal((await sound.request(1)).body(), 'again')
})

test('an upload is read as far as its server takes it, and holds up no other request', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    if (request.target === '/slow') connection.stopReading()
    else {
      await request.whole()
      connection.write(OK)
    }
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const slow = client.request({ method: 'POST', path: '/slow', end: false })
  await origin.request(1)
  let isSent = false
  const sending = client.sendBody(slow, Buffer.alloc(4 * LARGE)).then(
    () => (isSent = true),
    () => {},
  )
  for (let round = 0; round < 20; round++) {
    const other = client.request({ method: 'POST', path: '/other', end: false })
    await client.sendBody(other, Buffer.alloc(100_000))
    assert.equal((await client.response(other)).status, 200)
  }

  assert.equal(isSent, false)
  client.send(resetFrame(slow))
  client.reset()
  await sending
})

test('a response is sent as far as its client takes it, and holds up no other response', async (t) => {
  const chunk = Buffer.alloc(65_536)
  const state = { written: 0, isBlocked: false }
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    if (request.target !== '/large') return connection.write(OK)
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE * 8}\r\n\r\n`)
    for (let sent = 0; sent < LARGE * 8; sent += chunk.length) {
      state.written = sent
      if (connection.socket.write(chunk)) continue
      state.isBlocked = true
      await new Promise((resolve) => connection.socket.once('drain', resolve))
    }
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port, { opensWindows: false })

  const large = client.request({ path: '/large' })
  await client.until(
    () => (client.streams.get(large)?.body.length ?? 0) >= 65_535,
    'a whole window',
  )
  await client.roundTrip()

  assert.equal(client.streams.get(large)?.body.length, 65_535)
  const limit = LARGE * 8
  assert.ok(state.written < limit, 'the server could send everything')
})

test('a client that gives a stream no window does not hold up others', async (t) => {
  const body = 'b'.repeat(100_000)
  const origin = await startOrigin(
    t,
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port, {
    settings: [[SETTING.initialWindowSize, 0]],
    opensWindows: false,
  })

  const starved = client.request()
  await client.headOf(starved)
  const head = await client.ask({ method: 'HEAD' })

  assert.equal(head.status, 200)
  assert.equal(client.streams.get(starved)?.body.length, 0)
})

test('Expect: 100-continue is passed on, and so is the 100 of the server', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await request.whole()
    connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request({
    method: 'POST',
    end: false,
    fields: [
      ['expect', '100-continue'],
      ['content-length', '4'],
    ],
  })
  const interim = await client.until(
    () => client.streams.get(id)?.interim[0],
    'the interim response',
  )
  await client.sendBody(id, 'data')

  assert.deepEqual(interim, [[':status', '100']])
  assert.equal((await client.response(id)).status, 200)
  assert.match((await origin.request(1)).head, /^expect: 100-continue\r$/im)
})

test('a response before the end of its request ends both, and the connection stays', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => {
    connection.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request({ method: 'POST', end: false })
  const stream = await client.until(() => {
    const one = client.streams.get(id)
    return one?.isComplete === true && one.resetCode !== null ? one : null
  }, 'the response and the reset')

  assert.equal(stream.body.toString(), 'no')
  assert.equal(stream.resetCode, ERROR.none)
  origin.follow(OK)
  assert.equal((await client.ask()).status, 200)
})

test('a body unlike its Content-Length is reset, and its request reaches no server as a whole', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  for (const [length, body] of [
    ['4', 'short'],
    ['6', 'short'],
  ] as const) {
    const id = client.request({ method: 'POST', fields: [['content-length', length]], body })
    assert.equal(await client.outcome(id), 'reset protocol')
  }

  assert.ok(origin.requests.every((request) => !request.isComplete()))
  await eventually(() => gateway.records().length === 2, 'both are in the log')
  assert.deepEqual(
    gateway.records().map(({ reason }) => reason),
    ['BAD_FRAMING', 'BAD_FRAMING'],
  )
})

test('a body above the limit of its route gets 413', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { middlewares: [{ kind: 'bodylimit', size: 1024 }] },
  })
  const client = await openHttp2Client(t, gateway.port)

  const announced = client.request({
    method: 'POST',
    end: false,
    fields: [['content-length', '5000']],
  })
  const grown = client.request({ method: 'POST', end: false })
  await client.sendBody(grown, Buffer.alloc(5000), { end: false })

  assert.deepEqual([await client.outcome(announced), await client.outcome(grown)], ['413', '413'])
})

test('a response that its server cuts short is reset, never complete', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    connection.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request()
  const stream = await client.ended(id)

  assert.equal(stream.isComplete, false)
  assert.equal(stream.resetCode, ERROR.internal)
  assert.equal(gateway.records()[0]?.reason, 'ANSWER_CUT')
})

test('a request that its client resets is ended at the server, which is not blamed', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request()
  const { connection } = await origin.request(1)
  client.send(resetFrame(id))
  await connection.gone()

  await eventually(() => gateway.records().length === 1, 'it is in the log')
  const [record] = gateway.records()
  assert.deepEqual([record?.reason, record?.status], ['CLIENT_GONE', 0])
  assert.match(record?.detail ?? '', /CANCEL/)
  assert.equal(await client.roundTrip(), true)
})

test('a request that is reset in the same read reaches no server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)
  await client.ask()
  const opened = origin.connections.length

  client.socket.cork()
  for (let at = 0; at < 50; at++) client.send(resetFrame(client.request({ path: '/reset' })))
  client.socket.uncork()
  await client.roundTrip()

  assert.equal((await client.ask()).status, 200)
  assert.equal(origin.requests.filter(({ target }) => target === '/reset').length, 0)
  assert.equal(origin.connections.length, opened)
})

test('a client that leaves ends all its requests', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  for (let at = 0; at < 5; at++) client.request()
  await origin.request(5)
  client.reset()
  for (const connection of origin.connections) await connection.gone()

  assert.equal(origin.open(), 0)
  assert.deepEqual(
    gateway.records().map(({ reason }) => reason),
    Array.from({ length: 5 }, () => 'CLIENT_GONE'),
  )
})

test('a body that does not come in time gets 408', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { timeouts: { body: '300ms' } },
  })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request({ method: 'POST', end: false })

  assert.equal(await client.outcome(id), '408')
  assert.equal(gateway.records()[0]?.reason, 'BODY_TIMEOUT')
})

test('a client that takes nothing of its response is reset in time', async (t) => {
  const body = 'b'.repeat(200_000)
  const origin = await startOrigin(
    t,
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { timeouts: { body: '300ms' } },
  })
  const client = await openHttp2Client(t, gateway.port, { opensWindows: false })

  const stream = await client.ended(client.request())

  assert.equal(stream.isComplete, false)
  assert.notEqual(stream.resetCode, null)
  assert.equal(gateway.records()[0]?.reason, 'CLIENT_GONE')
})
