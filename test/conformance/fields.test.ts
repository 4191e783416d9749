// facts/wire.md 1 (field lines, limits) and 3 (all other fields pass byte for byte); RFC 9112 section 5, RFC 9110 5.5.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { parseFields, values, type Field } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { assertRefused, get, sentinel } from '../support/refusal.ts'

const REFUSED: readonly (readonly [name: string, bytes: string, status: number])[] = [
  ['a space before the colon', get('/', 'X-A : b'), 400],
  ['a tab before the colon', get('/', 'X-A\t: b'), 400],
  ['a line without a colon', get('/', 'X-A'), 400],
  ['an empty name', get('/', ': b'), 400],
  ['a parenthesis in a name', get('/', 'X(A: b'), 400],
  ['a quote in a name', get('/', '"X-A": b'), 400],
  ['a control in a name', get('/', 'X\x01A: b'), 400],
  ['NUL in a name', get('/', 'X\0A: b'), 400],
  ['a byte over 0x7f in a name', get('/', 'X\xc5A: b'), 400],
  ['a line folded with a space', get('/', 'X-A: b', ' c'), 400],
  ['a line folded with a tab', get('/', 'X-A: b', '\tc'), 400],
  ['a folded line of white space only', get('/', 'X-A: b', ' '), 400],
  [
    'white space before the first field',
    'GET / HTTP/1.1\r\n Host: a.test\r\nHost: a.test\r\n\r\n',
    400,
  ],
  ['NUL in a value', get('/', 'X-A: b\0c'), 400],
  ['a control in a value', get('/', 'X-A: b\x01c'), 400],
  ['a vertical tab in a value', get('/', 'X-A: b\x0bc'), 400],
  ['an escape in a value', get('/', 'X-A: \x1b[0m'), 400],
  ['DEL in a value', get('/', 'X-A: b\x7fc'), 400],
  ['a bare CR in a value', get('/', 'X-A: b\rc'), 400],
  ['a bare CR that hides a field', get('/', 'X-A: b\rContent-Length: 5'), 400],
  ['CR CR LF after a value', get('/', 'X-A: b\r'), 400],
  ['a bare LF as a line end', 'GET / HTTP/1.1\r\nHost: a.test\nX-A: b\r\n\r\n', 400],
  ['a bare LF that hides a field', get('/', 'X-A: b\nContent-Length: 5'), 400],
  ['LF CR LF at the end of the head', 'GET / HTTP/1.1\r\nHost: a.test\n\r\n', 400],
  ['CR LF LF at the end of the head', 'GET / HTTP/1.1\r\nHost: a.test\r\n\n', 400],
  ['101 fields', get('/', ...numbered(100)), 431],
  ['a head of more than 32 KiB', get('/', `X-Big: ${'v'.repeat(32_768)}`), 431],
  ['a head of more than 32 KiB in many fields', get('/', ...numbered(80, 'v'.repeat(500))), 431],
]

test('field lines outside the grammar or the limits are refused', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, bytes, status] of REFUSED) {
    await t.test(`refuses ${name} with ${status}`, (t) =>
      assertRefused(t, gateway, origin, bytes, status).then(() => {}),
    )
  }
})

test('refuses a head that has passed the limit without waiting for its end', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const unending = [
    'GET / HTTP/1.1\r\nHost: a.test\r\nX-A: ',
    ...Array<string>(40).fill('v'.repeat(1_024)),
  ]

  await assertRefused(t, gateway, origin, unending, 431)
})

test('refuses fields without end and without their last line', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const lines = numbered(20, 'v'.repeat(100)).join('\r\n')
  const unending = ['GET / HTTP/1.1\r\nHost: a.test\r\n', ...Array<string>(20).fill(`${lines}\r\n`)]

  await assertRefused(t, gateway, origin, unending, 431)
})

test('takes 100 fields, and a head just below 32 KiB', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  const many = await exchange(t, gateway.port, get('/', ...numbered(99)))
  const large = await exchange(t, gateway.port, get('/', `X-Big: ${'v'.repeat(32_600)}`))

  assert.equal(many.status, 200)
  assert.equal(large.status, 200)
  assert.equal(values(origin.requests[1] ?? { fields: [] }, 'x-big')[0]?.length, 32_600)
})

const PASSED: readonly string[] = [
  'Accept: */*',
  'aCCept-ENCODING: gzip;q=0.5, br',
  'X-Twice: one',
  'x-twice: two',
  'X-Between: between',
  'X-TWICE: three',
  'X-Empty: ',
  'X-Tab: a\tb',
  'X-Comma: , ,a,',
  'X-Quoted: "a \\" b" (c)',
  'X-Obs-Text: caf\xe9 \x80\xff',
  "X!#$%&'*+-.^`|~9: token",
  'X_Under_Score: kept',
  'Cookie: a=b; c="d"',
  'Cookie: e=f',
  'Authorization: Basic Zm9vOmJhcg==',
  'Cache-Control: no-store',
  'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  '__proto__: x',
  'constructor: y',
  'User-Agent: t/1 (x; y) \'"',
]

test('passes all other fields of a request byte for byte, in order, with case and duplicates', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, get('/', ...PASSED))

  const sent = parseFields(PASSED)
  const seen = origin.requests[0]?.fields ?? []
  assert.deepEqual(onlyNamed(seen, sent), sent)
})

const ANSWERED: readonly string[] = [
  'Set-Cookie: a=1; Path=/',
  'SET-cookie: b=2, c',
  'X-Twice: 1',
  'ETag: W/"x"',
  'Set-Cookie: d=\xe9\xff',
  'x-twice: 2',
  'X-Empty:',
  'content-TYPE: text/html; charset=utf-8',
  'Server: t',
  'Date: Thu, 01 Jan 1970 00:00:00 GMT',
  'X_Under: score',
  'Location: http://a.test/x y',
  'Vary: *',
]

test('passes all other fields of a response byte for byte, in order, with case and duplicates', async (t) => {
  const lines = ANSWERED.join('\r\n')
  const origin = await startOrigin(
    t,
    `HTTP/1.1 200 Fine \xe9\r\n${lines}\r\nContent-Length: 0\r\n\r\n`,
  )
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, get('/'))

  const sent = parseFields(ANSWERED)
  assert.deepEqual(onlyNamed(response.fields, sent), sent)
  assert.equal(response.line, 'HTTP/1.1 200 Fine \xe9')
})

test('takes white space around a value for no part of it', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, get('/', 'X-A:b', 'X-B: \t c d \t'))

  assert.deepEqual(values(origin.requests[0] ?? { fields: [] }, 'x-a'), ['b'])
  assert.deepEqual(values(origin.requests[0] ?? { fields: [] }, 'x-b'), ['c d'])
})

test('leaves a name with _ out of framing', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(get('/one', 'Content_Length: 5', 'Transfer_Encoding: chunked') + get('/two'))
  await client.readResponse()
  await client.readResponse()

  assert.deepEqual(
    origin.requests.map(({ target, message }) => [target, message().framing]),
    [
      ['/one', 'none'],
      ['/two', 'none'],
    ],
  )
})

test('a refused connection costs no other connection', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const neighbour = await openClient(t, gateway.port)
  await neighbour.ask(get('/before'))

  const bad = await openClient(t, gateway.port)
  bad.send(get('/', 'X-A : b'))
  await bad.closed()
  await sentinel(t, gateway)

  assert.equal((await neighbour.ask(get('/after'))).status, 200)
})

function numbered(count: number, content = 'v'): string[] {
  return Array.from({ length: count }, (_, i) => `X-${i}: ${content}`)
}

function onlyNamed(fields: readonly Field[], like: readonly Field[]): Field[] {
  const names = new Set(like.map(([name]) => name.toLowerCase()))
  return fields.filter(([name]) => names.has(name.toLowerCase()))
}
