// Requests by HTTP/2 on their way to a server of HTTP/1, and responses on their way back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { headersFrame } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startOrigin } from '../support/origin.ts'
import type { Field } from '../support/message.ts'

function valueOf(fields: readonly Field[], name: string): string | undefined {
  return fields.find(([one]) => one.toLowerCase() === name)?.[1]
}

test('a request is sent on as one of HTTP/1.1, its response comes back as one of HTTP/2', async (t) => {
  const origin = await startOrigin(
    t,
    'HTTP/1.1 201 Made\r\nContent-Length: 2\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok',
  )
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const response = await client.ask({
    path: '/vote?x=1',
    authority: 'vote.test',
    fields: [
      ['accept', '*/*'],
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
      ['x-forwarded-for', '10.6.6.6'],
    ],
  })

  const request = await origin.request(1)
  assert.equal(request.line, 'GET /vote?x=1 HTTP/1.1')
  assert.deepEqual(
    ['host', 'accept', 'cookie', 'x-forwarded-for', 'x-forwarded-host', 'content-length'].map(
      (name) => valueOf(request.fields, name),
    ),
    ['vote.test', '*/*', 'a=1; b=2', '127.0.0.1', 'vote.test', undefined],
  )
  assert.equal(response.status, 201)
  assert.equal(response.body, 'ok')
  assert.deepEqual(
    response.fields.filter(([name]) => name !== 'date'),
    [
      ['content-length', '2'],
      ['x-one', '1'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
  )
  const [record] = gateway.records()
  assert.deepEqual(
    [record?.protocol, record?.status, record?.target, record?.bytesOut],
    ['HTTP/2', 201, '/vote?x=1', 2],
  )
})

test('requests of one connection are served side by side', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    if (request.target === '/fast') connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const slow = client.request({ path: '/slow' })
  await origin.request(1)
  const fast = await client.ask({ path: '/fast' })

  assert.equal(fast.status, 200)
  assert.equal(client.streams.get(slow)?.isComplete ?? false, false)
  origin.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow')
  assert.equal((await client.response(slow)).body, 'slow')
})

test('a listener with h2c speaks HTTP/2 and nothing else, one without http2 only HTTP/1', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      h2c: { address: '127.0.0.1:0', protocol: 'h2c' },
      h1: { address: '127.0.0.1:0', http2: { enabled: false } },
    },
    backends: { origin: { servers: { one: origin.url } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'origin' } },
  })
  const modern = await openHttp2Client(t, gateway.ports['h2c'] ?? 0)
  const mistaken = await openHttp2Client(t, gateway.ports['h2c'] ?? 0, { preface: false })
  const old = await openHttp2Client(t, gateway.ports['h1'] ?? 0)

  mistaken.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')

  assert.equal((await modern.ask()).status, 200)
  assert.equal(await mistaken.connectionOutcome(), 'goaway protocol')
  await assert.rejects(old.ask())
  assert.equal(gateway.records()[0]?.reason, 'VERSION_UNSUPPORTED')
})

test('the preface may come in pieces, and the first request with it', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port, { preface: false, acksSettings: false })
  const head = block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a'])
  const bytes = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    headersFrame(client.nextId(), head, { end: true }),
  ])

  await client.sendPieces(Array.from(bytes, (byte) => Buffer.from([byte])))

  assert.equal((await client.response(1)).status, 200)
})

test('a connection that has begun with HTTP/1 stays with it', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port, { preface: false })

  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await origin.request(1)
  client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

  await client.closed()
  assert.deepEqual(
    gateway.records().map(({ reason }) => reason),
    [null, 'VERSION_UNSUPPORTED'],
  )
})

const REFUSED: readonly [
  name: string,
  fields: readonly Field[],
  outcome: string,
  reason: string,
][] = [
  ['no authority', [[':path', '/']], '400', 'BAD_HOST'],
  [
    'an authority with userinfo',
    [
      [':path', '/'],
      [':authority', 'a@b.test'],
    ],
    '400',
    'BAD_HOST',
  ],
  [
    'an authority with a path',
    [
      [':path', '/'],
      [':authority', 'b.test/x'],
    ],
    '400',
    'BAD_HOST',
  ],
  [
    'an ambiguous path',
    [
      [':path', '/a/%2e%2e/b'],
      [':authority', 'a'],
    ],
    '400',
    'AMBIGUOUS_PATH',
  ],
  [
    '"*" with GET',
    [
      [':path', '*'],
      [':authority', 'a'],
    ],
    'reset protocol',
    'BAD_FIELD',
  ],
  [
    'a long target',
    [
      [':path', `/${'a'.repeat(9_000)}`],
      [':authority', 'a'],
    ],
    '414',
    'TARGET_TOO_LONG',
  ],
  [
    'a large field',
    [
      [':path', '/'],
      [':authority', 'a'],
      ['x', 'a'.repeat(33_000)],
    ],
    '431',
    'HEAD_TOO_LARGE',
  ],
  [
    'an unknown expectation',
    [
      [':path', '/'],
      [':authority', 'a'],
      ['expect', 'x'],
    ],
    '417',
    'EXPECTATION_FAILED',
  ],
  [
    'another Host',
    [
      [':path', '/'],
      [':authority', 'a'],
      ['host', 'b'],
    ],
    'reset protocol',
    'BAD_FIELD',
  ],
  [
    'Connection',
    [
      [':path', '/'],
      [':authority', 'a'],
      ['connection', 'close'],
    ],
    'reset protocol',
    'BAD_FIELD',
  ],
  [
    'Transfer-Encoding',
    [
      [':path', '/'],
      [':authority', 'a'],
      ['transfer-encoding', 'chunked'],
    ],
    'reset protocol',
    'BAD_FIELD',
  ],
  [
    'a name in upper case',
    [
      [':path', '/'],
      [':authority', 'a'],
      ['X-One', '1'],
    ],
    'reset protocol',
    'BAD_FIELD',
  ],
  [
    'a value with CRLF',
    [
      [':path', '/'],
      [':authority', 'a'],
      ['x', 'a\r\nb: c'],
    ],
    'reset protocol',
    'BAD_FIELD',
  ],
  [
    'a path with a space',
    [
      [':path', '/ HTTP/1.1'],
      [':authority', 'a'],
    ],
    'reset protocol',
    'BAD_FIELD',
  ],
]

for (const [name, fields, outcome, reason] of REFUSED) {
  test(`a request with ${name} gets ${outcome} and goes to no server`, async (t) => {
    const origin = await startOrigin(t)
    const gateway = await startGateway(t, { origin: origin.port })
    const client = await openHttp2Client(t, gateway.port)
    const id = client.nextId()

    const head = block([':method', 'GET'], [':scheme', 'http'], ...fields)
    client.send(...inFrames(id, head))

    assert.equal(await client.outcome(id), outcome)
    assert.equal((await client.ask()).status, 200)
    assert.equal(origin.requests.length, 1)
    assert.deepEqual(
      [gateway.records()[0]?.reason, gateway.records()[0]?.protocol],
      [reason, 'HTTP/2'],
    )
  })
}

/** HEADERS, and CONTINUATION for what does not fit. */
function inFrames(id: number, head: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at < head.length; at += 16_384) {
    const part = head.subarray(at, at + 16_384)
    const isLast = at + 16_384 >= head.length
    const header = Buffer.from([0, part.length >> 8, part.length, at === 0 ? 1 : 9, 0, 0, 0, 0, id])
    header[4] = (isLast ? 4 : 0) | (at === 0 ? 1 : 0)
    frames.push(header, part)
  }
  return frames
}

test('CONNECT is refused with 405', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)
  const id = client.nextId()

  client.send(headersFrame(id, block([':method', 'CONNECT'], [':authority', 'a.test:443'])))

  assert.equal(await client.outcome(id), '405')
  assert.equal(origin.requests.length, 0)
})

test('a login of the connection needs HTTP/1.1', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request({ fields: [['authorization', 'NTLM TlRMTVNTUAAB']] })

  const stream = await client.ended(id)
  assert.equal(stream.resetCode, 13)
  assert.equal(origin.requests.length, 0)
  assert.equal(gateway.records()[0]?.reason, 'VERSION_UNSUPPORTED')
})

test('forwarding fields of a trusted peer are continued', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port, trusted: ['127.0.0.1'] })
  const client = await openHttp2Client(t, gateway.port)

  await client.ask({
    fields: [
      ['x-forwarded-for', '10.1.2.3'],
      ['x-forwarded-proto', 'https'],
      ['x-request-id', 'abc'],
    ],
  })

  const { fields } = await origin.request(1)
  assert.deepEqual(
    ['x-forwarded-for', 'x-forwarded-proto', 'x-request-id'].map((name) => valueOf(fields, name)),
    ['10.1.2.3, 127.0.0.1', 'https', 'abc'],
  )
  assert.equal(gateway.records()[0]?.clientIp, '10.1.2.3')
})

test('local responses and the edits of middlewares are as with HTTP/1', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: {
      route: 'Host("known.test")',
      middlewares: [{ kind: 'headers', response: { set: { 'X-Edited': 'yes' } } }],
    },
  })
  const client = await openHttp2Client(t, gateway.port)

  const known = await client.ask({ authority: 'known.test' })
  const unknown = await client.ask({
    authority: 'other.test',
    fields: [['accept', 'application/json']],
  })
  const head = await client.ask({ authority: 'other.test', method: 'HEAD' })

  assert.equal(valueOf(known.fields, 'x-edited'), 'yes')
  assert.equal(unknown.status, 404)
  assert.deepEqual(JSON.parse(unknown.body), {
    error: 'not found',
    status: 404,
    reason: 'NO_ROUTE',
  })
  assert.match(valueOf(unknown.fields, 'proxy-status') ?? '', /destination_not_found/)
  assert.deepEqual([head.status, head.body], [404, ''])
})

test('a response without a body ends with its head', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    connection.write(
      {
        HEAD: 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
        GET: 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
        PUT: 'HTTP/1.1 204 No Content\r\n\r\n',
        POST: 'HTTP/1.1 205 Reset Content\r\nContent-Length: 3\r\n\r\nabc',
      }[request.method] ?? '',
    )
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const responses = []
  for (const method of ['HEAD', 'GET', 'PUT', 'POST']) {
    const { status, body, fields } = await client.ask({ method })
    responses.push([status, body, valueOf(fields, 'content-length')])
  }

  assert.deepEqual(responses, [
    [200, '', '500'],
    [304, '', undefined],
    [204, '', undefined],
    [205, '', '0'],
  ])
})

test('interim responses come before the final one, and trailers behind it', async (t) => {
  const origin = await startOrigin(
    t,
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n',
  )
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const { interim, body, trailers } = await client.ask({ fields: [['te', 'trailers']] })

  assert.deepEqual(interim, [
    [
      [':status', '103'],
      ['link', '</a>'],
    ],
  ])
  assert.equal(body, 'ok')
  assert.deepEqual(trailers, [['x-sum', '7']])
  assert.match((await origin.request(1)).head, /TE: trailers/)
})
