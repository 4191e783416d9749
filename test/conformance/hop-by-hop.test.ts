// facts/wire.md 3, fields of one hop; RFC 9110 section 7.6.1.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { values } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const NOTHING = { fields: [] }

const REMOVED: readonly (readonly [
  name: string,
  lines: readonly string[],
  gone: readonly string[],
])[] = [
  ['what Connection names', ['Connection: X-Hop', 'X-Hop: 1'], ['x-hop']],
  ['what Connection names in another case', ['cONNECTION: x-hOP', 'X-Hop: 1'], ['x-hop']],
  ['what Connection names before it comes', ['X-Hop: 1', 'Connection: X-Hop'], ['x-hop']],
  ['all that Connection names', ['Connection: a,B ,\tc', 'A: 1', 'b: 2', 'C: 3'], ['a', 'b', 'c']],
  [
    'what a second Connection names',
    ['Connection: a', 'Connection: b', 'A: 1', 'B: 2'],
    ['a', 'b'],
  ],
  ['what it names beside close', ['Connection: close, X-Hop', 'X-Hop: 1'], ['x-hop']],
  ['what it names with empty members', ['Connection: , ,X-Hop,', 'X-Hop: 1'], ['x-hop']],
  ['every field that it names', ['Connection: X-Hop', 'X-Hop: 1', 'x-hop: 2'], ['x-hop']],
  ['Keep-Alive', ['Keep-Alive: timeout=5'], ['keep-alive']],
  ['Proxy-Connection', ['Proxy-Connection: keep-alive'], ['proxy-connection']],
  ['Proxy-Authorization', ['Proxy-Authorization: Basic x'], ['proxy-authorization']],
  ['Proxy-Authenticate', ['Proxy-Authenticate: Basic'], ['proxy-authenticate']],
  ['Upgrade that Connection does not name', ['Upgrade: websocket'], ['upgrade']],
  [
    'Upgrade: h2c',
    ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMA'],
    ['upgrade', 'http2-settings'],
  ],
  ['HTTP2-Settings', ['HTTP2-Settings: AAMA'], ['http2-settings']],
  ['TE but trailers', ['TE: gzip', 'Connection: TE'], ['te']],
]

test('fields of one hop are removed from requests', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, lines, gone] of REMOVED) {
    await t.test(name, async (t) => {
      const response = await exchange(t, gateway.port, get('/', ...lines, 'X-Stays: 1'))
      const seen = origin.requests.at(-1) ?? NOTHING

      assert.equal(response.status, 200)
      for (const field of gone) assert.deepEqual(values(seen, field), [], field)
      assert.deepEqual(values(seen, 'x-stays'), ['1'])
      for (const named of values(seen, 'connection')) assert.match(named, /^(keep-alive|te)$/i)
    })
  }
})

const KEPT = [
  ...['Authorization: Basic x', 'Cookie: a=b', 'Cache-Control: no-store'],
  ...['Content-Length: 5', 'Content-Type: text/x'],
]

test('Connection cannot remove what others rely on', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  const named =
    'Connection: Host, Content-Length, Transfer-Encoding, Authorization, Cookie, Cache-Control, ' +
    'Forwarded, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Real-Ip, X-Request-Id'

  client.send(`${get('/', named, ...KEPT)}hello`)
  await client.readResponse()
  client.send(`${get('/', named, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`)
  await client.readResponse()
  const [first, second] = origin.requests

  for (const field of ['host', 'authorization', 'cookie', 'cache-control', 'content-length']) {
    assert.equal(values(first ?? NOTHING, field).length, 1, field)
  }
  for (const field of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']) {
    assert.equal(values(first ?? NOTHING, field).length, 1, field)
  }
  assert.equal(first?.body(), 'hello')
  assert.equal(second?.body(), 'hello')
})

test('TE: trailers is the only TE that is sent on', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, get('/', 'TE: gzip;q=0.5, trailers', 'Connection: TE'))

  for (const coding of values(origin.requests[0] ?? NOTHING, 'te')) assert.equal(coding, 'trailers')
})

test('fields of one hop are removed from responses', async (t) => {
  const lines = [
    ...['Connection: X-Hop, keep-alive', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'X-Stays: 1'],
    ...['Proxy-Authenticate: Basic', 'Proxy-Connection: x', 'Upgrade: h2c', 'TE: x'],
    ...['Set-Cookie: a=b', 'Cache-Control: no-store'],
  ]
  const origin = await startOrigin(t, OK.replace('\r\n', `\r\n${lines.join('\r\n')}\r\n`))
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, get('/'))

  for (const gone of [
    'x-hop',
    'keep-alive',
    'proxy-authenticate',
    'proxy-connection',
    'upgrade',
    'te',
  ]) {
    assert.deepEqual(values(response, gone), [], gone)
  }
  for (const named of values(response, 'connection')) assert.match(named, /^(keep-alive|close)$/)
  assert.deepEqual(values(response, 'x-stays'), ['1'])
  assert.deepEqual(values(response, 'set-cookie'), ['a=b'])
})

test('Connection of a response cannot remove its framing, cookies or caching', async (t) => {
  const named = 'Connection: Content-Length, Transfer-Encoding, Cache-Control'
  const origin = await startOrigin(
    t,
    OK.replace('\r\n', `\r\n${named}\r\nCache-Control: private\r\n`),
  )
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.body.toString(), 'ok')
  assert.deepEqual(values(response, 'cache-control'), ['private'])
  assert.equal(response.framing, 'length')
})

test('Connection: close of either side is for that side alone', async (t) => {
  const origin = await startOrigin(t, OK.replace('\r\n', '\r\nConnection: close\r\n'))
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/one'))
  const second = await client.ask(get('/two', 'Connection: close'))

  assert.deepEqual(values(second, 'connection'), ['close'])
  assert.equal(await client.closed(), 'fin')
  assert.equal(origin.connections.length, 2, 'what the server closes is not used again')

  origin.follow(OK)
  origin.forget()
  await exchange(t, gateway.port, get('/three', 'Connection: close'))
  await exchange(t, gateway.port, get('/four'))
  assert.equal(origin.requests[0]?.connection, origin.requests[1]?.connection)
})

test('Trailer is sent on only with a body that can have trailers', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, get('/', 'Trailer: X-Sum'))

  assert.deepEqual(values(origin.requests[0] ?? NOTHING, 'trailer'), [])
})
