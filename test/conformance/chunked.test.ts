// facts/wire.md 2, chunked bodies and trailers; RFC 9112 section 7.1, RFC 9110 6.5.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { values, type Field } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { assertBodyRefused, get, request } from '../support/refusal.ts'

const HEAD = request('POST', '/chunked', 'Transfer-Encoding: chunked')

const ACCEPTED: readonly (readonly [name: string, body: string])[] = [
  ['one chunk', '5\r\nhello\r\n0\r\n\r\n'],
  ['several chunks', '1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n'],
  ['leading zeros', '005\r\nhello\r\n000\r\n\r\n'],
  ['a size of 15 digits', '000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['an extension', '5;a=b\r\nhello\r\n0;last\r\n\r\n'],
  ['a quoted extension', '5;a="b c;d"\r\nhello\r\n0\r\n\r\n'],
  ['extensions of 200 bytes', `5;${'e'.repeat(200)}\r\nhello\r\n0\r\n\r\n`],
  ['a trailer', '5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n'],
]

test('well-formed chunked bodies pass without their extensions', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, body] of ACCEPTED) {
    await t.test(name, async (t) => {
      origin.forget()
      const client = await openClient(t, gateway.port)
      client.send(HEAD + body)

      assert.equal((await client.readResponse()).status, 200)
      assert.equal(origin.requests[0]?.body(), 'hello')
      assert.doesNotMatch(origin.requests[0]?.connection.raw() ?? '', /;a=|;e|;last/)
    })
    await t.test(`${name}, byte by byte`, async (t) => {
      origin.forget()
      const client = await openClient(t, gateway.port)
      await client.sendPieces([...(HEAD + body)])

      assert.equal((await client.readResponse()).status, 200)
      assert.equal(origin.requests[0]?.body(), 'hello')
    })
  }
})

test('hexadecimal sizes of both cases are read', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${HEAD}1A\r\n${'x'.repeat(26)}\r\n1f\r\n${'y'.repeat(31)}\r\n0\r\n\r\n`)
  await client.readResponse()

  assert.equal(origin.requests[0]?.body(), 'x'.repeat(26) + 'y'.repeat(31))
})

const REFUSED: readonly (readonly [name: string, body: string])[] = [
  ['0x before the size', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a plus before the size', '+5\r\nhello\r\n0\r\n\r\n'],
  ['a minus before the size', '-5\r\nhello\r\n0\r\n\r\n'],
  ['a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a tab before the size', '\t5\r\nhello\r\n0\r\n\r\n'],
  ['an underscore in the size', '0_5\r\nhello\r\n0\r\n\r\n'],
  ['a space in the size', '0 5\r\nhello\r\n0\r\n\r\n'],
  ['a letter that is no digit', 'g\r\nhello\r\n0\r\n\r\n'],
  ['a size with a point', '5.0\r\nhello\r\n0\r\n\r\n'],
  ['a quoted size', '"5"\r\nhello\r\n0\r\n\r\n'],
  ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ['no size before an extension', ';a\r\nhello\r\n0\r\n\r\n'],
  ['a size of 16 digits', '0000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['a size that no number holds', 'ffffffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
  ['a size that wraps at 64 bits', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['a NUL after the size', '5\0\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
  ['a bare CR after the size', '5\rhello\r\n0\r\n\r\n'],
  ['CR CR LF after the size', '5\r\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF in an extension', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
  ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['a NUL in an extension', '5;a\0b\r\nhello\r\n0\r\n\r\n'],
  ['an extension of 300 bytes', `5;${'e'.repeat(300)}\r\nhello\r\n0\r\n\r\n`],
  ['an extension that does not end', `5;${'e'.repeat(3_000)}`],
  ['extensions of more than 16 KiB', `${`1;${'e'.repeat(200)}\r\nx\r\n`.repeat(100)}0\r\n\r\n`],
  ['a bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
  ['a bare CR after the data', '5\r\nhello\r0\r\n\r\n'],
  ['nothing after the data', '5\r\nhello0\r\n\r\n'],
  ['data longer than its size', '4\r\nhello\r\n0\r\n\r\n'],
  ['data shorter than its size', '6\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF after the last chunk', '5\r\nhello\r\n0\n\r\n'],
  ['a bare LF after the trailers', '5\r\nhello\r\n0\r\n\n\r\n\r\n'],
  ['a bare CR instead of the trailers', '5\r\nhello\r\n0\r\n\rX\r\n\r\n'],
  ['a trailer without a colon', '5\r\nhello\r\n0\r\nX-Sum\r\n\r\n'],
  ['a trailer with a space before the colon', '5\r\nhello\r\n0\r\nX-Sum : 1\r\n\r\n'],
  ['a folded trailer', '5\r\nhello\r\n0\r\nX-Sum: 1\r\n 2\r\n\r\n'],
  ['a trailer that is a request', '5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a NUL in a trailer', '5\r\nhello\r\n0\r\nX-Sum: \0\r\n\r\n'],
  ['a bare CR in a trailer', '5\r\nhello\r\n0\r\nX-Sum: a\rb\r\n\r\n'],
  ['a bare LF between trailers', '5\r\nhello\r\n0\r\nX-Sum: a\nX-B: b\r\n\r\n'],
]

test('chunked bodies outside the grammar are refused and never whole at the server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, body] of REFUSED) {
    await t.test(name, (t) => assertBodyRefused(t, gateway, origin, HEAD + body).then(() => {}))
    await t.test(`${name}, in two pieces`, (t) =>
      assertBodyRefused(t, gateway, origin, [HEAD + body.slice(0, 2), body.slice(2)]).then(
        () => {},
      ),
    )
  }
})

test('trailers are bounded like a head', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const many = Array.from({ length: 200 }, (_, i) => `X-${i}: v\r\n`).join('')
  const last = '5\r\nhello\r\n0\r\n'

  await assertBodyRefused(t, gateway, origin, `${HEAD}${last}${many}\r\n`, [400, 431])
  await assertBodyRefused(
    t,
    gateway,
    origin,
    `${HEAD}${last}X-Big: ${'v'.repeat(40_000)}`,
    [400, 431],
  )
})

const FORBIDDEN = [
  ...['Content-Length: 9', 'Transfer-Encoding: chunked', 'Host: evil.test', 'Authorization: x'],
  ...[
    'Connection: x',
    'Keep-Alive: x',
    'TE: x',
    'Trailer: x',
    'Upgrade: x',
    'Content-Encoding: gzip',
  ],
  ...['Cookie: a=b', 'X-Forwarded-For: 6.6.6.6', 'X-Real-Ip: 6.6.6.6', 'Proxy-Authorization: x'],
]

// RFC 9110 6.5.1: fields of framing, routing, authentication and of one hop are no trailers.
test('trailers of a request that could change its meaning are dropped, and none is merged into the head', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${HEAD}5\r\nhello\r\n0\r\n${[...FORBIDDEN, 'X-Sum: 1'].join('\r\n')}\r\n\r\n`)
  await client.readResponse()
  const seen = origin.requests[0]

  assert.equal(seen?.isComplete(), true)
  assert.deepEqual(namesWithoutSum(seen?.message().trailers ?? []), [])
  assert.deepEqual(values(seen ?? { fields: [] }, 'x-sum'), [])
  assert.deepEqual(values(seen ?? { fields: [] }, 'host'), ['a.test'])
})

test('trailers of a response pass to a client that takes them, but for those of framing', async (t) => {
  const origin = await startOrigin(
    t,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n' +
      '5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nConnection: x\r\n\r\n',
  )
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/', 'TE: trailers', 'Connection: TE'))

  assert.equal(response.body.toString(), 'hello')
  assert.deepEqual(values({ fields: response.trailers }, 'x-sum'), ['1'])
  assert.deepEqual(values({ fields: response.trailers }, 'content-length'), [])
  assert.deepEqual(values({ fields: response.trailers }, 'connection'), [])
  assert.deepEqual(values(response, 'x-sum'), [], 'never merged into the head')
})

test('a response with trailers ends whole for a client that asked for none', async (t) => {
  const origin = await startOrigin(
    t,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
  )
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 3; i++) {
    const response = await client.ask(get('/'))
    assert.equal(response.body.toString(), 'hello')
    assert.deepEqual(values(response, 'x-sum'), [])
  }
})

test('chunks of one byte are read at a bounded cost', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  const before = process.cpuUsage()

  client.send(`${HEAD}${'1\r\nx\r\n'.repeat(50_000)}0\r\n\r\n`)
  const response = await client.readResponse()

  const { user, system } = process.cpuUsage(before)
  assert.equal(response.status, 200)
  assert.equal(origin.requests[0]?.body().length, 50_000)
  assert.ok(user + system < 3_000_000, `${user + system} us for 50,000 chunks, all sides together`)
})

function namesWithoutSum(trailers: readonly Field[]): string[] {
  return trailers.map(([name]) => name).filter((name) => name.toLowerCase() !== 'x-sum')
}
