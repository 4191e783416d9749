// facts/wire.md 3, what is set towards the server, and from whom it is believed; RFC 7239.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange, openTlsClient } from '../support/client.ts'
import { createAuthority } from '../support/certificates.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { startOrigin, type Origin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const NOTHING = { fields: [] }
const CLAIMED = [
  ...['X-Forwarded-For: 6.6.6.6', 'x-forwarded-for: 7.7.7.7', 'X-Forwarded-Proto: https'],
  ...['X-Forwarded-Host: evil.test', 'X-Forwarded-Port: 666', 'X-Real-Ip: 6.6.6.6'],
  ...['Forwarded: for=6.6.6.6;host=evil.test', 'X-Request-Id: evil', 'X-Forwarded-Server: evil'],
  ...['X_Forwarded_For: 6.6.6.6', 'X-Forwarded_For: 6.6.6.6', 'X_Real_IP: 6.6.6.6'],
  ...['x_forwarded_proto: https', 'X_REQUEST_ID: evil', 'X_Forwarded_Host: evil.test'],
]

async function trusting(t: TestContext, origin: Origin): Promise<TestGateway> {
  return startGateway(t, {
    trusted: ['127.0.0.0/8'],
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
}

test('passes the client, the scheme and the host on to the server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, 'GET / HTTP/1.1\r\nHost: a.test:81\r\n\r\n')
  const seen = origin.requests[0] ?? NOTHING

  assert.deepEqual(values(seen, 'x-forwarded-for'), ['127.0.0.1'])
  assert.deepEqual(values(seen, 'x-real-ip'), ['127.0.0.1'])
  assert.deepEqual(values(seen, 'x-forwarded-proto'), ['http'])
  assert.deepEqual(values(seen, 'x-forwarded-host'), ['a.test:81'])
  assert.match(value(seen, 'x-forwarded-port') ?? '', /^\d+$/)
  assert.match(value(seen, 'x-request-id') ?? '', /^[\w-]{8,}$/)
})

test('removes what an untrusted peer claims, and every look-alike', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await exchange(t, gateway.port, get('/', ...CLAIMED))
  const seen = origin.requests[0] ?? NOTHING

  // The id may hold any digits.
  const head = origin.requests[0]?.head ?? ''
  const rest = head.replace(/^x-request-id: .*$/gim, '')
  assert.doesNotMatch(rest, /6\.6\.6\.6|7\.7\.7\.7|evil|666|https/)
  assert.deepEqual(values(seen, 'x-forwarded-port'), ['80'])
  assert.deepEqual(values(seen, 'x-forwarded-for'), ['127.0.0.1'])
  assert.deepEqual(values(seen, 'x-real-ip'), ['127.0.0.1'])
  assert.deepEqual(values(seen, 'x-forwarded-proto'), ['http'])
  assert.equal(values(seen, 'x-request-id').length, 1)
})

test('believes a trusted peer and adds to what it says', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await trusting(t, origin)

  await exchange(
    t,
    gateway.port,
    get(
      '/',
      ...['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2, 3.3.3.3'],
      ...['X-Forwarded-Proto: https', 'X-Forwarded-Host: outer.test', 'X-Forwarded-Port: 443'],
      'X-Request-Id: id-of-the-outer',
    ),
  )
  const seen = origin.requests[0] ?? NOTHING

  assert.equal(values(seen, 'x-forwarded-for').join(', '), '1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1')
  assert.deepEqual(values(seen, 'x-forwarded-proto'), ['https'])
  assert.deepEqual(values(seen, 'x-forwarded-host'), ['outer.test'])
  assert.deepEqual(values(seen, 'x-forwarded-port'), ['443'])
  assert.deepEqual(values(seen, 'x-request-id'), ['id-of-the-outer'])
  assert.equal(gateway.records()[0]?.peerIp, '127.0.0.1')
  assert.equal(gateway.records()[0]?.requestId, 'id-of-the-outer')
})

test('sets what a trusted peer leaves out', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await trusting(t, origin)

  await exchange(t, gateway.port, get('/'))
  const seen = origin.requests[0] ?? NOTHING

  assert.deepEqual(values(seen, 'x-forwarded-for'), ['127.0.0.1'])
  assert.deepEqual(values(seen, 'x-forwarded-proto'), ['http'])
  assert.equal(values(seen, 'x-request-id').length, 1)
})

test('gives each request an id of its own and writes it into the log', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (let i = 0; i < 20; i++) await exchange(t, gateway.port, get('/'))

  const ids = origin.requests.map((seen) => value(seen, 'x-request-id'))
  assert.equal(new Set(ids).size, 20)
  assert.deepEqual(
    gateway.records().map((record) => record.requestId),
    ids,
  )
})

test('passes the context of a trace on', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const context = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

  await exchange(t, gateway.port, get('/', `traceparent: ${context}`, 'tracestate: a=b'))

  assert.deepEqual(values(origin.requests[0] ?? NOTHING, 'traceparent'), [context])
  assert.deepEqual(values(origin.requests[0] ?? NOTHING, 'tracestate'), ['a=b'])
})

test('says https for what came over TLS', async (t) => {
  const leaf = createAuthority(t).issue('a.test')
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert: leaf.certPath, key: leaf.keyPath }] },
      },
    },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const client = await openTlsClient(t, gateway.ports.secure ?? 0, {
    rejectUnauthorized: false,
    servername: 'a.test',
  })

  await client.ask(get('/', 'X-Forwarded-Proto: http'))

  assert.deepEqual(values(origin.requests[0] ?? NOTHING, 'x-forwarded-proto'), ['https'])
})

test('writes no field that an input could split', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await trusting(t, origin)

  for (const bad of ['a\rb', 'a\nX-Evil: 1', 'a\0b', 'a\r\n X-Evil: 1']) {
    const response = await exchange(t, gateway.port, get('/', `X-Forwarded-Host: ${bad}`))
    assert.equal(response.status, 400)
  }
  assert.equal(origin.requests.length, 0)
})
