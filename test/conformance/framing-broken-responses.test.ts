// facts/wire.md 2: responses that are malformed (502) or cut (the client's connection is reset); RFC 9112 6.3 and 8.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const MALFORMED: readonly (readonly [name: string, bytes: string])[] = [
  ['a coding with a length', head('Transfer-Encoding: chunked', 'Content-Length: 5')],
  ['a length with a coding', head('Content-Length: 5', 'Transfer-Encoding: chunked')],
  ['chunked twice', head('Transfer-Encoding: chunked, chunked')],
  ['chunked in two fields', head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
  ['an unknown coding', head('Transfer-Encoding: gzip, chunked')],
  ['identity', head('Transfer-Encoding: identity')],
  ['gzip', head('Transfer-Encoding: gzip')],
  ['a quoted coding', head('Transfer-Encoding: "chunked"')],
  ['a coding on HTTP/1.0', head('Transfer-Encoding: chunked').replace('1.1', '1.0')],
  ['two lengths', head('Content-Length: 5', 'Content-Length: 6')],
  ['two equal lengths', head('Content-Length: 5', 'Content-Length: 5')],
  ['a list of lengths', head('Content-Length: 5, 5')],
  ['a signed length', head('Content-Length: +5')],
  ['a negative length', head('Content-Length: -5')],
  ['a length in hex', head('Content-Length: 0x5')],
  ['an empty length', head('Content-Length:')],
  ['a length of 16 digits', head('Content-Length: 0000000000000005')],
  ['a folded field', head('X-A: b', ' c')],
  ['a space before the colon', head('X-A : b')],
  ['a line without a colon', head('X-A')],
  ['an empty name', head(': b')],
  ['a NUL in a value', head('X-A: \0')],
  ['a control in a value', head('X-A: \x01')],
  ['a bare CR in a value', head('X-A: b\rc')],
  ['a bare CR that hides a field', head('X-A: b\rSet-Cookie: a=b')],
  ['a bare LF as a line end', 'HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello'],
  ['bare LF everywhere', 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'],
  ['a bare CR in the status line', 'HTTP/1.1 200 O\rK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a NUL in the reason', 'HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['no space before the reason', 'HTTP/1.1 200OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a status of letters', 'HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a status under 100', 'HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a status under 100 of three digits', 'HTTP/1.1 000 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  [
    'a 1xx of HTTP/1.0',
    'HTTP/1.0 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  ],
  ['HTTP/0.9', 'HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a version in lower case', 'http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['another protocol', 'ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a body without a head', 'hello, this is HTTP/0.9\r\n\r\n'],
  ['an empty line before the status line', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['a head over 32 KiB', head(`X-Big: ${'v'.repeat(33_000)}`)],
  ['a head over 32 KiB without end', `HTTP/1.1 200 OK\r\nX-Big: ${'v'.repeat(200_000)}`],
  ['more than 100 fields', head(...Array.from({ length: 101 }, (_, i) => `X-${i}: v`))],
  ['a 101 that was not requested', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
]

test('malformed responses are 502 and close the connection of the server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, bytes] of MALFORMED) {
    await t.test(name, async (t) => {
      origin.forget()
      origin.follow(bytes)
      const client = await openClient(t, gateway.port)
      const response = await client.ask(get('/'))

      assert.equal(response.status, 502, response.head)
      assert.match(value(response, 'proxy-status') ?? '', /sluice; error=http_/)
      assert.doesNotMatch(response.head + response.body.toString() + client.rest(), /hello/)
      await origin.requests[0]?.connection.gone()
      assert.equal(origin.requests.length, 1, 'a malformed response is not asked for again')
    })
  }
})

test('a malformed response leaves the client its connection or closes it, and the next is clean', async (t) => {
  const origin = await startOrigin(t, head('X-A : b'))
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, get('/'))
  origin.follow(OK)
  const next = await exchange(t, gateway.port, get('/'))

  assert.equal(next.body.toString(), 'ok')
})

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'
const CHUNKS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const CUT: readonly (readonly [name: string, bytes: string, end: 'fin' | 'reset' | 'stay'])[] = [
  ['a length that is cut by a FIN', LENGTH, 'fin'],
  ['a length that is cut by a RST', LENGTH, 'reset'],
  ['chunks that are cut before the last', `${CHUNKS}5\r\nhello\r\n`, 'fin'],
  ['chunks that are cut by a RST', `${CHUNKS}5\r\nhello\r\n`, 'reset'],
  ['chunks that are cut in their data', `${CHUNKS}a\r\nhello`, 'fin'],
  ['chunks that are cut in a size', `${CHUNKS}5\r\nhello\r\n1`, 'fin'],
  ['chunks that are cut after the last', `${CHUNKS}5\r\nhello\r\n0\r\n`, 'fin'],
  ['chunks that are cut in the trailers', `${CHUNKS}5\r\nhello\r\n0\r\nX-A: b\r\n`, 'fin'],
  ['a broken chunk size', `${CHUNKS}5\r\nhello\r\nzz\r\n`, 'stay'],
  ['a broken end of a chunk', `${CHUNKS}5\r\nhelloXX0\r\n\r\n`, 'stay'],
  ['a signed chunk size', `${CHUNKS}5\r\nhello\r\n+1\r\nx\r\n0\r\n\r\n`, 'stay'],
  ['a bare LF after a chunk size', `${CHUNKS}5\r\nhello\r\n1\nx\r\n0\r\n\r\n`, 'stay'],
  ['a folded trailer', `${CHUNKS}5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n`, 'stay'],
  ['a RST instead of the close that ends it', 'HTTP/1.1 200 OK\r\n\r\nhello', 'reset'],
]

test('responses that are cut never look complete', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, bytes, end] of CUT) {
    for (const version of ['1.1', '1.0']) {
      await t.test(`${name}, to HTTP/${version}`, async (t) => {
        origin.forget()
        const client = await openClient(t, gateway.port)
        origin.follow(async (request, connection) => {
          await request.whole()
          // The head goes alone, so that the response has begun for the client when the fault comes.
          const split = bytes.indexOf('\r\n\r\n') + 4
          connection.write(bytes.slice(0, split + 5))
          await eventually(() => client.received() > 0, 'the head at the client')
          connection.write(bytes.slice(split + 5))
          if (end === 'fin') connection.end()
          if (end === 'reset') connection.reset()
        })
        client.send(`GET / HTTP/${version}\r\nHost: a.test\r\n\r\n`)
        const ending = await client.closed()

        assert.equal(ending, 'reset', 'no clean close')
        assert.equal(client.partial()?.complete ?? false, false)
        assert.equal(origin.requests.length, 1, 'not asked for again')
      })
    }
  }
})

function head(...lines: readonly string[]): string {
  return ['HTTP/1.1 200 OK', ...lines, '', '5\r\nhello\r\n0\r\n\r\n'].join('\r\n')
}
