// facts/wire.md 2, the framing of requests; RFC 9112 section 6.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { values } from '../support/message.ts'
import { startOrigin, type OriginRequest } from '../support/origin.ts'
import { assertBodyRefused, assertRefused, get, request, sentinel } from '../support/refusal.ts'

const CHUNKED = '5\r\nhello\r\n0\r\n\r\n'

const REFUSED: readonly (readonly [name: string, lines: readonly string[], status: number])[] = [
  ['a coding with a length', ['Transfer-Encoding: chunked', 'Content-Length: 15'], 400],
  ['a length with a coding', ['Content-Length: 15', 'Transfer-Encoding: chunked'], 400],
  ['a coding with the length 0', ['Transfer-Encoding: chunked', 'Content-Length: 0'], 400],
  ['a coding with an empty length', ['Transfer-Encoding: chunked', 'Content-Length:'], 400],
  ['chunked twice in one field', ['Transfer-Encoding: chunked, chunked'], 400],
  ['chunked in two fields', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 400],
  ['two codings in two fields', ['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], 400],
  ['identity', ['Transfer-Encoding: identity'], 400],
  ['identity with a length', ['Transfer-Encoding: identity', 'Content-Length: 5'], 400],
  ['xchunked', ['Transfer-Encoding: xchunked'], 400],
  ['chunkedx', ['Transfer-Encoding: chunkedx'], 400],
  ['gzip alone', ['Transfer-Encoding: gzip'], 400],
  ['chunked before the last', ['Transfer-Encoding: chunked, gzip'], 400],
  ['an unknown coding before chunked', ['Transfer-Encoding: gzip, chunked'], 501],
  ['an unknown coding close before chunked', ['Transfer-Encoding: foo,chunked'], 501],
  ['a quoted coding', ['Transfer-Encoding: "chunked"'], 400],
  ['a coding with a parameter', ['Transfer-Encoding: chunked;q=1'], 400],
  ['a trailing comma', ['Transfer-Encoding: chunked,'], 400],
  ['a leading comma', ['Transfer-Encoding: ,chunked'], 400],
  ['an empty coding', ['Transfer-Encoding:'], 400],
  ['a vertical tab before the coding', ['Transfer-Encoding: \x0bchunked'], 400],
  ['a form feed after the coding', ['Transfer-Encoding: chunked\x0c'], 400],
  ['a non-breaking space before the coding', ['Transfer-Encoding: \xa0chunked'], 400],
  ['a coding split by a space', ['Transfer-Encoding: chun ked'], 400],
  ['a folded coding', ['Transfer-Encoding:', ' chunked'], 400],
  ['a coding with a space before its colon', ['Transfer-Encoding : chunked'], 400],
  ['a signed length', ['Content-Length: +5'], 400],
  ['a negative length', ['Content-Length: -5'], 400],
  ['a length with a space inside', ['Content-Length: 1 5'], 400],
  ['a length in hex', ['Content-Length: 0x5'], 400],
  ['a length of letters', ['Content-Length: 5a'], 400],
  ['a length with a point', ['Content-Length: 5.0'], 400],
  ['a length with an exponent', ['Content-Length: 5e1'], 400],
  ['a length with an underscore', ['Content-Length: 1_0'], 400],
  ['a list of lengths', ['Content-Length: 5, 5'], 400],
  ['a list without a space', ['Content-Length: 5,5'], 400],
  ['a length with a trailing comma', ['Content-Length: 5,'], 400],
  ['an empty length', ['Content-Length:'], 400],
  ['a length of 16 digits', ['Content-Length: 0000000000000005'], 400],
  ['a length that no number holds', ['Content-Length: 99999999999999999999'], 400],
  ['two lengths', ['Content-Length: 5', 'Content-Length: 6'], 400],
  ['two equal lengths', ['Content-Length: 5', 'Content-Length: 5'], 400],
  ['two equal lengths of different case', ['Content-Length: 5', 'cONTENT-lENGTH: 5'], 400],
  ['a folded length', ['Content-Length:', ' 5'], 400],
]

test('requests whose framing is ambiguous are refused', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, lines, status] of REFUSED) {
    await t.test(`refuses ${name} with ${status}`, async (t) => {
      await assertRefused(t, gateway, origin, request('POST', '/', ...lines) + CHUNKED, status)
    })
  }
})

test('a coding is refused on HTTP/1.0', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const coding of ['chunked', 'gzip, chunked']) {
    const head = `POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: ${coding}\r\n\r\n`
    await assertRefused(t, gateway, origin, head + CHUNKED, 400)
  }
})

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'FOO']

test('a request of any method without framing ends with its head', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (const method of METHODS) {
    client.send(request(method, `/${method}`))
    assert.equal((await client.readResponse()).status, 200)
  }

  for (const seen of origin.requests) assert.equal(seen.body(), '', seen.line)
  assert.equal(origin.requests.length, METHODS.length)
})

test('a body of any method is framed as it was announced, and written anew', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (const method of METHODS) {
    await t.test(method, async () => {
      client.send(`${request(method, '/length', 'content-length: 05')}hello`)
      const first = await client.readResponse()
      client.send(request(method, '/chunked', 'transfer-ENCODING: CHUNKED') + CHUNKED)
      const second = await client.readResponse()

      const [byLength, byChunks] = origin.requests.slice(-2)
      assert.deepEqual([first.status, second.status], [200, 200])
      assert.deepEqual(framing(byLength), { length: ['5'], coding: [], body: 'hello' })
      // A chunked body that is whole already has a length; either way it is framed once.
      const { length, coding, body } = framing(byChunks)
      assert.match([...length, ...coding].join(), /^(chunked|5)$/)
      assert.equal(body, 'hello')
    })
  }
})

test('the length 0 is no body', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/empty', 'Content-Length: 0') + get('/next'))
  await client.readResponse()
  await client.readResponse()

  assert.equal(origin.requests[0]?.body(), '')
  assert.deepEqual(values(origin.requests[0] ?? { fields: [] }, 'content-length'), ['0'])
  assert.equal(origin.requests[1]?.line, 'GET /next HTTP/1.1')
})

test('bytes after the announced body are the next request', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${request('POST', '/a', 'Content-Length: 5')}hello${get('/b')}`)
  client.send(`${request('POST', '/c', 'Transfer-Encoding: chunked')}${CHUNKED}${get('/d')}`)
  for (let i = 0; i < 4; i++) assert.equal((await client.readResponse()).status, 200)

  assert.deepEqual(
    origin.requests.map((seen) => `${seen.line} ${seen.body()}`),
    ['POST /a HTTP/1.1 hello', 'GET /b HTTP/1.1 ', 'POST /c HTTP/1.1 hello', 'GET /d HTTP/1.1 '],
  )
})

test('bytes that no length announced are judged as a request', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const method of METHODS) {
    await t.test(method, async (t) => {
      const client = await openClient(t, gateway.port)
      client.send(`${request(method, '/no-body')}x=1&y=2\r\n\r\n`)

      assert.equal((await client.readResponse()).status, 200)
      assert.equal((await client.readResponse()).status, 400)
      assert.equal(await client.closed(), 'fin')
      assert.equal(origin.requests.at(-1)?.body(), '')
    })
  }
})

test('a request hidden in a body stays in the body', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const hidden = get('/hidden')

  await exchange(t, gateway.port, `${get('/x', `Content-Length: ${hidden.length}`)}${hidden}`)
  await sentinel(t, gateway)

  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/x', '/sentinel'],
  )
  assert.equal(origin.requests[0]?.body(), hidden)
})

test('a large body arrives whole, by length and by chunks', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  const body = Buffer.alloc(3_000_000, 'abcdefghijklmnopqrstuvwxyz0123456789\r\n')

  client.send(request('PUT', '/length', `Content-Length: ${body.length}`))
  client.send(body)
  await client.readResponse()
  client.send(request('PUT', '/chunked', 'Transfer-Encoding: chunked'))
  for (let at = 0; at < body.length; at += 70_001) {
    const piece = body.subarray(at, at + 70_001)
    client.send(`${piece.length.toString(16)}\r\n`)
    client.send(piece)
    client.send('\r\n')
  }
  client.send('0\r\n\r\n')
  await client.readResponse()

  assert.ok(origin.requests[0]?.message().body.equals(body))
  assert.ok(origin.requests[1]?.message().body.equals(body))
})

test('a body that comes byte by byte arrives whole', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  await client.sendPieces([
    request('POST', '/', 'Content-Length: 26'),
    ...'abcdefghijklmnopqrstuvwxyz',
  ])
  await client.readResponse()

  assert.equal(origin.requests[0]?.body(), 'abcdefghijklmnopqrstuvwxyz')
})

// RFC 9112 6.3 and wire.md 4: what is cut is aborted, never completed.
test('a request whose body the client does not finish never looks complete to the server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const cut = [
    `${request('POST', '/', 'Content-Length: 10')}hello`,
    `${request('POST', '/', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`,
    `${request('POST', '/', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n`,
    `${request('POST', '/', 'Transfer-Encoding: chunked')}5\r\nhel`,
  ]

  for (const bytes of cut) {
    origin.forget()
    const client = await openClient(t, gateway.port)
    client.send(bytes)
    const seen = await origin.request(1)
    client.end()
    await seen.connection.gone()

    assert.equal(seen.isComplete(), false)
  }
})

test('a fault in a chunked body is answered 400 and aborts the request at the server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await assertBodyRefused(
    t,
    gateway,
    origin,
    `${request('POST', '/', 'Transfer-Encoding: chunked')}5\r\nhelloX\r\n0\r\n\r\n`,
  )
})

interface Framed {
  readonly length: string[]
  readonly coding: string[]
  readonly body: string
}

function framing(seen: OriginRequest | undefined): Framed {
  assert.ok(seen !== undefined)
  return {
    length: values(seen, 'content-length'),
    coding: values(seen, 'transfer-encoding'),
    body: seen.body(),
  }
}
