// facts/wire.md 2, the framing of responses that come through; RFC 9112 section 6.3, RFC 9110 section 15.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient, type ReceivedResponse } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { values } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get, sentinel } from '../support/refusal.ts'

const CHUNKED =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'
const CLOSING = 'HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello'

test('a known length is sent as a length', async (t) => {
  const origin = await startOrigin(t, 'HTTP/1.1 200 OK\r\ncontent-length: 005\r\n\r\nhello')
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, get('/'))

  assert.deepEqual(framing(response), { length: ['5'], coding: [], body: 'hello' })
})

test('an unknown length is sent as chunks', async (t) => {
  const origin = await startOrigin(t, CHUNKED)
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, get('/'))

  assert.deepEqual(framing(response), { length: [], coding: ['chunked'], body: 'hello' })
})

test('a response that ends with its connection is sent as chunks and leaves the client its connection', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    connection.end(CLOSING)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 3; i++) {
    const response = await client.ask(get('/'))
    assert.deepEqual(framing(response), { length: [], coding: ['chunked'], body: 'hello' })
  }
  assert.equal(origin.connections.length, 3, 'each on a connection of its own')
})

test('an HTTP/1.0 client is sent unknown lengths until the close', async (t) => {
  for (const bytes of [CHUNKED, CLOSING]) {
    const origin = await startOrigin(t, async (request, connection) => {
      await request.whole()
      if (bytes === CLOSING) connection.end(bytes)
      else connection.write(bytes)
    })
    const gateway = await startGateway(t, { origin: origin.port })

    const response = await exchange(t, gateway.port, 'GET / HTTP/1.0\r\nHost: a.test\r\n\r\n')

    assert.deepEqual(framing(response), { length: [], coding: [], body: 'hello' })
    assert.equal(await response.client.closed(), 'fin')
  }
})

const WITHOUT_BODY: readonly (readonly [
  method: string,
  response: string,
  length: string[] | null,
])[] = [
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', ['5']],
  ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', null],
  ['HEAD', 'HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n', []],
  ['HEAD', 'HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n', ['7']],
  ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', []],
  ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', []],
  ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', []],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', []],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', null],
  ['GET', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', null],
]

test('responses without a body have none, whatever they announce', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [method, bytes, length] of WITHOUT_BODY) {
    await t.test(`${method} ${JSON.stringify(bytes)}`, async (t) => {
      origin.follow(bytes)
      const client = await openClient(t, gateway.port)
      const response = await client.ask(`${method} / HTTP/1.1\r\nHost: a.test\r\n\r\n`)

      assert.equal(response.line.slice(9, 12), bytes.slice(9, 12))
      assert.equal(response.body.length, 0)
      if (length !== null) assert.deepEqual(values(response, 'content-length'), length)
      origin.follow(OK)
      const next = await client.ask(get('/next'))
      assert.equal(next.body.toString(), 'ok', 'the connection carries the next response')
    })
  }
})

test('a 205 that brings content shows the client none', async (t) => {
  const origin = await startOrigin(
    t,
    'HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello',
  )
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.ok(
    response.status === 502 || (response.status === 205 && response.body.length === 0),
    response.head,
  )
  assert.doesNotMatch(client.rest(), /hello/)
})

const ODD_BUT_RIGHT: readonly (readonly [name: string, bytes: string, line: RegExp])[] = [
  ['no reason', 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1\.1 200/],
  ['no reason and no space', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1\.1 200/],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1\.1 200/],
  ['an unknown status', 'HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1\.1 299 Odd/],
  [
    'a status of the fives',
    'HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nok',
    /^HTTP\/1\.1 599 Odd/,
  ],
  ['a length of 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', /^HTTP\/1\.1 200/],
  ['a chunk extension', CHUNKED.replace('\r\n3\r\n', '\r\n3;a=b\r\n'), /^HTTP\/1\.1 200/],
]

test('unusual but right answers pass, whole and byte by byte', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, bytes, line] of ODD_BUT_RIGHT) {
    await t.test(name, async (t) => {
      origin.follow(async (request, connection) => {
        await request.whole()
        if (request.target === '/pieces') await connection.writePieces([...bytes])
        else connection.write(bytes)
      })
      const whole = await exchange(t, gateway.port, get('/'))
      const pieces = await exchange(t, gateway.port, get('/pieces'))

      assert.match(whole.line, line)
      assert.equal(pieces.line, whole.line)
      assert.deepEqual(pieces.body, whole.body)
      assert.doesNotMatch(whole.body.toString(), /;a/)
    })
  }
})

test('a large response arrives whole, by length, by chunks and until the close', async (t) => {
  const body = 'abcdefghijklmnopqrstuvwxyz0123456789\r\n'.repeat(80_000)
  const chunks = (body.match(/[^]{1,70001}/g) ?? []).map(
    (piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`,
  )
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    if (request.target === '/length') {
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    } else if (request.target === '/chunked') {
      connection.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`,
      )
    } else connection.end(`HTTP/1.1 200 OK\r\n\r\n${body}`)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (const target of ['/length', '/chunked', '/close', '/length']) {
    const response = await client.ask(get(target))
    assert.ok(response.body.equals(Buffer.from(body, 'latin1')), target)
  }
})

// Bytes outside any response: that connection is closed and not reused, and no client sees them.
test('bytes that a server sends before a request never reach a client', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  await sentinel(t, gateway)
  const idle = origin.connections[0]

  idle?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
  await idle?.gone()
  const response = await exchange(t, gateway.port, get('/next'))

  assert.equal(response.body.toString(), 'ok')
  assert.equal(origin.connections.length, 2)
})

const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
const EXTRA: readonly (readonly [name: string, bytes: string])[] = [
  ['after a length', `${OK}x`],
  ['after the last chunk', `${CHUNKED}x`],
  ['after a 204', 'HTTP/1.1 204 No Content\r\n\r\nhello'],
  ['after a 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello'],
  ['a second response after a length', OK + EVIL],
  ['a second response after the last chunk', CHUNKED + EVIL],
  ['a second response after a 204', `HTTP/1.1 204 No Content\r\n\r\n${EVIL}`],
]

test('bytes after a response reach no client, and their connection is not reused', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, bytes] of EXTRA) {
    await t.test(name, async (t) => {
      origin.forget()
      origin.follow(async (request, connection) => {
        await request.whole()
        connection.write(request.target === '/extra' ? bytes : OK)
      })
      const client = await openClient(t, gateway.port)
      const first = await client.ask(get('/extra'))
      const next = await client.ask(get('/next'))

      assert.equal(first.line.slice(9, 12), bytes.slice(9, 12))
      assert.equal(next.body.toString(), 'ok')
      const [extra, clean] = origin.requests
      assert.notEqual(extra?.connection, clean?.connection)
      await extra?.connection.gone()
    })
  }
})

test('a body in response to HEAD reaches no client', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    connection.write(request.method === 'HEAD' ? EVIL : OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const head = await client.ask('HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const next = await client.ask(get('/next'))

  assert.equal(head.status, 200)
  assert.equal(next.body.toString(), 'ok')
})

function framing(response: ReceivedResponse): object {
  return {
    length: values(response, 'content-length'),
    coding: values(response, 'transfer-encoding'),
    body: response.body.toString('latin1'),
  }
}
