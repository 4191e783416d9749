// Clients that speak the other protocol than the listener does, and what is said of the protocol behind a trusted peer.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { exchange, openClient, openTlsClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startOrigin, type Origin } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

interface Site {
  readonly gateway: TestGateway
  readonly origin: Origin
  readonly secure: number
  readonly ca: string
}

async function start(t: TestContext, more: object = {}): Promise<Site> {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('a.test')
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      web: { address: '127.0.0.1:0' },
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert: certPath, key: keyPath }] },
      },
    },
    backends: { b: { servers: { s: origin.url }, sticky: { cookie: 'route' } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
    ...more,
  })
  return { gateway, origin, secure: gateway.ports['secure'] ?? 0, ca: authority.cert }
}

test('plain HTTP on an https port gets a 400 that says so, and is counted and logged', async (t) => {
  const { gateway, origin, secure } = await start(t)

  for (const [method, body] of [
    ['GET', ''],
    ['HEAD', ''],
    ['POST', 'x'.repeat(2_000_000)],
    ['PROPFIND', ''],
  ] as const) {
    const client = await openClient(t, secure)
    client.send(request(method, '/', `Content-Length: ${body.length}`) + body)
    const response = await client.readResponse()

    assert.equal(response.status, 400, method)
    assert.match(response.body.toString(), /plain HTTP request was sent to an https port/)
    assert.equal(value(response, 'connection'), 'close')
    await client.closed()
    assert.equal(client.rest(), '')
  }
  assert.equal(origin.connections.length, 0)
  const records = gateway.records()
  assert.equal(records.length, 4)
  for (const record of records) {
    const { listener, status, reason, peerIp, scheme } = record
    assert.deepEqual(
      { listener, status, reason, peerIp, scheme },
      {
        listener: 'secure',
        status: 400,
        reason: 'PLAIN_HTTP',
        peerIp: '127.0.0.1',
        scheme: 'http',
      },
    )
  }
})

test('a handshake that fails is ended without a response in plain HTTP', async (t) => {
  const { gateway, secure } = await start(t)

  for (const bytes of ['\x16\x03\x01\0\x05zzzzz', '\x15\x03\x01\0\x02\x02\x28']) {
    const client = await openClient(t, secure)
    client.send(bytes)
    client.end()
    await client.closed()
    assert.doesNotMatch(client.rest(), /HTTP/)
  }
  const old = { servername: 'a.test', maxVersion: 'TLSv1.1' as const, minVersion: 'TLSv1' as const }
  await assert.rejects(openTlsClient(t, secure, { ...old, ciphers: 'DEFAULT:@SECLEVEL=0' }))
  assert.equal(gateway.records().length, 0)
})

test('an https port goes on after plain HTTP has come to it', async (t) => {
  const { secure, ca } = await start(t)
  const plain = await openClient(t, secure)
  await plain.ask(get('/'))

  const client = await openTlsClient(t, secure, { servername: 'a.test', ca })
  const response = await client.ask(get('/'))

  assert.equal(response.status, 200)
})

test('a TLS handshake on an http port is logged as one', async (t) => {
  const { gateway } = await start(t)

  await assert.rejects(openTlsClient(t, gateway.port, { servername: 'a.test' }))
  await eventually(() => gateway.records().length > 0, 'the record')

  assert.equal(gateway.records()[0]?.reason, 'BAD_REQUEST_LINE')
  assert.match(gateway.records()[0]?.detail ?? '', /TLS handshake.*plain HTTP/)
})

test('a sticky cookie is Secure when the client spoke https, also as a trusted peer says it', async (t) => {
  const trusting = await start(t, { trusted: ['127.0.0.1'] })
  const doubting = await start(t)
  const cookie = async ({ gateway }: Site, ...lines: string[]): Promise<string> => {
    const response = await exchange(t, gateway.port, get('/', ...lines))
    return value(response, 'set-cookie') ?? ''
  }

  assert.match(await cookie(trusting, 'X-Forwarded-Proto: https'), /^route=[\w-]+; Secure;/)
  assert.match(await cookie(trusting, 'X-Forwarded-Proto: HTTPS, http'), /; Secure;/)
  assert.match(await cookie(trusting, 'Forwarded: for=203.0.113.9;proto=https'), /; Secure;/)
  assert.doesNotMatch(await cookie(trusting, 'X-Forwarded-Proto: http'), /Secure/)
  assert.doesNotMatch(await cookie(trusting), /Secure/)
  assert.doesNotMatch(await cookie(doubting, 'X-Forwarded-Proto: https'), /Secure/)
})
