// RFC 9113 towards servers: what a server of HTTP/2 gets for a request of HTTP/1.1, and what its client gets for the response.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'
import { dataFrame, ERROR, headersFrame, resetFrame, TYPE } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { value, values } from '../support/message.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const pseudoFields: ReadonlyMap<string, string> = new Map([
  [':authority', 'Shop.test'],
  [':method', 'GET'],
  [':path', '/a?b=c'],
  [':scheme', 'http'],
])

test('a request becomes a head with pseudo-fields and names in lower case', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(
    'GET /a?b=c HTTP/1.1\r\nHost: Shop.test\r\nX-Mixed-Case: Kept\r\nCookie: a=1; b=2\r\nTE: trailers\r\nConnection: TE, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\n',
  )

  assert.equal(response.status, 200)
  assert.equal(response.body.toString(), 'ok')
  const { head } = (await server.request(1)).stream
  assert.deepEqual(new Map(head.slice(0, 4)), pseudoFields)
  const fields = Object.fromEntries(head) as Record<string, string>
  assert.equal(fields['x-mixed-case'], 'Kept')
  assert.equal(fields['cookie'], 'a=1; b=2')
  assert.equal(fields['te'], 'trailers')
  assert.equal(fields['x-forwarded-proto'], 'http')
  assert.deepEqual(
    head.map(([name]) => name).filter((name) => /^(host|connection|keep-alive|x-hop)$/.test(name)),
    [],
  )
})

test('with passHost false the authority is that of the server', async (t) => {
  const server = await startHttp2Server(t)
  const frontend = { passHost: false }
  const gateway = await towardsHttp2(t, { servers: server.port, frontend })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/'))

  assert.equal((await server.request(1)).value(':authority'), `127.0.0.1:${server.port}`)
})

test('a response without Content-Length is chunked for a client of HTTP/1.1, with its trailers', async (t) => {
  const server = await startHttp2Server(t, (request) => {
    request.respond({ body: 'hello', trailers: [['x-checksum', 'abc']] })
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/', 'TE: trailers', 'Connection: TE'))

  assert.equal(value(response, 'transfer-encoding'), 'chunked')
  assert.equal(response.body.toString(), 'hello')
  assert.deepEqual(response.trailers, [['x-checksum', 'abc']])
  assert.ok(value(response, 'date'))
})

test('a response with Content-Length keeps it, and one without a body has none', async (t) => {
  const server = await startHttp2Server(t, (request) => {
    const path = request.value(':path')
    if (path === '/length') request.respond({ fields: [['content-length', '2']], body: 'ok' })
    else if (path === '/head') request.respond({ fields: [['content-length', '77']] })
    else request.respond({ status: Number(path?.slice(1)) })
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  const whole = await client.ask(get('/length'))
  const head = await client.ask(request('HEAD', '/head'))
  const empty = await client.ask(get('/204'))
  const unchanged = await client.ask(get('/304'))
  const none = await client.ask(get('/200'))

  assert.equal(value(whole, 'content-length'), '2')
  assert.equal(whole.body.toString(), 'ok')
  assert.equal(value(head, 'content-length'), '77')
  assert.deepEqual([empty.status, unchanged.status], [204, 304])
  assert.equal(value(empty, 'content-length'), null)
  assert.equal(value(none, 'content-length'), '0')
})

test('a body of any framing reaches the server, with its trailers', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  await client.ask(`${request('POST', '/', 'Content-Length: 5')}hello`)
  await client.ask(
    request('POST', '/', 'Transfer-Encoding: chunked', 'Trailer: x-sum') +
      '5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n',
  )

  const [first, second] = server.requests
  assert.equal(first?.stream.body.toString(), 'hello')
  assert.equal(first.value('content-length'), '5')
  assert.equal(first.value('transfer-encoding'), null)
  assert.equal(second?.stream.body.toString(), 'hello!')
  assert.deepEqual(second.stream.trailers, [['x-sum', '7']])
})

test('a large body waits for the windows of the server', async (t) => {
  const server = await startHttp2Server(t, undefined, { opensWindows: false })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 200000'))
  client.send('x'.repeat(200_000))
  const received = await server.request(1)
  await server.until(() => received.stream.body.length === 65_535, 'the first window')
  await received.connection.roundTrip()

  assert.equal(received.stream.body.length, 65_535)
})

test('an Expect is passed on, and the body waits for the server', async (t) => {
  const server = await startHttp2Server(t, async (received) => {
    assert.equal(received.value('expect'), '100-continue')
    assert.equal(received.stream.body.length, 0)
    received.connection.send(headersFrame(received.streamId, block([':status', '100'])))
    await received.whole()
    received.respond()
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 5', 'Expect: 100-continue'))
  const go = await client.message()
  client.send('hello')
  const response = await client.readResponse()

  assert.equal(go.status, 100)
  assert.equal(response.status, 200)
  assert.equal(server.requests[0]?.stream.body.toString(), 'hello')
})

test('interim responses reach the client before the final one', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    const hints = block([':status', '103'], ['link', '</a>; rel=preload'])
    received.connection.send(headersFrame(received.streamId, hints))
    received.respond()
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))
  const hints = await client.message()
  const response = await client.readResponse()

  assert.deepEqual([hints.status, value(hints, 'link')], [103, '</a>; rel=preload'])
  assert.equal(response.status, 200)
})

test('a response that comes before the end of the body ends the upload', async (t) => {
  const server = await startHttp2Server(t, (received) =>
    received.respond({ status: 413, body: '' }),
  )
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/', 'Content-Length: 100000'))
  client.send('x'.repeat(1000))
  const response = await client.readResponse()

  assert.equal(response.status, 413)
  const { stream } = await server.request(1)
  await server.until(() => stream.resetCode !== null, 'the reset')
  assert.equal(stream.resetCode, ERROR.cancel)
})

test('a client that leaves resets its stream and no other', async (t) => {
  const server = await startHttp2Server(t, () => {})
  const gateway = await towardsHttp2(t, { servers: server.port })
  const [leaver, stayer] = await Promise.all([
    openClient(t, gateway.port),
    openClient(t, gateway.port),
  ])

  leaver.send(get('/leaves'))
  const left = await server.request(1)
  stayer.send(get('/stays'))
  const stays = await server.request(2)
  leaver.end()
  await server.until(() => left.stream.resetCode !== null, 'the reset')
  stays.respond()
  const response = await stayer.readResponse()

  assert.equal(left.stream.resetCode, ERROR.cancel)
  assert.equal(response.status, 200)
  assert.equal(left.connection, stays.connection)
})

const malformed: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'a field of the connection': [
    [':status', '200'],
    ['connection', 'close'],
  ],
  'Transfer-Encoding': [
    [':status', '200'],
    ['transfer-encoding', 'chunked'],
  ],
  'a name in upper case': [
    [':status', '200'],
    ['X-Upper', '1'],
  ],
  'a line break in a value': [
    [':status', '200'],
    ['x-a', 'b\r\nx-c: d'],
  ],
  'no status': [['x-a', 'b']],
  'two statuses': [
    [':status', '200'],
    [':status', '200'],
  ],
  'the status 101': [[':status', '101']],
  'a pseudo-field of requests': [
    [':status', '200'],
    [':path', '/'],
  ],
  'two unlike Content-Lengths': [
    [':status', '200'],
    ['content-length', '1'],
    ['content-length', '2'],
  ],
}

for (const [what, fields] of Object.entries(malformed)) {
  test(`a response with ${what} is 502, and only its stream is reset`, async (t) => {
    const server = await startHttp2Server(t, (received) => {
      if (received.value(':path') === '/good') return received.respond()
      received.connection.send(headersFrame(received.streamId, block(...fields), { end: true }))
    })
    const gateway = await towardsHttp2(t, {
      servers: server.port,
      backend: { retry: { attempts: 1 } },
    })
    const client = await openClient(t, gateway.port)

    const bad = await client.ask(get('/bad'))
    const good = await client.ask(get('/good'))

    assert.deepEqual([bad.status, good.status], [502, 200])
    const { stream } = await server.request(1)
    await server.until(() => stream.resetCode !== null, 'the reset')
    assert.equal(stream.resetCode, ERROR.protocol)
    assert.equal(server.connections.length, 1)
    assert.equal(gateway.records()[0]?.reason, 'BAD_ANSWER')
  })
}

test('more data than Content-Length, or less, cuts the response', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    const isLong = received.value(':path') === '/long'
    received.connection.send(
      headersFrame(received.streamId, block([':status', '200'], ['content-length', '4'])),
      dataFrame(received.streamId, 'ab'),
    )
    received.connection.send(dataFrame(received.streamId, isLong ? 'cdef' : 'c', { end: true }))
  })
  const gateway = await towardsHttp2(t, {
    servers: server.port,
    backend: { retry: { attempts: 1 } },
  })

  for (const target of ['/long', '/short']) {
    const client = await openClient(t, gateway.port)
    client.send(get(target))
    await client.closed()
  }

  await eventually(() => gateway.records().length === 2, 'both records')
  for (const { reason } of gateway.records()) assert.equal(reason, 'BAD_ANSWER')
})

test('a response head above the limits is refused', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    const fields = Array.from({ length: 20 }, (_, index) => [`x-${index}`, 'v'] as const)
    received.respond({ fields })
  })
  const backend = { limits: { fields: 10 }, retry: { attempts: 1 } }
  const gateway = await towardsHttp2(t, { servers: server.port, backend })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.equal(response.status, 502)
  assert.equal(gateway.records()[0]?.reason, 'ANSWER_TOO_LARGE')
})

test('a reset before the response is an error that is not retried for a POST, within it cuts it', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    if (received.value(':path') === '/within')
      received.respond({ fields: [['content-length', '9']], body: 'abc', end: false })
    received.connection.send(resetFrame(received.streamId, ERROR.internal))
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const [before, within] = await Promise.all([
    openClient(t, gateway.port),
    openClient(t, gateway.port),
  ])

  const response = await before.ask(request('POST', '/before', 'Content-Length: 0'))
  within.send(get('/within'))
  await within.closed()

  assert.equal(response.status, 502)
  await eventually(() => gateway.records().length === 2, 'both records')
  const reasons = new Set(gateway.records().map(({ reason }) => reason))
  assert.deepEqual(reasons, new Set(['ANSWER_CUT', 'SERVER_CLOSED']))
})

test('a slow client holds one window of its own response, and no other response', async (t) => {
  const server = await startHttp2Server(t, async (received) => {
    if (received.value(':path') === '/slow') {
      received.connection.send(headersFrame(received.streamId, block([':status', '200'])))
      // Only what the client's kernel takes can be sent before the test ends.
      const sent = received.connection.sendBody(received.streamId, Buffer.alloc(8 * 1024 ** 2))
      await sent.catch(() => {})
    } else {
      received.connection.send(headersFrame(received.streamId, block([':status', '200'])))
      await received.connection.sendBody(received.streamId, 'x'.repeat(50_000))
    }
  })
  const backend = { http2: { window: '64KiB', streams: 10 } }
  const gateway = await towardsHttp2(t, { servers: server.port, backend })
  const [slow, other] = await Promise.all([
    openClient(t, gateway.port),
    openClient(t, gateway.port),
  ])

  slow.stopReading()
  slow.send(get('/slow'))
  await server.request(1)
  for (let turn = 0; turn < 20; turn++) {
    const response = await other.ask(get(`/${turn}`))
    assert.equal(response.body.length, 50_000)
  }

  assert.equal(server.connections.length, 1)
})

test('several lines of a field stay several, and Set-Cookie is never joined', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    received.respond({
      fields: [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
    })
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.deepEqual(values(response, 'set-cookie'), ['a=1', 'b=2'])
})

test('a request frame is never longer than the server takes', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: server.port, backend: {} })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/', `X-Large: ${'y'.repeat(20_000)}`))

  const received = await server.request(1)
  assert.equal(received.value('x-large')?.length, 20_000)
  const types = received.connection.frames.filter(({ streamId }) => streamId === 1)
  assert.ok(types.some(({ type }) => type === TYPE.continuation))
  assert.ok(types.every(({ payload }) => payload.length <= 16_384))
})
