// facts/wire.md 1, request line; RFC 9112 section 3.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { assertRefused, get } from '../support/refusal.ts'

const HOST = '\r\nHost: a.test\r\n\r\n'

const REFUSED: readonly (readonly [name: string, bytes: string, status: number])[] = [
  ['a space before the method', ` GET / HTTP/1.1${HOST}`, 400],
  ['two spaces after the method', `GET  / HTTP/1.1${HOST}`, 400],
  ['two spaces before the version', `GET /  HTTP/1.1${HOST}`, 400],
  ['a tab between method and target', `GET\t/ HTTP/1.1${HOST}`, 400],
  ['a tab before the version', `GET /\tHTTP/1.1${HOST}`, 400],
  ['a space after the version', `GET / HTTP/1.1 ${HOST}`, 400],
  ['a space in the target', `GET /a b HTTP/1.1${HOST}`, 400],
  ['a vertical tab as a separator', `GET\x0b/ HTTP/1.1${HOST}`, 400],
  ['no target', `GET HTTP/1.1${HOST}`, 400],
  ['an empty target', `GET  HTTP/1.1${HOST}`, 400],
  ['a simple request', 'GET /\r\n\r\n', 400],
  ['a simple request with fields', `GET /${HOST}`, 400],
  ['HTTP/0.9', `GET / HTTP/0.9${HOST}`, 400],
  ['HTTP/2.0', `GET / HTTP/2.0${HOST}`, 505],
  ['HTTP/3.0', `GET / HTTP/3.0${HOST}`, 505],
  ['a version in lower case', `GET / http/1.1${HOST}`, 400],
  ['a version of two digits', `GET / HTTP/1.10${HOST}`, 400],
  ['a version without its minor', `GET / HTTP/1${HOST}`, 400],
  ['a version without its point', `GET / HTTP/11${HOST}`, 400],
  ['another protocol', `GET / ICY/1.1${HOST}`, 400],
  ['a space within the version', `GET / HTTP /1.1${HOST}`, 400],
  ['a method of 33 characters', `${'M'.repeat(33)} / HTTP/1.1${HOST}`, 400],
  ['a colon in the method', `GE:T / HTTP/1.1${HOST}`, 400],
  ['a parenthesis in the method', `GE(T / HTTP/1.1${HOST}`, 400],
  ['a control in the method', `G\x01T / HTTP/1.1${HOST}`, 400],
  ['a byte over 0x7f in the method', `G\xc9T / HTTP/1.1${HOST}`, 400],
  ['no method', `/ HTTP/1.1${HOST}`, 400],
  ['a fragment', `GET /a#b HTTP/1.1${HOST}`, 400],
  ['NUL in the target', `GET /a\0b HTTP/1.1${HOST}`, 400],
  ['a control in the target', `GET /a\x1fb HTTP/1.1${HOST}`, 400],
  ['DEL in the target', `GET /a\x7fb HTTP/1.1${HOST}`, 400],
  ['a byte over 0x7e in the target', `GET /caf\xe9 HTTP/1.1${HOST}`, 400],
  ['a bare CR in the target', `GET /a\rb HTTP/1.1${HOST}`, 400],
  ['a bare LF after the request line', 'GET / HTTP/1.1\nHost: a.test\r\n\r\n', 400],
  ['bare LF everywhere', 'GET / HTTP/1.1\nHost: a.test\n\n', 400],
  ['CR CR LF after the request line', 'GET / HTTP/1.1\r\r\nHost: a.test\r\n\r\n', 400],
  ['LF before the request line', `\nGET / HTTP/1.1${HOST}`, 400],
  ['CR before the request line', `\rGET / HTTP/1.1${HOST}`, 400],
  ['an empty line with a space before the request line', ` \r\nGET / HTTP/1.1${HOST}`, 400],
  ['many empty lines before the request line', `${'\r\n'.repeat(64)}GET / HTTP/1.1${HOST}`, 400],
  ['asterisk-form but with OPTIONS', `GET * HTTP/1.1${HOST}`, 400],
  ['authority-form but with CONNECT', `GET a.test:80 HTTP/1.1${HOST}`, 400],
  ['a path without its slash', `GET a/b HTTP/1.1${HOST}`, 400],
  ['@host, which turns a joined url around', `GET @evil.test/ HTTP/1.1${HOST}`, 400],
  [':80/, which turns a joined url around', `GET :80/ HTTP/1.1${HOST}`, 400],
  ['a query without a path', `GET ?a HTTP/1.1${HOST}`, 400],
  ['CONNECT', 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 405],
  ['absolute-form without an authority', `GET http:///p HTTP/1.1${HOST}`, 400],
  ['absolute-form with nothing', `GET http:// HTTP/1.1${HOST}`, 400],
  ['absolute-form with userinfo', `GET http://u@a.test/ HTTP/1.1${HOST}`, 400],
  ['absolute-form with a bad port', `GET http://a.test:8x/ HTTP/1.1${HOST}`, 400],
  ['absolute-form with a backslash', `GET http://a.test\\@b.test/ HTTP/1.1${HOST}`, 400],
  ['an absolute-form of another scheme', `GET ftp://a.test/ HTTP/1.1${HOST}`, 400],
  ['an authority that disagrees with Host', `GET http://b.test/ HTTP/1.1${HOST}`, 400],
  ['absolute-form without Host in 1.1', 'GET http://a.test/ HTTP/1.1\r\n\r\n', 400],
  ['a target of more than 8 KiB', `GET /${'t'.repeat(8_192)} HTTP/1.1${HOST}`, 414],
  ['a target of more than 8 KiB that does not end', `GET /${'t'.repeat(40_000)}`, 414],
  [
    'the hello of TLS on a plain listener',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
    400,
  ],
]

test('request lines outside the grammar are refused', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, bytes, status] of REFUSED) {
    await t.test(`refuses ${name} with ${status}`, (t) =>
      assertRefused(t, gateway, origin, bytes, status).then(() => {}),
    )
  }
})

test('request lines within the grammar are sent on as they are', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const methods = [
    ...[
      'GET',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'TRACE',
      'QUERY',
      'PROPFIND',
      'M-SEARCH',
    ],
    ...['get', 'Get', "!#$%&'*+-.^_`|~09", 'M'.repeat(32)],
  ]
  const targets = [
    ...[
      '/',
      '/?',
      '/a?b=c',
      '/a/b/',
      '/a%20b',
      '/a?x=/../%2f//%zz',
      "/~u/-._!$&'()*+,;=:@",
      '/a?b?c',
    ],
    ...['/"<>^`{|}', '/.well-known/x', '/a..b/...', `/${'t'.repeat(8_191)}`],
  ]

  for (const method of methods) {
    await t.test(`method ${method}`, async (t) => {
      const { status } = await exchange(t, gateway.port, `${method} /m HTTP/1.1${HOST}`)

      assert.equal(status, 200)
      assert.equal(origin.requests.at(-1)?.line, `${method} /m HTTP/1.1`)
    })
  }
  for (const target of targets) {
    await t.test(`target ${target.slice(0, 40)}`, async (t) => {
      const { status } = await exchange(t, gateway.port, get(target))

      assert.equal(status, 200)
      assert.equal(origin.requests.at(-1)?.line, `GET ${target} HTTP/1.1`)
    })
  }
})

// RFC 9112 3.2.2, 3.2.4: an origin server is sent origin-form, or the asterisk.
const REWRITTEN: readonly (readonly [line: string, host: string, sent: string])[] = [
  ['GET http://a.test/p?q HTTP/1.1', 'a.test', 'GET /p?q HTTP/1.1'],
  ['GET HTTP://a.test/p HTTP/1.1', 'a.test', 'GET /p HTTP/1.1'],
  ['GET http://a.test HTTP/1.1', 'a.test', 'GET / HTTP/1.1'],
  ['GET http://a.test?q HTTP/1.1', 'a.test', 'GET /?q HTTP/1.1'],
  ['GET http://a.test:8080/p HTTP/1.1', 'a.test:8080', 'GET /p HTTP/1.1'],
  ['OPTIONS * HTTP/1.1', 'a.test', 'OPTIONS * HTTP/1.1'],
  ['OPTIONS http://a.test HTTP/1.1', 'a.test', 'OPTIONS * HTTP/1.1'],
  ['GET /p HTTP/1.2', 'a.test', 'GET /p HTTP/1.1'],
  ['GET /p HTTP/1.9', 'a.test', 'GET /p HTTP/1.1'],
]

test('other forms of the target and the version are rewritten', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [line, host, sent] of REWRITTEN) {
    await t.test(line, async (t) => {
      const response = await exchange(t, gateway.port, `${line}\r\nHost: ${host}\r\n\r\n`)

      assert.equal(response.status, 200)
      assert.match(response.line, /^HTTP\/1\.1 200/)
      assert.equal(origin.requests.at(-1)?.line, sent)
      assert.equal(value(origin.requests.at(-1) ?? { fields: [] }, 'host'), host)
    })
  }
})

test('routes an absolute-form request by its own authority', async (t) => {
  const [first, second] = [await startOrigin(t, ok('first')), await startOrigin(t, ok('second'))]
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      first: { servers: { s: first.url } },
      second: { servers: { s: second.url } },
    },
    frontends: {
      first: { route: 'Host("first.test")', backend: 'first' },
      second: { route: 'Host("second.test")', backend: 'second' },
    },
  })

  const versioned = await exchange(
    t,
    gateway.port,
    'GET http://second.test/ HTTP/1.1\r\nHost: second.test\r\n\r\n',
  )
  const old = await exchange(t, gateway.port, 'GET http://first.test/ HTTP/1.0\r\n\r\n')

  assert.equal(versioned.body.toString(), 'second')
  assert.equal(old.body.toString(), 'first')
})

test('skips a few empty lines before a request line', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  for (const before of ['', '\r\n', '\r\n\r\n']) {
    client.send(`${before}${get('/')}`)
    assert.equal((await client.readResponse()).status, 200)
  }
})

test('reads a request line that comes byte by byte', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  await client.sendPieces([...get('/slow?x', 'X-A: b')])
  const response = await client.readResponse()

  assert.equal(response.status, 200)
  assert.equal(origin.requests[0]?.line, 'GET /slow?x HTTP/1.1')
})

function ok(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}
